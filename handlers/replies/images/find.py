"""Composes the answers to searches by words."""

from __future__ import annotations

from bot.blocks.button_state import FindState
from bot.blocks.messages.found_images import FoundPage, found_reply
from bot.blocks.reply import Reply
from bot.blocks.wording.errors import STALE_BUTTON
from bot.domain.errors import InvalidInput
from bot.domain.find_words import MAX_QUESTION
from bot.domain.identifiers import DatabaseName, database_or_all
from bot.domain.links import link_of
from handlers.replies.answers import AnswerComposer
from handlers.replies.dependencies import SlackDependencies
from handlers.replies.requester import Requester


class FindComposer:
    """Finds images by words, and shows a person what they may see of them."""

    def __init__(self, dependencies: SlackDependencies, answers: AnswerComposer) -> None:
        self._dependencies = dependencies
        self._answers = answers

    async def find(self, requester: Requester, words: str, named: DatabaseName | None, top: int) -> Reply:
        """Return the first page. Raises UserError and BackendError."""
        key = await self._answers.database(requester, named, or_all=True)
        return await self.page(requester, FindState(words=words[:MAX_QUESTION], database=key.name, top=top))

    async def page(self, requester: Requester, state: FindState) -> Reply:
        """Return a page. Raises UserError and BackendError."""
        if state.offset < 0 or state.top < 1:
            raise InvalidInput(STALE_BUTTON)
        services, reader = self._dependencies, requester.as_reader
        infos = await self._answers.searched(requester, database_or_all(state.database))
        found = await services.find.find(
            [info.key for info in infos], state.words, readers=services.presenter.readers(reader)
        )
        window = found.matches[state.offset : state.offset + state.top]
        templates = {info.key: info.link for info in infos}
        links = {one.record.data_id: link_of(templates[one.record.database], one.record.entity) for one in window}
        pictures = await services.presenter.pictures(reader, [one.record for one in window])
        others = await self._answers.databases(requester)
        return found_reply(
            FoundPage(state, found.matches, pictures, links, is_cut=found.is_cut, has_others=len(others) > len(infos))
        )
