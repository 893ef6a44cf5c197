"""Links to the pages of entities, and what a page may show: what everybody in the conversation of its link may see."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.catalogue import ImageRecord
from bot.domain.channels import Audience, ChannelKind
from bot.domain.identifiers import DatabaseKey, DataId, EntityId, WorkspaceId
from bot.media.links import EntityClaim, LinkExpired, LinkRefused, MediaLinks
from bot.services.access.entity_views import EntityView, EntityViewService
from handlers.replies.requester import Requester
from handlers.slack.directory import DirectoryCache, SlackDirectory


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation, and its kind as far as it is known without asking Slack."""

    channel: str
    kind: ChannelKind


class EntityPages:
    """Offers links to the pages of entities. Without a public address (``links`` is None), there are none."""

    def __init__(self, views: EntityViewService, directories: DirectoryCache, links: MediaLinks | None) -> None:
        self._views = views
        self._directories = directories
        self._links = links

    async def links(self, requester: Requester, records: Sequence[ImageRecord]) -> Mapping[DataId, str]:
        """Return the link of each image's entity, as far as everybody in the requester's conversation may see it."""
        offered = {(record.database, record.entity): record for record in records}
        found = await asyncio.gather(*(self._link(requester, *place) for place in offered))
        known = dict(zip(offered, found, strict=True))
        links = {record.data_id: known[record.database, record.entity] for record in records}
        return {data_id: link for data_id, link in links.items() if link}

    async def _link(self, requester: Requester, key: DatabaseKey, entity: EntityId) -> str:
        if self._links is None:
            return ""
        claim = EntityClaim(key, entity, requester.channel, requester.kind)
        return self._links.entity_url(claim) if await self.view(claim, requester.client) else ""

    async def of_url(
        self, url: str, workspace: WorkspaceId, client: AsyncWebClient, shared_in: Conversation
    ) -> EntityView | None:
        """Return what a link may show where it was shared.

        Return None if that is nothing, or if it is no link to an entity of the workspace.
        """
        token = self._links.entity_token(url) if self._links else ""
        if self._links is None or not token:
            return None
        try:
            claim = self._links.read_entity(token)
        except (LinkExpired, LinkRefused):
            return None
        # The client must not be asked about the channels of another workspace.
        return await self.view(claim, client, shared_in) if claim.database.workspace == workspace else None

    async def view(self, claim: EntityClaim, client: AsyncWebClient, *shared_in: Conversation) -> EntityView | None:
        """Return what everybody in the link's conversation, and in those where it was shared, may see of its entity."""
        directory = self._directories.of(claim.database.workspace, client)
        places = dict.fromkeys([Conversation(claim.channel, claim.kind), *shared_in])
        audiences = [await _audience(claim.database, place, directory) for place in places]
        return await self._views.view(claim.database, claim.entity, audiences, directory)


async def _audience(key: DatabaseKey, place: Conversation, directory: SlackDirectory) -> Audience:
    """Return everybody in a conversation. Without one, nobody is known to be no guest."""
    kind = await directory.audience(place.channel, place.kind) if place.channel else place.kind
    return Audience(key.workspace, place.channel, kind)
