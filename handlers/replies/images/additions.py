"""Composes the replies to additions: what was added, what is there already, and copies of what is there."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bot.blocks.button_state import AddState, SearchState
from bot.blocks.messages.additions import KnownImage, copy_question, known_reply
from bot.blocks.messages.combination import joined
from bot.blocks.messages.corrections import renamed_reply
from bot.blocks.messages.notices import added_reply, already_added_reply
from bot.blocks.reply import Reply, context_block, notice
from bot.blocks.wording.images import ADDED_BY_PREVIEW, FILE_DELETED, OTHERS_PICTURE
from bot.domain.catalogue import ImageRecord, Origin, SlackOrigin
from bot.domain.channels import ChannelKind
from bot.domain.errors import AlreadyAdded, FetchRefused, UserError
from bot.domain.identifiers import DatabaseKey, DatabaseName, EntityId, Note, WorkspaceId
from bot.domain.pictures import Picture
from bot.images.memory import on_behalf_of
from bot.services.images.file_names import entity_of_file, name_at
from handlers.replies.added_origins import origin_of
from handlers.replies.answers import AnswerComposer
from handlers.replies.dependencies import SlackDependencies
from handlers.replies.requester import Requester

MAX_SOURCE_NAME = 255


@dataclass(frozen=True, slots=True)
class Addition:
    """How to add a picture.

    Attributes:
        key: the database.
        entity: the id to give; None for one made from the file's name.
        note: the note to give.
        anyway: whether to add it without asking, although it is a copy of another image.
        renames: whether the id replaces one that was made from the file's name when the picture was shared.
        is_one_of_several: whether other pictures are added by the same request.

    """

    key: DatabaseKey
    entity: EntityId | None = None
    note: Note = Note()  # noqa: RUF009 - a str, which can't change
    anyway: bool = False
    renames: bool = False
    is_one_of_several: bool = False


class AdditionComposer:
    """Adds pictures and renders the outcome for the person who adds them."""

    def __init__(self, dependencies: SlackDependencies, answers: AnswerComposer) -> None:
        self._dependencies = dependencies
        self._answers = answers

    async def add(self, requester: Requester, state: SearchState, wanted: Addition) -> Reply:
        """Add the picture that the state names, and return what to tell the requester.

        If the database has another copy of the picture that the requester can see, ask first. Raises UserError and
        BackendError.
        """
        services, key = self._dependencies, wanted.key
        with on_behalf_of(requester.workspace):
            picture, jpeg = await services.finder.picture_and_jpeg(state, requester.client)
        there = await services.catalogue.with_digest(key, picture.digest)
        if there is None and (question := await self._question(requester, state, wanted, picture)) is not None:
            return question
        name = await self._name(requester, state)
        origin = await origin_of(requester, state, self._answers.directory(requester))
        if there is not None and wanted.renames and (renamed := await self._rename(requester, wanted, there, origin)):
            return renamed
        try:
            added = await services.additions.add(
                key,
                picture,
                jpeg,
                wanted.entity or entity_of_file(name or "image", state.file or picture.digest[:12]),
                wanted.note,
                added_by=requester.user,
                origin=origin,
                source_name=name[:MAX_SOURCE_NAME],
                named_automatically=wanted.entity is None,
                posted=bool(state.message) and state.message == requester.message,
                confirm=lambda: self._check_not_deleted(requester.workspace, origin),
            )
        except AlreadyAdded:
            # Through its earlier origins: the image has the requester's own now, too.
            there = there or await services.catalogue.with_digest(key, picture.digest)
            return await self._known(requester, wanted, there)
        readable = await self._as_readable(requester, added, wanted.entity)
        kind = added.origin.kind if added.origin else ChannelKind.PUBLIC
        reply = added_reply(key.name, readable.entity, note=added.note, typed=wanted.entity or "", kind=kind)
        by_preview = [context_block(ADDED_BY_PREVIEW)] if picture.is_preview else []
        return replace(reply, blocks=(*reply.blocks, *by_preview))

    async def add_carried(self, requester: Requester, state: AddState, *, anyway: bool) -> Reply:
        """Add the pictures that a button carries. Raises UserError and BackendError."""
        await self.check_may_add(requester, state)
        info = await self._answers.known_database(requester, DatabaseName(state.database))
        pictures = state.pictures
        wanted = Addition(
            info.key,
            EntityId(state.entity) if state.entity else None,
            Note(state.note),
            anyway=anyway,
            renames=state.renames,
            is_one_of_several=len(pictures) > 1,
        )
        if len(pictures) == 1:
            return await self.add(requester, pictures[0], wanted)
        return joined([await self.add_or_explain(requester, picture, wanted) for picture in pictures])

    async def add_or_explain(self, requester: Requester, state: SearchState, wanted: Addition) -> Reply:
        """Add one picture of several. Return why it can't be added, so that the others still are."""
        try:
            return await self.add(requester, state, wanted)
        except UserError as error:
            return notice(str(error))

    async def check_may_add(self, requester: Requester, state: AddState) -> None:
        """Raise UserError unless the pictures are the person's own, or were shared where the person can read."""
        if requester.user == state.author or not state.channel:
            return
        if not await self._answers.directory(requester).readable([state.channel], requester.user):
            raise UserError(OTHERS_PICTURE)

    async def _name(self, requester: Requester, state: SearchState) -> str:
        name = state.name or name_at(state.url)
        if state.file and not name:
            # A form about many images has no room for their names, and buttons don't carry them.
            name = await self._dependencies.finder.file_name(state, requester.client)
        return name

    async def _question(
        self, requester: Requester, state: SearchState, wanted: Addition, picture: Picture
    ) -> Reply | None:
        """Return the question whether to add a copy; None if it is none, or is meant for its original's id."""
        presenter, reader = self._dependencies.presenter, requester.as_reader
        if wanted.anyway:
            return None
        with on_behalf_of(requester.workspace):
            copy = await self._dependencies.copies.find(wanted.key, picture, presenter.readers(reader))
        if copy is None or copy.record is None:
            return None
        if wanted.entity is not None and wanted.entity.is_same(copy.match.entity):
            return None
        pictures = await presenter.pictures(reader, [copy.record])
        return copy_question(copy, wanted.key.name, add_state_of(requester, state, wanted), pictures)

    async def _rename(
        self, requester: Requester, wanted: Addition, there: ImageRecord, place: SlackOrigin | None
    ) -> Reply | None:
        """Give an image the id in place of the one that this share's file name gave it; None if it has another."""
        own = next((one for one in there.origins if one.named_automatically and _is_at(one, place)), None)
        if own is None or wanted.entity is None:
            return None
        seen = there.seen_through([own])
        info = await self._dependencies.databases.find(wanted.key)
        # If other origins gave the same id, it changes for whoever sees those, too.
        changed = there if there.entity.is_same(seen.entity) else seen
        directory = self._answers.directory(requester)
        await self._dependencies.permissions.check_change_images(info, [changed], requester.user, directory)
        written = await self._dependencies.corrections.rename(wanted.key, [seen], wanted.entity)
        return renamed_reply(wanted.key.name, seen.entity, written, 1)

    async def _known(self, requester: Requester, wanted: Addition, there: ImageRecord | None) -> Reply:
        seen = await self._answers.visible(requester, [there]) if there else ()
        if not seen:
            return already_added_reply(wanted.key.name)
        asked = wanted.entity
        return known_reply(KnownImage(seen[0], asked="" if asked is None or asked.is_same(seen[0].entity) else asked))

    async def _as_readable(self, requester: Requester, added: ImageRecord, typed: EntityId | None) -> ImageRecord:
        """Return an added image with its id as typed, if the person can't see why it is written otherwise."""
        if typed is None or added.entity == typed:
            return added
        others = await self._answers.seen_as(requester, added.database, typed)
        seen = any(record.data_id != added.data_id for record in others)
        return added if seen else replace(added, entity=typed)

    async def _check_not_deleted(self, workspace: WorkspaceId, origin: SlackOrigin | None) -> None:
        """Raise FetchRefused if Slack has sent a deletion of the file, message or channel. Its job may be done."""
        if origin and await self._dependencies.inbox.is_deleted(
            workspace, origin.file_id, origin.channel, origin.message_ts
        ):
            raise FetchRefused(FILE_DELETED)


def add_state_of(requester: Requester, state: SearchState, wanted: Addition) -> AddState:
    """Return the state of a button that adds the picture that a search names."""
    return AddState(
        files=state.file,
        url=state.url,
        channel=state.channel,
        message=state.message,
        database=wanted.key.name,
        entity=wanted.entity or "",
        note=wanted.note,
        author=requester.user,
        stays=wanted.is_one_of_several,
    )


def _is_at(origin: Origin, place: SlackOrigin | None) -> bool:
    return origin.slack is not None and place is not None and origin.slack.place == place.place
