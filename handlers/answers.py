"""What is answered to those who ask, whichever way they asked: a value in, a reply out."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import unquote, urlsplit

from bot.blocks.listing import PAGE_IMAGES, listing_reply
from bot.blocks.notices import already_added_reply, delete_question, deleted_reply
from bot.blocks.reply import Reply, small_print
from bot.blocks.state import ListState, SearchState
from bot.conversations import ChannelBinding
from bot.errors import AlreadyAdded, BackendError, BackendTimeout, FetchRefused, UnknownEntity, UserError
from bot.models import (
    ChannelKind,
    DatabaseInfo,
    DatabaseKey,
    DatabaseName,
    EntityId,
    ImageRecord,
    Note,
    Order,
    Page,
    PageRequest,
    SlackOrigin,
    WorkspaceId,
)
from bot.services.permissions import NotAllowed
from handlers.asking import Asker
from handlers.conversations import SlackPeople
from handlers.desk import Desk
from handlers.intake import deletion_job
from handlers.keeping import named_after, permalink
from handlers.payloads import Deletion
from handlers.presenting import Reader
from handlers.shared_files import GONE

log = logging.getLogger(__name__)

PING_TIMEOUT_S = 5

WATCHED = 100
"""Channels that Slack is asked about for App Home, which shows no more."""

ASKED_AT_ONCE = 8

LOOKED_THROUGH = 2000
"""Images of a prefix, of which only those that the reader may see are counted."""


class Answers:
    """Every use case, rendered for its readers."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def people(self, asker: Asker) -> SlackPeople:
        """To ask Slack about people and places."""
        return self._desk.acquaintance.of(asker.workspace, asker.client)

    async def database(self, asker: Asker, named: DatabaseName | None) -> DatabaseKey:
        """The database that is meant: the one named, the channel's, or the only one.

        Raises UnknownDatabase, NoDatabase, SeveralDatabases.
        """
        if named is not None:
            return await self._desk.lookup.choose(asker.workspace, named)
        if not asker.channel:
            return await self._desk.lookup.choose(asker.workspace)
        return await self._desk.watching.database_of(await self._desk.watching.get(asker.workspace, asker.channel))

    async def binding(self, asker: Asker, channel: str = "") -> ChannelBinding:
        """What is set for the asker's channel, or another one."""
        return await self._desk.watching.get(asker.workspace, channel or asker.channel)

    async def search(
        self, asker: Asker, reader: Reader, states: Sequence[SearchState], *, shared_by: str = ""
    ) -> Reply:
        """The matches of pictures. Raises UserError and BackendError."""
        looked = await self._desk.finder.look_up(asker.workspace, states, asker.client)
        if not any(one.found for one in looked) and (len(looked) == 1 or not reader.audience.is_one_person):
            # What went wrong is told to whoever asked and to nobody else, and takes no answer's place.
            raise UserError(" ".join(dict.fromkeys(one.problem for one in looked)))
        return await self._desk.presenter.answer(reader, looked, states, shared_by=shared_by)

    async def add(
        self, asker: Asker, state: SearchState, key: DatabaseKey, entity: EntityId | None, note: Note
    ) -> ImageRecord | Reply:
        """Add the picture that the state names; what was added, or that it was there already.

        Raises UserError and BackendError.
        """
        picture, jpeg = await self._desk.finder.picture_and_jpeg(state, asker.client)
        name = state.name or unquote(urlsplit(state.url).path.rpartition("/")[2])
        try:
            added = await self._desk.adding.add(
                key,
                picture,
                jpeg,
                entity or named_after(name or "image", state.file or picture.digest[:12]),
                note,
                added_by=asker.user,
                origin=await self._origin(asker, state),
                source_name=name[:255],
            )
        except AlreadyAdded:
            there = await self._desk.catalogue.with_digest(key, picture.digest)
            seen = there is not None and await self._desk.presenter.visible(asker.alone, [there])
            return already_added_reply(key.name, there.entity if there is not None and seen else "")
        if await self._was_deleted(asker.workspace, state):
            with contextlib.suppress(UnknownEntity):
                await self._desk.deleting.delete(key, added.entity, added.data_id)
            raise FetchRefused(GONE)
        return added

    async def _was_deleted(self, workspace: WorkspaceId, state: SearchState) -> bool:
        """Whether it was deleted in Slack meanwhile: what forgets it may have come before there was anything."""
        gone = [Deletion(workspace, "", "", file=state.file)] if state.file else []
        if state.channel and state.message:
            gone.append(Deletion(workspace, "", "", channel=state.channel, message=state.message))
        return any([await self._desk.inbox.knows(deletion_job(one)) for one in gone])

    async def _origin(self, asker: Asker, state: SearchState) -> SlackOrigin | None:
        if not state.file:
            return None
        if not (state.channel and state.message):
            return await self._origin_of_upload(asker, state)
        # Where Slack doesn't say who reads a place, nobody else is to see its pictures.
        known = asker.kind if state.channel == asker.channel else ChannelKind.PRIVATE
        kind = await self.people(asker).kind(state.channel, known)
        link = await permalink(asker.client, state.channel, state.message)
        return SlackOrigin(state.file, state.channel, state.message, link, kind)

    async def _origin_of_upload(self, asker: Asker, state: SearchState) -> SlackOrigin:
        """Dropped into a modal, it is in no message; but where not everybody reads the answer, it is of that place."""
        if asker.channel:
            kind = await self.people(asker).kind(asker.channel, asker.kind)
            if kind in {ChannelKind.PRIVATE, ChannelKind.SHARED}:
                return SlackOrigin(state.file, asker.channel, "", kind=kind)
        return SlackOrigin(state.file, "", "")

    async def page(self, asker: Asker, state: ListState) -> Reply:
        """A page of a database's images. Raises UserError."""
        info = await self._desk.databases.find(DatabaseKey(asker.workspace, DatabaseName(state.database)))
        page, hidden = await self._visible_page(asker, info, state)
        return listing_reply(
            info,
            page.items,
            total=page.total,
            state=state,
            pictures=await self._desk.presenter.pictures(asker.alone, page.items),
            hidden=hidden,
            more=page.token is not None,
        )

    async def _visible_page(self, asker: Asker, info: DatabaseInfo, state: ListState) -> tuple[Page[ImageRecord], int]:
        """What of a page this person may see, and how many images of it they may not."""
        order, end = _order(state), state.offset + PAGE_IMAGES
        request = PageRequest(offset=state.offset, limit=PAGE_IMAGES, order=order, entity_prefix=state.prefix)
        page = await self._desk.listing.page(info.key, request)
        if state.prefix and page.total <= LOOKED_THROUGH and not info.hints_at_hidden:
            # Entities could be guessed letter by letter, if a number told that there is something.
            found = [record async for record in self._desk.listing.everything(info.key, order, state.prefix)]
            seen = await self._seen(asker, found)
            return Page(seen[state.offset : end], len(seen), "more" if end < len(seen) else None), 0
        shown = await self._seen(asker, page.items)
        return replace(page, items=shown), len(page.items) - len(shown)

    async def _seen(self, asker: Asker, records: Sequence[ImageRecord]) -> tuple[ImageRecord, ...]:
        visible = await self._desk.presenter.visible(asker.alone, records)
        return tuple(record for record in records if record.data_id in visible)

    async def ask_to_delete(self, asker: Asker, key: DatabaseKey, entity: EntityId) -> Reply:
        """The question before an entity is deleted. Raises NotAllowed, UnknownEntity."""
        info, records = await self._deletable(asker, key, entity)
        return delete_question(info, entity, len(records))

    async def delete(self, asker: Asker, key: DatabaseKey, entity: EntityId) -> Reply:
        """Delete an entity's images. Raises NotAllowed, UnknownEntity."""
        await self._deletable(asker, key, entity)
        deletion = await self._desk.deleting.delete(key, entity)
        await self._desk.uploads.sweep(asker.workspace, asker.client)
        return deleted_reply(key.name, entity, deletion.images)

    async def _deletable(
        self, asker: Asker, key: DatabaseKey, entity: EntityId
    ) -> tuple[DatabaseInfo, tuple[ImageRecord, ...]]:
        info = await self._desk.databases.find(key)
        records = await self._desk.listing.entity(key, entity)
        try:
            await self._desk.permissions.check_delete_images(info, records, asker.user, self.people(asker))
        except NotAllowed:
            if not await self._seen(asker, records):
                # Not even that there is something.
                raise UnknownEntity(entity, key.name) from None
            raise
        return info, records

    async def changeable_database(self, asker: Asker, name: DatabaseName) -> DatabaseInfo:
        """A database whose settings the person may change. Raises NotAllowed, UnknownDatabase."""
        info = await self._desk.databases.find(DatabaseKey(asker.workspace, name))
        await self._desk.permissions.check_change_settings(info, asker.user, self.people(asker))
        return info

    async def deletable_database(self, asker: Asker, name: DatabaseName) -> DatabaseInfo:
        """A database that the person may delete. Raises NotAllowed, UnknownDatabase."""
        info = await self._desk.databases.find(DatabaseKey(asker.workspace, name))
        await self._desk.permissions.check_delete_database(info, asker.user, self.people(asker))
        return info

    async def backend(self) -> tuple[str, str]:
        """The back end's name, and what is wrong with it in one sentence (empty: nothing is)."""
        name = self._desk.visual.capabilities.name
        try:
            async with asyncio.timeout(PING_TIMEOUT_S):
                await self._desk.visual.ping()
        except BackendError as error:
            log.warning("the search back end is not well: %s", error)
            return name, error.told
        except TimeoutError:
            log.warning("the search back end gave no answer within %d s", PING_TIMEOUT_S)
            return name, BackendTimeout.told
        return name, ""

    async def watched(self, asker: Asker) -> tuple[ChannelBinding, ...]:
        """The channels that were set up (the first of many), as far as the person can read them."""
        people, slots = self.people(asker), asyncio.Semaphore(ASKED_AT_ONCE)

        async def reads(channel: str) -> bool:
            async with slots:
                is_public = await people.kind(channel, ChannelKind.PRIVATE) is ChannelKind.PUBLIC
                return is_public or await people.reads(channel, asker.user)

        bindings = (await self._desk.watching.all(asker.workspace))[:WATCHED]
        seen = await asyncio.gather(*(reads(binding.channel) for binding in bindings))
        return tuple(binding for binding, is_seen in zip(bindings, seen, strict=True) if is_seen)

    async def with_invitation(self, asker: Asker, channel: str, reply: Reply) -> Reply:
        """The reply; where the bot doesn't hear the channel that it is about, with a request to be invited."""
        if channel.startswith("D") or await self.people(asker).is_here(channel):
            return reply
        request = small_print("I'm not in this channel yet: `/invite` me, or I see no images.")
        return replace(reply, blocks=(*reply.blocks, request))

    async def page_of(self, asker: Asker, named: DatabaseName | None, prefix: str, order: Order) -> Reply:
        """The first page of a listing. Raises UserError."""
        key = await self.database(asker, named)
        return await self.page(asker, ListState(database=key.name, prefix=prefix, order=order))


def _order(state: ListState) -> Order:
    return Order(state.order) if state.order in set(Order) else Order.NEWEST_FIRST
