"""Composes the answer to ``/vsearch status``."""

from __future__ import annotations

from bot.blocks.messages.notices import StatusInfo, status_reply
from bot.blocks.reply import Reply
from bot.domain.errors import UserError
from bot.domain.identifiers import DatabaseName
from handlers.replies.answers import AnswerComposer
from handlers.replies.dependencies import SlackDependencies
from handlers.replies.requester import Requester
from handlers.slack.scopes import turned_off


class StatusComposer:
    """Composes what happens in a channel, which databases there are, and whether all works."""

    def __init__(self, dependencies: SlackDependencies, answers: AnswerComposer) -> None:
        self._dependencies = dependencies
        self._answers = answers

    async def compose(self, requester: Requester) -> Reply:
        """Return the status, as far as the person may see it."""
        binding = await self._answers.binding(requester)
        effective: DatabaseName | None
        try:
            effective = (await self._dependencies.channel_settings.database_of(binding)).name
        except UserError:
            effective = None
        backend, problem = await self._answers.backend()
        sized = await self._answers.sized_databases(requester)
        reply = status_reply(
            StatusInfo(
                channel=requester.channel,
                conversation="direct" if requester.channel.startswith("D") else "channel",
                binding=binding,
                effective=effective,
                databases=sized,
                backend=backend,
                problem=problem,
                waiting=(await self._dependencies.inbox.depth(requester.workspace)).waiting,
                fits=await self._answers.score_fits(requester, sized),
                off=await turned_off(requester.client),
            )
        )
        return await self._answers.with_invitation(requester, requester.channel, reply)
