"""The debug log says why an answer in Slack was what it was, under one request id, without ids, notes and texts."""

from __future__ import annotations

import logging

import pytest

from bot.telemetry.logs import TextFormatter
from tests.fakes.slack import FakeSlack
from tests.scenario.conftest import PictureServer, Start, fill
from tests.scenario.support.requests import GASKET, VALVE, run_command


class _Lines(logging.Handler):
    """Keeps formatted lines."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(TextFormatter())
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


async def test_answer_is_explained_in_the_debug_log(
    slack: FakeSlack, start: Start, pictures: PictureServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = await start(VSEARCH_TRUSTED_HOSTS=pictures.address)
    await fill(app, "parts", valve_0042=VALVE, gasket_7=GASKET)
    explained, handler = logging.getLogger("bot.services.search.explanation"), _Lines()
    monkeypatch.setattr(explained, "handlers", [handler])
    await run_command(slack, f"{pictures.url('v.png', VALVE)} in:parts min:0")
    assert handler.lines == []
    explained.setLevel(logging.DEBUG)
    try:
        await run_command(slack, f"{pictures.url('v.png', VALVE)} in:parts min:0")
    finally:
        explained.setLevel(logging.NOTSET)
    about, *rest = handler.lines
    assert "2 matches" in about
    assert "features " in about
    assert sum(": candidate " in line for line in rest) == 2
    assert any(": match 1: " in line and "same image" in line for line in rest)
    requests = {line.split(" services")[0].split()[3] for line in handler.lines}
    assert len(requests) == 1
    assert requests != {"-"}
    assert not any(word in line for line in handler.lines for word in ("valve", "gasket", "http"))
