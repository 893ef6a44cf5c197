"""The submitted form of App Home that adds pictures to a database."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from bot.blocks.button_state import FormInput, SearchState, decode_searches, encode_searches
from bot.blocks.ids import InputId, ViewId
from bot.blocks.limits import shorten
from bot.blocks.messages.combination import joined
from bot.blocks.reply import Reply
from bot.domain.errors import UnknownDatabase
from handlers.inbox.deferred_requests import RequestDeferral
from handlers.inbox.share import MAX_NAME
from handlers.listeners.app_home import HomeListener
from handlers.listeners.submitted_modal import SubmittedModal
from handlers.modals import fields
from handlers.replies.answers import AnswerComposer
from handlers.replies.dependencies import SlackDependencies
from handlers.replies.images.additions import Addition, AdditionComposer
from handlers.replies.requester import Requester


class PictureForm:
    """Adds the pictures that somebody dropped into the form, or whose address they entered."""

    def __init__(
        self, dependencies: SlackDependencies, answers: AnswerComposer, home: HomeListener, deferral: RequestDeferral
    ) -> None:
        self._answers = answers
        self._additions = AdditionComposer(dependencies, answers)
        self._home = home
        self._deferral = deferral

    async def add(self, submitted: SubmittedModal) -> None:
        """Add the pictures, and say what became of each."""
        state = submitted.state
        kept = [search for search in decode_searches(state.state) if search.file] if state.state else []
        wanted = fields.picture_fields(submitted.form, state.database, has_files=bool(kept))
        files = [SearchState(file=file.id, name=shorten(file.name, MAX_NAME)) for file in wanted.files]
        files += [SearchState(file=search.file, name=search.name) for search in kept]
        submitted.entered = FormInput(
            view=ViewId.ADD_PICTURES,
            url=wanted.url,
            database=wanted.added.database,
            entity=wanted.added.entity or "",
            note=wanted.added.note,
            searches=encode_searches(files) if files else "",
        )
        if await self._deferral.defer(submitted.body, submitted.requester.reply_sentence):
            await submitted.close()
            return
        pictures = [*files, *([SearchState(url=wanted.url)] if wanted.url else [])]
        work = self._add_all(submitted.requester, pictures, wanted.added)
        replies = await submitted.close_after(work, partial(_field_of, wanted))
        await submitted.requester.reply_privately(joined(replies))
        if state.home:
            await self._home.publish(submitted.requester)

    async def _add_all(
        self, requester: Requester, pictures: Sequence[SearchState], wanted: fields.AddFields
    ) -> list[Reply]:
        info = await self._answers.known_database(requester, wanted.database)
        addition = Addition(info.key, wanted.entity, wanted.note, is_one_of_several=len(pictures) > 1)
        if len(pictures) == 1:
            return [await self._additions.add(requester, pictures[0], addition)]
        return [await self._additions.add_or_explain(requester, picture, addition) for picture in pictures]


def _field_of(wanted: fields.PictureFields, error: Exception) -> str:
    """Return the field that an error is about."""
    if isinstance(error, UnknownDatabase):
        return InputId.DATABASE
    return InputId.URL if wanted.url and not wanted.files else InputId.FILES
