"""Traces: one from Slack's delivery through the inbox and the worker to the answer, without what must stay here."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx
import pytest
from aiohttp import ClientSession
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from bot.app import server_process
from bot.config.settings import Settings
from bot.domain.errors import SettingsError
from bot.telemetry import open_telemetry, traces
from bot.telemetry.logs import JsonFormatter
from bot.telemetry.span_privacy import PrivateExporter
from tests.fakes.slack import FakeSlack
from tests.scenario.support.requests import VALVE
from tests.scenario.support.shares import reply
from tests.scenario.support.web_bot import SECRET, stock, web_bot

SECRET_WORD = "s3cr3t"


@pytest.fixture
def exported() -> Iterator[InMemorySpanExporter]:
    """The spans that leave this process."""
    exporter = InMemorySpanExporter()
    with open_telemetry.tracing(SimpleSpanProcessor(PrivateExporter(exporter))):
        yield exporter


def everything(spans: Sequence[ReadableSpan]) -> str:
    """Return all that a collector would get."""
    return "\n".join(span.to_json() for span in spans)


async def test_share_is_one_trace_from_the_delivery_to_the_answer(
    slack: FakeSlack, tmp_path: Path, exported: InMemorySpanExporter, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with web_bot(slack, tmp_path, PUBLIC_BASE_URL="https://vsearch.example.com") as bot:
        assert bot.app.identity is not None
        await stock(bot.app, bot.app.identity.workspace, "parts", valve_0042=VALVE)
        exported.clear()
        shared = await slack.upload(VALVE, text="who knows top:3 secretword")
        answer = await reply(slack, shared)
        await bot.browser.get(
            f"/media/{SECRET_WORD}?x={SECRET_WORD}", headers={"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}
        )
    spans = exported.get_finished_spans()
    job = next(span for span in spans if span.name == "job share")
    of_share = [span for span in spans if span.context.trace_id == job.context.trace_id]
    by_id = {span.context.span_id: span for span in of_share}
    roots = [span for span in of_share if span.parent is None]
    assert [span.name for span in roots] == ["POST /slack/events"]
    assert job.parent is not None
    assert by_id[job.parent.span_id].name == "POST /slack/events"
    methods = {(span.attributes or {}).get("vsearch.slack_method") for span in of_share}
    assert "chat.postMessage" in methods
    assert {"INSERT", "SELECT"} <= {span.name for span in of_share}
    assert any((span.attributes or {}).get("server.address") == "127.0.0.1" for span in of_share)
    # Requests for the file are spans, too: they are neither of Slack's API nor of SQL.
    assert any(span.name == "GET" and "vsearch.slack_method" not in (span.attributes or {}) for span in of_share)
    assert (job.attributes or {})["vsearch.request_id"]
    media = next(span for span in spans if span.name == "GET /media")
    assert media.context.trace_id != int("a" * 32, 16)
    assert media.parent is None
    text = everything(spans)
    token = slack.state.workspace(bot.app.identity.workspace).bot_token
    for secret in (
        token,
        SECRET,
        SECRET_WORD,
        "secretword",
        "valve_0042",
        shared.files[0].id,
        str(tmp_path),
        "?",
        "/media/s",
    ):
        assert secret not in text, secret
    assert answer.everything
    # Nothing but requests and jobs begins a trace: workers poll all the time.
    assert {span.name.split()[0] for span in spans if span.parent is None} <= {"POST", "GET", "job", "listener"}


async def _call_all(
    client: httpx.AsyncClient, session: ClientSession, urls: Sequence[str], headers: dict[str, str]
) -> None:
    """Call each URL with both clients. Nobody listens there. Raises a RuntimeError that quotes a secret."""
    for url in urls:
        with pytest.raises(httpx.ConnectError):
            await client.post(url, headers=headers)
        with pytest.raises(OSError, match="Cannot connect"):
            await session.post(url, headers=headers)
    raise RuntimeError(SECRET_WORD)


async def test_urls_queries_tokens_and_errors_stay_here(exported: InMemorySpanExporter) -> None:
    signed = {"Authorization": f"Bearer xoxb-{SECRET_WORD}"}
    paths = (
        f"media/{SECRET_WORD}?token={SECRET_WORD}#{SECRET_WORD}",
        f"commands/T1/{SECRET_WORD}",
        f"api/{SECRET_WORD}",
    )
    with pytest.raises(RuntimeError), traces.span("job share", request_id="ab12"):
        async with httpx.AsyncClient(trust_env=False) as client, ClientSession() as session:
            await _call_all(client, session, [f"http://127.0.0.1:9/{path}" for path in paths], signed)
    spans = exported.get_finished_spans()
    assert len(spans) == 7
    assert SECRET_WORD not in everything(spans)
    assert {span.name for span in spans} == {"POST", "job share"}
    assert all((span.attributes or {})["server.address"] == "127.0.0.1" for span in spans if span.name == "POST")
    assert {event.name for span in spans for event in span.events} == {"exception"}


def test_log_has_the_trace_of_the_work(exported: InMemorySpanExporter) -> None:
    record = logging.makeLogRecord({"msg": "done"})
    with traces.span("job share"):
        line = json.loads(JsonFormatter().format(record))
    assert line["trace_id"] == format(exported.get_finished_spans()[0].context.trace_id, "032x")
    assert "trace_id" not in json.loads(JsonFormatter().format(record))


class _SilentCollector(SpanExporter):
    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        time.sleep(20)
        return SpanExportResult.FAILURE


async def test_silent_collector_delays_neither_the_loop_nor_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_telemetry, "FLUSH_S", 0.2)
    processor = BatchSpanProcessor(_SilentCollector(), max_queue_size=8, max_export_batch_size=4)
    started = time.monotonic()
    with open_telemetry.tracing(processor):
        for _ in range(100):
            with traces.span("job share"):
                await asyncio.sleep(0)
    assert time.monotonic() - started < 5


def test_missing_packages_are_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "bot.telemetry.open_telemetry", None)
    monkeypatch.delattr("bot.telemetry.open_telemetry", raising=False)
    settings = Settings.from_mapping({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"})
    with pytest.raises(SettingsError, match=r"install vsearch\[telemetry\]"):
        server_process.run_server(settings, lambda _: iter(()), _never, ())


async def _never(_settings: Settings) -> None:
    raise AssertionError


def test_traces_are_off_unless_set() -> None:
    assert traces.current() == ""
    with traces.span("job share"):
        assert traces.current() == ""
        assert traces.trace_id() == ""
