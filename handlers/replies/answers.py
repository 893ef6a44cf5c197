"""Composes the reply to each kind of request, however it was made."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from bot.adapters.port import FittedScores
from bot.blocks.button_state import SearchState
from bot.blocks.messages.results.matches import AskedPicture
from bot.blocks.reply import Reply, context_block
from bot.blocks.wording import channels
from bot.blocks.wording.images import IMAGE_GONE
from bot.domain.catalogue import DatabaseInfo, ImageRecord, ScoreFit
from bot.domain.channels import ChannelBinding
from bot.domain.errors import (
    BackendError,
    BackendTimeout,
    DatabaseExists,
    NameNotAvailable,
    UnknownEntity,
    UserError,
)
from bot.domain.identifiers import ALL_DATABASES, DatabaseKey, DatabaseName, DataId, EntityId
from bot.services.access.permissions import RememberedMembers
from bot.services.search.lookup import NoDatabase, SeveralDatabases
from handlers.replies.dependencies import SlackDependencies
from handlers.replies.known_databases import KnownDatabases
from handlers.replies.near_misses import nearest_entity
from handlers.replies.presenter import AnswerReader
from handlers.replies.requester import Requester
from handlers.slack.directory import SlackDirectory

log = logging.getLogger(__name__)

PING_TIMEOUT_S = 5

MAX_WATCHED = 100
"""Channels that App Home asks Slack about; it shows no more."""


@dataclass(frozen=True, slots=True)
class SeenImage:
    """An image that a person sees: its database, all of it, and what they may see of it."""

    info: DatabaseInfo
    record: ImageRecord
    shown: ImageRecord


class AnswerComposer:
    """Runs use cases and renders their results for the readers."""

    def __init__(self, dependencies: SlackDependencies) -> None:
        self._dependencies = dependencies
        self._known = KnownDatabases(dependencies.lookup, dependencies.channel_settings, dependencies.directories)

    def directory(self, requester: Requester) -> SlackDirectory:
        """Return the directory of the requester's workspace."""
        return self._dependencies.directories.of(requester.workspace, requester.client)

    async def database(self, requester: Requester, named: DatabaseName | None, *, or_all: bool = False) -> DatabaseKey:
        """Return the database that is meant: the one named, the channel's, or the only one.

        With ``or_all``, it may be ALL_DATABASES. Raises UnknownDatabase, NoDatabase, SeveralDatabases.
        """
        if or_all and named == ALL_DATABASES:
            return DatabaseKey(requester.workspace, ALL_DATABASES)
        if named is not None:
            await self._known.check(named, requester.workspace, requester.user, requester.client)
            return await self._dependencies.lookup.choose(requester.workspace, named)
        try:
            if not requester.channel:
                return await self._dependencies.lookup.choose(requester.workspace)
            return await self._dependencies.channel_settings.database_of(
                await self._dependencies.channel_settings.get(requester.workspace, requester.channel)
            )
        except SeveralDatabases:
            limited = await self._known.of_guest(requester.workspace, requester.user, requester.client)
            if limited is None:
                raise
            if not limited:
                raise UserError(channels.NO_DATABASE_FOR_GUEST) from None
            raise SeveralDatabases(limited) from None

    async def databases(self, requester: Requester) -> tuple[DatabaseInfo, ...]:
        """Return the databases that the person may know of, with all their images counted."""
        return await self._known.of(requester.workspace, requester.user, requester.client)

    async def searched(self, requester: Requester, name: DatabaseName) -> tuple[DatabaseInfo, ...]:
        """Return the database with a name, or all that the person may know of for ALL_DATABASES.

        Raises UnknownDatabase and NoDatabase.
        """
        if name != ALL_DATABASES:
            return (await self.known_database(requester, name),)
        infos = await self.databases(requester)
        if not infos:
            raise NoDatabase
        return infos

    async def may_name_all(self, requester: Requester) -> bool:
        """Return whether everybody in the requester's channel may know of all databases."""
        return await self._known.may_all_be_named(
            requester.workspace, requester.channel, requester.kind, requester.client
        )

    async def sized_databases(self, requester: Requester) -> tuple[DatabaseInfo, ...]:
        """Return the databases that the person may know of, with the images that they may know of."""
        presenter, reader = self._dependencies.presenter, requester.as_reader
        return tuple([await presenter.known_size(reader, info) for info in await self.databases(requester)])

    async def score_fits(self, requester: Requester, sized: Sequence[DatabaseInfo]) -> Mapping[DatabaseName, ScoreFit]:
        """Return how the scores of databases were fitted to their pictures.

        ``sized`` are databases with the images that the person may know of. A fit tells that there are many images, so
        those with hidden ones are left out.
        """
        visual = self._dependencies.visual
        if not isinstance(visual, FittedScores):
            return {}
        whole = {info.key: info.images for info in await self.databases(requester)}
        try:
            fits = await visual.score_fits(requester.workspace)
        except BackendError as error:
            log.warning("can't read how scores were fitted: %s", error)
            return {}
        known = [info.key.name for info in sized if info.images == whole.get(info.key)]
        return {name: fits[name] for name in known if name in fits}

    async def create_database(self, requester: Requester, name: DatabaseName) -> DatabaseInfo:
        """Create an empty database. Raises NameNotAvailable and BackendError."""
        try:
            return await self._dependencies.databases.create(DatabaseKey(requester.workspace, name), requester.user)
        except DatabaseExists:
            if all(info.key.name != name for info in await self.databases(requester)):
                # Names are unique in a workspace. A guest may not learn what has this one.
                raise NameNotAvailable(name) from None
            raise

    async def known_database(self, requester: Requester, name: DatabaseName) -> DatabaseInfo:
        """Return a database that the person may know of. Raises UnknownDatabase."""
        await self._known.check(name, requester.workspace, requester.user, requester.client)
        return await self._dependencies.databases.find(DatabaseKey(requester.workspace, name))

    async def binding(self, requester: Requester, channel: str = "") -> ChannelBinding:
        """Return the settings of ``channel``, or of the requester's channel."""
        return await self._dependencies.channel_settings.get(requester.workspace, channel or requester.channel)

    async def search(
        self,
        requester: Requester,
        reader: AnswerReader,
        states: Sequence[SearchState],
        *,
        shared_by: str = "",
        asked: Sequence[AskedPicture | None] = (),
        is_new: bool = True,
    ) -> Reply:
        """Return the matches of pictures. ``is_new``: they were not answered before. Raises UserError, BackendError."""
        presenter, among = self._dependencies.presenter, list[DatabaseKey]()
        present = partial(presenter.answer, reader, states=states, shared_by=shared_by, asked=asked)
        if states[0].database == ALL_DATABASES:
            among = [info.key for info in await self.searched(requester, ALL_DATABASES)]
        results = await self._dependencies.finder.look_up(
            requester.workspace, states, requester.client, presenter.readers(reader), among
        )
        if is_new:
            self._dependencies.usage.answered([one.found for one in results if one.found is not None])
        if not any(one.found for one in results) and (len(results) == 1 or not reader.audience.is_one_person):
            # Only the requester learns what went wrong; nothing is posted to the channel.
            raise UserError(" ".join(dict.fromkeys(one.problem for one in results)))

        async def with_texts() -> Reply | None:
            finder, readers = self._dependencies.finder, presenter.readers(reader)
            refined = await finder.refine(requester.workspace, states, results, readers, among)
            return None if refined is None else await present(refined)

        reply = await present(results)
        return replace(reply, later=self._dependencies.updates.later(results, with_texts))

    async def seen_image(self, requester: Requester, key: DatabaseKey, data_id: DataId) -> SeenImage:
        """Return an image that the person may see. Raises UnknownDatabase, and UserError if there is none."""
        info = await self.known_database(requester, key.name)
        record = (await self._dependencies.catalogue.records(info.key, [data_id])).get(data_id)
        shown = await self.visible(requester, [record]) if record is not None else ()
        if record is None or not shown:
            raise UserError(IMAGE_GONE)
        return SeenImage(info, record, shown[0])

    async def visible(self, requester: Requester, records: Sequence[ImageRecord]) -> tuple[ImageRecord, ...]:
        """Return the images that the person may see, with only what they may see of them."""
        shown = await self._dependencies.presenter.shown(requester.as_reader, records)
        return tuple(shown[record.data_id] for record in records if record.data_id in shown)

    async def seen_as(self, requester: Requester, key: DatabaseKey, entity: EntityId) -> tuple[ImageRecord, ...]:
        """Return the images that the person sees under an id, with only what they may see of them."""
        found = await self._dependencies.catalogue.of_entity(key, entity, or_given=True)
        return await self.visible_as(requester, found, entity)

    async def visible_as(
        self, requester: Requester, records: Sequence[ImageRecord], entity: EntityId
    ) -> tuple[ImageRecord, ...]:
        """Return those of the images that the person sees under an id, with only what they may see of them."""
        return tuple(record for record in await self.visible(requester, records) if record.entity.is_same(entity))

    async def unknown_entity(self, requester: Requester, info: DatabaseInfo, entity: EntityId) -> UnknownEntity:
        """Return the error about an id that the person can't know, with a similar one that they can."""
        services = self._dependencies
        near = await nearest_entity(services.listings, services.presenter, requester.as_reader, info, entity)
        return UnknownEntity(entity, info.key.name, near)

    async def changeable(self, requester: Requester, infos: Sequence[DatabaseInfo]) -> frozenset[str]:
        """Return the names of the databases that the person may change or delete."""
        may_change = self._dependencies.permissions.may_change_settings
        members = RememberedMembers(self.directory(requester))
        return frozenset([info.key.name for info in infos if await may_change(info, requester.user, members)])

    async def changeable_database(self, requester: Requester, name: DatabaseName) -> DatabaseInfo:
        """Return a database whose settings the person may change. Raises NotAllowed, UnknownDatabase."""
        info = await self.known_database(requester, name)
        await self._dependencies.permissions.check_change_settings(info, requester.user, self.directory(requester))
        return info

    async def deletable_database(self, requester: Requester, name: DatabaseName) -> DatabaseInfo:
        """Return a database that the person may delete. Raises NotAllowed, UnknownDatabase."""
        info = await self.known_database(requester, name)
        await self._dependencies.permissions.check_delete_database(info, requester.user, self.directory(requester))
        return info

    async def backend(self) -> tuple[str, str]:
        """Return the back end's name, and a sentence about what is wrong with it, empty if it works."""
        name = self._dependencies.visual.capabilities.name
        try:
            async with asyncio.timeout(PING_TIMEOUT_S):
                await self._dependencies.visual.ping()
        except BackendError as error:
            log.warning("the search back end is not well: %s", error)
            return name, error.user_message
        except TimeoutError:
            log.warning("the search back end gave no answer within %d s", PING_TIMEOUT_S)
            return name, BackendTimeout.user_message
        return name, ""

    async def watched_channels(self, requester: Requester) -> tuple[ChannelBinding, ...]:
        """Return the settings of the first MAX_WATCHED channels, without those that the person can't read."""
        bindings = (await self._dependencies.channel_settings.all(requester.workspace))[:MAX_WATCHED]
        channels = await self.directory(requester).readable([one.channel for one in bindings], requester.user)
        return tuple(binding for binding in bindings if binding.channel in channels)

    async def with_invitation(self, requester: Requester, channel: str, reply: Reply) -> Reply:
        """Append a request for an invitation to the reply, unless the bot is a member of the channel."""
        if channel.startswith("D") or await self.directory(requester).is_bot_member(channel):
            return reply
        request = context_block(channels.invitation(channel))
        return replace(reply, blocks=(*reply.blocks, request))
