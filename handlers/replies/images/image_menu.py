"""Composes the answers to the menu of a listed image."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from bot.blocks.button_state import EntityState
from bot.blocks.reply import Reply, mrkdwn_reply, section
from bot.blocks.wording.images import nothing_similar, similar_to
from bot.domain.errors import UserError
from bot.domain.identifiers import DatabaseKey, DataId
from bot.domain.matches import SIMILAR_SCORE
from bot.images.memory import on_behalf_of
from bot.services.search.grouping import ranked
from bot.services.search.search_result import SearchResult
from handlers.replies.answers import AnswerComposer
from handlers.replies.dependencies import SlackDependencies
from handlers.replies.images.pages import PageComposer
from handlers.replies.requester import Requester

MAX_SIMILAR = 5
"""Matches in an answer about similar images. It has no pages."""


class ImageMenu:
    """Composes the answers to the menu of a listed image. Nobody learns of an image that they can't see."""

    def __init__(self, dependencies: SlackDependencies, answers: AnswerComposer, pages: PageComposer) -> None:
        self._dependencies = dependencies
        self._answers = answers
        self._pages = pages

    async def similar(self, requester: Requester, key: DatabaseKey, data_id: DataId) -> Reply:
        """Return the images that are most like one that is stored. Raises UserError and BackendError."""
        record = (await self._answers.seen_image(requester, key, data_id)).shown
        read = partial(self._dependencies.finder.stored, record.digest)
        presenter, reader = self._dependencies.presenter, requester.as_reader
        with on_behalf_of(requester.workspace):
            [result] = await self._dependencies.lookup.look_up(
                key,
                [(str(record.entity), read)],
                limit=MAX_SIMILAR + 1,
                minimum=SIMILAR_SCORE,
                readers=presenter.readers(reader),
            )
        if result.found is None:
            raise UserError(result.problem)
        others = _without(result.found, data_id)
        if not others.matches:
            return mrkdwn_reply(nothing_similar(key.name, record.entity))
        reply = await presenter.matches(reader, replace(result, found=others))
        first = similar_to(key.name, record.entity)
        return replace(reply, text=first, blocks=(section(first), *reply.blocks))

    async def photos(self, requester: Requester, key: DatabaseKey, data_id: DataId) -> Reply:
        """Return the pictures of an image's id. Raises UserError."""
        record = (await self._answers.seen_image(requester, key, data_id)).shown
        return await self._pages.photos(requester, EntityState(database=key.name, entity=record.entity))


def _without(found: SearchResult, data_id: DataId) -> SearchResult:
    """Return the result without one image, which is the best match of itself."""
    kept = [
        match
        for one in found.matches
        for match in one.visible(
            {
                image.match.data_id: image.record
                for image in one.images
                if image.record is not None and image.match.data_id != data_id
            }
        )
    ]
    return replace(found, matches=ranked(kept[:MAX_SIMILAR]), weaker=0, weaker_records=())
