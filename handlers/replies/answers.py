"""Composes the reply to each kind of request, however it was made."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import unquote, urlsplit

from bot.blocks.button_state import ListState, SearchState
from bot.blocks.messages.listing import IMAGES_PER_PAGE, listing_reply
from bot.blocks.messages.notices import already_added_reply, delete_question, deleted_reply
from bot.blocks.reply import Reply, context_block
from bot.blocks.wording import channels
from bot.blocks.wording.images import FILE_DELETED
from bot.domain.catalogue import DatabaseInfo, ImageRecord, SlackOrigin
from bot.domain.channels import ChannelBinding, ChannelKind
from bot.domain.errors import AlreadyAdded, BackendError, BackendTimeout, FetchRefused, UnknownEntity, UserError
from bot.domain.identifiers import DatabaseKey, DatabaseName, EntityId, Note, WorkspaceId
from bot.domain.pages import Order, Page, PageRequest
from bot.services.access.permissions import NotAllowed
from handlers.inbox.middleware import deletion_job
from handlers.parsing.entity_names import entity_of_file
from handlers.parsing.payloads import SlackDeletion
from handlers.replies.dependencies import SlackDependencies
from handlers.replies.presenter import AnswerReader
from handlers.replies.requester import Requester
from handlers.slack.directory import SlackDirectory
from handlers.slack.permalinks import permalink

log = logging.getLogger(__name__)

PING_TIMEOUT_S = 5

MAX_WATCHED = 100
"""Channels that App Home asks Slack about; it shows no more."""

CONCURRENCY = 8

MAX_SCANNED = 2000
"""Largest number of images with a prefix of which those that the reader may see are counted."""


class AnswerComposer:
    """Runs use cases and renders their results for the readers."""

    def __init__(self, dependencies: SlackDependencies) -> None:
        self._dependencies = dependencies

    def directory(self, requester: Requester) -> SlackDirectory:
        """Return the directory of the requester's workspace."""
        return self._dependencies.directories.of(requester.workspace, requester.client)

    async def database(self, requester: Requester, named: DatabaseName | None) -> DatabaseKey:
        """Return the database that is meant: the one named, the channel's, or the only one.

        Raises UnknownDatabase, NoDatabase, SeveralDatabases.
        """
        if named is not None:
            return await self._dependencies.lookup.choose(requester.workspace, named)
        if not requester.channel:
            return await self._dependencies.lookup.choose(requester.workspace)
        return await self._dependencies.channel_settings.database_of(
            await self._dependencies.channel_settings.get(requester.workspace, requester.channel)
        )

    async def binding(self, requester: Requester, channel: str = "") -> ChannelBinding:
        """Return the settings of ``channel``, or of the requester's channel."""
        return await self._dependencies.channel_settings.get(requester.workspace, channel or requester.channel)

    async def search(
        self, requester: Requester, reader: AnswerReader, states: Sequence[SearchState], *, shared_by: str = ""
    ) -> Reply:
        """Return the matches of pictures. Raises UserError and BackendError."""
        results = await self._dependencies.finder.look_up(requester.workspace, states, requester.client)
        if not any(one.found for one in results) and (len(results) == 1 or not reader.audience.is_one_person):
            # Only the requester learns what went wrong; nothing is posted to the channel.
            raise UserError(" ".join(dict.fromkeys(one.problem for one in results)))
        return await self._dependencies.presenter.answer(reader, results, states, shared_by=shared_by)

    async def add(
        self, requester: Requester, state: SearchState, key: DatabaseKey, entity: EntityId | None, note: Note
    ) -> ImageRecord | Reply:
        """Add the picture that the state names. Return its record, or a reply if the database has it already.

        Raises UserError and BackendError.
        """
        picture, jpeg = await self._dependencies.finder.picture_and_jpeg(state, requester.client)
        name = state.name or unquote(urlsplit(state.url).path.rpartition("/")[2])
        try:
            added = await self._dependencies.additions.add(
                key,
                picture,
                jpeg,
                entity or entity_of_file(name or "image", state.file or picture.digest[:12]),
                note,
                added_by=requester.user,
                origin=await self._origin(requester, state),
                source_name=name[:255],
            )
        except AlreadyAdded:
            there = await self._dependencies.catalogue.with_digest(key, picture.digest)
            seen = there is not None and await self._dependencies.presenter.visible(requester.as_reader, [there])
            return already_added_reply(key.name, there.entity if there is not None and seen else "")
        if await self._was_deleted(requester.workspace, state):
            with contextlib.suppress(UnknownEntity):
                await self._dependencies.deletions.delete(key, added.entity, added.data_id)
            raise FetchRefused(FILE_DELETED)
        return added

    async def _was_deleted(self, workspace: WorkspaceId, state: SearchState) -> bool:
        """Return whether Slack has sent a deletion of the file or message, whose job may have run before the add."""
        gone = [SlackDeletion(workspace, "", "", file=state.file)] if state.file else []
        if state.channel and state.message:
            gone.append(SlackDeletion(workspace, "", "", channel=state.channel, message=state.message))
        return any([await self._dependencies.inbox.has_seen(deletion_job(one)) for one in gone])

    async def _origin(self, requester: Requester, state: SearchState) -> SlackOrigin | None:
        if not state.file:
            return None
        if not (state.channel and state.message):
            return await self._origin_of_upload(requester, state)
        # If Slack doesn't say who can read a channel, its pictures count as private.
        known = requester.kind if state.channel == requester.channel else ChannelKind.PRIVATE
        kind = await self.directory(requester).kind(state.channel, known)
        link = await permalink(requester.client, state.channel, state.message)
        return SlackOrigin(state.file, state.channel, state.message, link, kind)

    async def _origin_of_upload(self, requester: Requester, state: SearchState) -> SlackOrigin:
        """Return the origin of a file from a modal: no message, but a private or shared channel if opened there."""
        if requester.channel:
            kind = await self.directory(requester).kind(requester.channel, requester.kind)
            if kind in {ChannelKind.PRIVATE, ChannelKind.SHARED}:
                return SlackOrigin(state.file, requester.channel, "", kind=kind)
        return SlackOrigin(state.file, "", "")

    async def page(self, requester: Requester, state: ListState) -> Reply:
        """Return a page of a database's images. Raises UserError."""
        info = await self._dependencies.databases.find(DatabaseKey(requester.workspace, DatabaseName(state.database)))
        page, hidden = await self._visible_page(requester, info, state)
        return listing_reply(
            info,
            page.items,
            total=page.total,
            state=state,
            pictures=await self._dependencies.presenter.pictures(requester.as_reader, page.items),
            hidden=hidden,
            more=page.token is not None,
        )

    async def _visible_page(
        self, requester: Requester, info: DatabaseInfo, state: ListState
    ) -> tuple[Page[ImageRecord], int]:
        """Return the images of a page that the person may see, and how many they may not."""
        order, end = _order(state), state.offset + IMAGES_PER_PAGE
        request = PageRequest(offset=state.offset, limit=IMAGES_PER_PAGE, order=order, entity_prefix=state.prefix)
        page = await self._dependencies.listings.page(info.key, request)
        if state.prefix and page.total <= MAX_SCANNED and not info.hints_at_hidden:
            # A count that includes hidden images would let people guess ids letter by letter.
            found = [record async for record in self._dependencies.listings.all_records(info.key, order, state.prefix)]
            seen = await self._visible(requester, found)
            return Page(seen[state.offset : end], len(seen), "more" if end < len(seen) else None), 0
        shown = await self._visible(requester, page.items)
        return replace(page, items=shown), len(page.items) - len(shown)

    async def _visible(self, requester: Requester, records: Sequence[ImageRecord]) -> tuple[ImageRecord, ...]:
        visible = await self._dependencies.presenter.visible(requester.as_reader, records)
        return tuple(record for record in records if record.data_id in visible)

    async def ask_to_delete(self, requester: Requester, key: DatabaseKey, entity: EntityId) -> Reply:
        """Return the question before an entity is deleted. Raises NotAllowed, UnknownEntity."""
        info, records = await self._deletable(requester, key, entity)
        return delete_question(info, entity, len(records))

    async def delete(self, requester: Requester, key: DatabaseKey, entity: EntityId) -> Reply:
        """Delete an entity's images. Raises NotAllowed, UnknownEntity."""
        await self._deletable(requester, key, entity)
        deletion = await self._dependencies.deletions.delete(key, entity)
        await self._dependencies.uploads.sweep(requester.workspace, requester.client)
        return deleted_reply(key.name, entity, deletion.images)

    async def _deletable(
        self, requester: Requester, key: DatabaseKey, entity: EntityId
    ) -> tuple[DatabaseInfo, tuple[ImageRecord, ...]]:
        info = await self._dependencies.databases.find(key)
        records = await self._dependencies.listings.entity(key, entity)
        try:
            await self._dependencies.permissions.check_delete_images(
                info, records, requester.user, self.directory(requester)
            )
        except NotAllowed:
            if not await self._visible(requester, records):
                # The person may not even know that the entity exists.
                raise UnknownEntity(entity, key.name) from None
            raise
        return info, records

    async def changeable_database(self, requester: Requester, name: DatabaseName) -> DatabaseInfo:
        """Return a database whose settings the person may change. Raises NotAllowed, UnknownDatabase."""
        info = await self._dependencies.databases.find(DatabaseKey(requester.workspace, name))
        await self._dependencies.permissions.check_change_settings(info, requester.user, self.directory(requester))
        return info

    async def deletable_database(self, requester: Requester, name: DatabaseName) -> DatabaseInfo:
        """Return a database that the person may delete. Raises NotAllowed, UnknownDatabase."""
        info = await self._dependencies.databases.find(DatabaseKey(requester.workspace, name))
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
        people, slots = self.directory(requester), asyncio.Semaphore(CONCURRENCY)

        async def reads(channel: str) -> bool:
            async with slots:
                is_public = await people.kind(channel, ChannelKind.PRIVATE) is ChannelKind.PUBLIC
                return is_public or await people.can_read_or_no(channel, requester.user)

        bindings = (await self._dependencies.channel_settings.all(requester.workspace))[:MAX_WATCHED]
        seen = await asyncio.gather(*(reads(binding.channel) for binding in bindings))
        return tuple(binding for binding, is_seen in zip(bindings, seen, strict=True) if is_seen)

    async def with_invitation(self, requester: Requester, channel: str, reply: Reply) -> Reply:
        """Append a request for an invitation to the reply, unless the bot is a member of the channel."""
        if channel.startswith("D") or await self.directory(requester).is_bot_member(channel):
            return reply
        request = context_block(channels.invitation(channel))
        return replace(reply, blocks=(*reply.blocks, request))

    async def page_of(self, requester: Requester, named: DatabaseName | None, prefix: str, order: Order) -> Reply:
        """Return the first page of a listing. Raises UserError."""
        key = await self.database(requester, named)
        return await self.page(requester, ListState(database=key.name, prefix=prefix, order=order))


def _order(state: ListState) -> Order:
    return Order(state.order) if state.order in set(Order) else Order.NEWEST_FIRST
