"""Composes pages of a database's images, and of the pictures of one entity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from bot.blocks.button_state import EntityState, ListState
from bot.blocks.messages.listing import IMAGES_PER_PAGE, PHOTOS_PER_PAGE, ImageChoices, listing_reply, photos_reply
from bot.blocks.reply import Reply
from bot.domain.catalogue import DatabaseInfo, ImageRecord
from bot.domain.identifiers import DatabaseName, DataId, EntityId
from bot.domain.pages import Order, PageRequest
from handlers.replies.answers import AnswerComposer
from handlers.replies.dependencies import SlackDependencies
from handlers.replies.requester import Requester

MAX_COUNTED = 50
"""Images of an id whose visibility is checked to count them. Larger ids have no count."""


class PageComposer:
    """Lists images, as far as a person may see them."""

    def __init__(self, dependencies: SlackDependencies, answers: AnswerComposer) -> None:
        self._dependencies = dependencies
        self._answers = answers

    async def page_of(self, requester: Requester, named: DatabaseName | None, prefix: str, order: Order) -> Reply:
        """Return the first page of a listing. Raises UserError."""
        key = await self._answers.database(requester, named)
        return await self.page(requester, ListState(database=key.name, prefix=prefix, order=order))

    async def page(self, requester: Requester, state: ListState) -> Reply:
        """Return a page of a database's images. Raises UserError."""
        info = await self._answers.known_database(requester, DatabaseName(state.database))
        presenter, reader = self._dependencies.presenter, requester.as_reader
        request = PageRequest(
            offset=state.offset, limit=IMAGES_PER_PAGE, order=_order(state), entity_prefix=state.prefix
        )
        # Numbers of hidden images would tell, letter by letter, which ids there are.
        info = replace(info, hints_at_hidden=info.hints_at_hidden and not state.prefix)
        visible = await presenter.visible_origins(reader, info)
        page = await self._dependencies.listings.page(info.key, request, visible)
        shown = await self._answers.visible(requester, page.items)
        while visible is not None and (closed := _channels_of(page.items, but=shown) & visible.channels):
            # These were public when the images were added.
            visible = replace(visible, channels=visible.channels - closed)
            page = await self._dependencies.listings.page(info.key, request, visible)
            shown = await self._answers.visible(requester, page.items)
        known = await presenter.known_size(reader, info)
        return listing_reply(
            known,
            shown,
            total=page.total,
            state=state,
            pictures=await presenter.pictures(reader, shown),
            hidden=len(page.items) - len(shown) if info.hints_at_hidden else 0,
            more=page.token is not None,
            hides_images=known.images < info.images,
            choices=await self._choices(requester, info, shown, page.items),
            ids=await self._known_ids(info, known, state),
            links=await self._dependencies.entity_pages.links(requester, shown),
        )

    async def _known_ids(self, info: DatabaseInfo, known: DatabaseInfo, state: ListState) -> int:
        """Return how many ids a whole listing has, or 0 if that would tell of ids that the person can't see."""
        if state.prefix or info.hints_at_hidden or known.images < info.images:
            return 0
        return await self._dependencies.catalogue.count_entities(info.key)

    async def photos(self, requester: Requester, state: EntityState) -> Reply:
        """Return the pictures of an entity that the person sees under its id. Raises UserError."""
        info = await self._answers.known_database(requester, DatabaseName(state.database))
        entity = EntityId(state.entity)
        seen = await self._answers.seen_as(requester, info.key, entity)
        if not seen:
            raise await self._answers.unknown_entity(requester, info, entity)
        page = seen[state.offset : state.offset + PHOTOS_PER_PAGE]
        pictures = await self._dependencies.presenter.pictures(requester.as_reader, page)
        links = await self._dependencies.entity_pages.links(requester, seen[:1])
        return photos_reply(state, page, total=len(seen), pictures=pictures, link="".join(links.values()))

    async def _choices(
        self, requester: Requester, info: DatabaseInfo, shown: Sequence[ImageRecord], whole: Sequence[ImageRecord]
    ) -> Mapping[DataId, ImageChoices]:
        """Return what the person may do with each image that they see. ``whole`` has all origins of the images."""
        may_change, members = self._dependencies.permissions.may_delete_images, self._answers.directory(requester)
        records = {record.data_id: record for record in whole}
        # Photos of one id are often on one page.
        of_ids = {record.entity.key: record for record in shown}
        photos = {key: await self._photos_of(requester, record) for key, record in of_ids.items()}
        return {
            record.data_id: ImageChoices(
                await may_change(info, [records[record.data_id]], requester.user, members), photos[record.entity.key]
            )
            for record in shown
        }

    async def _photos_of(self, requester: Requester, record: ImageRecord) -> int:
        """Return how many images the person sees under an image's id; 1 if they are too many to check."""
        found = await self._dependencies.catalogue.ids_of_entity(record.database, record.entity, MAX_COUNTED + 1)
        if not 1 < len(found) <= MAX_COUNTED:
            return 1
        return len(await self._answers.seen_as(requester, record.database, record.entity))


def _channels_of(records: Sequence[ImageRecord], *, but: Sequence[ImageRecord]) -> frozenset[str]:
    """Return the conversations of the images that are not among ``but``."""
    left_out = {record.data_id for record in but}
    origins = [origin for record in records if record.data_id not in left_out for origin in record.origins]
    return frozenset(origin.slack.channel for origin in origins if origin.slack)


def _order(state: ListState) -> Order:
    return Order(state.order) if state.order in set(Order) else Order.NEWEST_FIRST
