"""Answers that replace a message: a late edit of an earlier answer leaves the newest alone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks.reply import Reply, notice
from bot.domain.identifiers import WorkspaceId
from handlers.replies import delivery
from handlers.replies.requester import Requester


class Later:
    """A later version that comes when the test says so."""

    async def arrive(self) -> None:
        await self._edit(notice("with text"))

    def begin(self, edit: Callable[[Reply], Awaitable[None]]) -> None:
        self._edit = edit


@pytest.mark.parametrize("is_newest", [True, False])
async def test_late_edit_replaces_only_its_own_answer(monkeypatch: pytest.MonkeyPatch, is_newest: bool) -> None:
    sent: list[str] = []

    async def respond(url: str, reply: Reply, **_: object) -> bool:
        del url
        sent.append(reply.text)
        return True

    monkeypatch.setattr(delivery, "respond", respond)
    requester = Requester(WorkspaceId("T1"), "U1", AsyncWebClient(), "C1", response_url="https://x", message="1.0")
    later = Later()
    first = notice("page 1")
    await requester.reply_privately(Reply(first.text, first.blocks, later=later), replace=True)
    if not is_newest:
        await requester.reply_privately(notice("page 2"), replace=True)
    await later.arrive()
    assert sent == (["page 1", "with text"] if is_newest else ["page 1", "page 2"])
