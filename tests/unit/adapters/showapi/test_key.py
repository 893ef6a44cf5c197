"""The app key is sent to the hosted service only, whatever the service echoes and however calls fail."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Awaitable, Iterator
from dataclasses import replace

import httpx
import pytest

from bot.adapters.showapi.http.client import ShowApiAccount, ShowApiClient
from bot.domain.errors import BotError
from bot.telemetry.prometheus import PrometheusMetrics
from tests.fakes.hosted import HostedService
from tests.fakes.hosted import misbehaviours as bad
from tests.unit.adapters.showapi.responses import CALLS, KEY, QUICK, echoing

RETRY_POLICY = replace(QUICK, connect_s=0.1, read_s=0.15, attempts=2, failures=1000)

NAMES = ("", "httpx", "httpcore", "httpcore.connection", "httpcore.http11", "asyncio", "stamina", "bot")


class LogRecorder(logging.Handler):
    """Records every log record in full, including tracebacks and attributes."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []
        self.names: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        self.names.add(record.name)
        self.lines.append(f"{record.getMessage()} {vars(record)!r} {logging.Formatter().format(record)}")


@pytest.fixture
def lines() -> Iterator[LogRecorder]:
    it = LogRecorder()
    for name in NAMES:
        logging.getLogger(name).setLevel(logging.DEBUG)
    logging.getLogger().addHandler(it)
    yield it
    logging.getLogger().removeHandler(it)


def _everything(error: BaseException | None, seen: set[int]) -> Iterator[str]:
    if error is None or id(error) in seen:
        return
    seen.add(id(error))
    yield f"{error!s} {error!r} {error.args!r} {vars(error)!r}"
    if isinstance(error, httpx.RequestError):
        yield str(error.request.url)
    yield "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    yield from _everything(error.__cause__, seen)
    yield from _everything(error.__context__, seen)


def _libraries(error: BaseException) -> set[str]:
    """Return the packages whose exceptions are in this exception's chain."""
    reached: set[str] = set()
    step: BaseException | None = error
    while step is not None:
        reached.add(type(step).__module__.partition(".")[0])
        step = step.__cause__ or step.__context__
    return reached


async def _error(call: Awaitable[object]) -> BotError:
    try:
        await call
    except BotError as error:
        logging.getLogger("bot").exception("as a caller may log it")
        return error
    raise AssertionError


async def _fail_in_every_operation(url: str, lines: LogRecorder) -> None:
    metrics = PrometheusMetrics()
    service = ShowApiClient(ShowApiAccount(url, KEY, "ds-7", 10_000), metrics=metrics, retry_policy=RETRY_POLICY)
    for call in CALLS.values():
        error = await _error(call(service))
        assert KEY not in "".join(_everything(error, set()))
        assert _libraries(error) == {"bot"}
    assert KEY not in repr(service)
    assert KEY.encode() not in metrics.render()
    await service.close()
    assert lines.lines
    assert [line for line in lines.lines if KEY in line] == []


HTTP = b"HTTP/1.1 "
JSON = b'{"showapi_res_code":-1,"showapi_res_error":"bad TARGET","showapi_res_id":"TARGET","Code":"TARGET"}'
SUCCESS = (
    b'{"showapi_res_code":0,"showapi_res_body":{"ret_code":-1,"remark":"Throttling TARGET","RequestId":"TARGET",'
    b'"Code":"InternalError.TARGET"}}'
)


@pytest.mark.parametrize(
    "answer",
    [
        HTTP + b"302 Found\r\nLocation: http://elsewhere.example/TARGET\r\nContent-Length: 0\r\n\r\n",
        HTTP + b"500 Broken at TARGET\r\nContent-Length: 0\r\n\r\n",
        HTTP + b"200 OK\r\nX-Asked: TARGET\r\nSet-Cookie: last=TARGET\r\nContent-Length: 0\r\n\r\n",
        HTTP + b"200 OK\r\nbroken header TARGET\r\n\r\n",
        HTTP + b"200 OK\r\nContent-Length: TARGET\r\n\r\n",
        HTTP + b"200 OK\r\nContent-Encoding: TARGET\r\nContent-Length: 1\r\n\r\nx",
        HTTP + b"200 OK\r\nTransfer-Encoding: chunked\r\n\r\nTARGET\r\n",
        HTTP + b"200 OK\r\nContent-Length: 900\r\n\r\nTARGET",
        b"TARGET\r\n\r\n",
        HTTP + b"200 OK\r\nConnection: close\r\n\r\n" + JSON,
        HTTP + b"400 Bad Request\r\nConnection: close\r\n\r\n" + JSON,
        HTTP + b"200 OK\r\nConnection: close\r\n\r\n" + SUCCESS,
        HTTP + b"404 Not Found\r\nConnection: close\r\n\r\n<html>TARGET</html>",
        b"",
    ],
)
async def test_echoed_address_does_not_leak_the_key(answer: bytes, lines: LogRecorder) -> None:
    asyncio.get_running_loop().set_debug(True)
    async with echoing(answer) as url:
        await _fail_in_every_operation(url, lines)
    assert {"httpcore.http11", "httpcore.connection"} <= lines.names


@pytest.mark.parametrize(
    "how",
    [
        bad.echoing_the_key(),
        bad.echoing_the_key(-3, 500),
        bad.echoing_the_key(0),
        bad.gateway(-2),
        bad.upstream("AuthFailed", 403),
        bad.throttled(),
        bad.html(502),
        bad.empty(),
        bad.truncated(),
        bad.hang_up(),
        bad.slow(0.5),
    ],
)
async def test_failures_do_not_leak_the_key(how: bad.Misbehaviour, lines: LogRecorder) -> None:
    async with HostedService(app_key=KEY) as hosted:
        hosted.always(None, how)
        await _fail_in_every_operation(hosted.base_url, lines)
    assert {call.query["appKey"] for call in hosted.calls} == {KEY}


async def test_connection_failures_do_not_leak_the_key(lines: LogRecorder) -> None:
    async with echoing(b"") as url:
        await _fail_in_every_operation(url.replace("http:", "https:"), lines)
    await _fail_in_every_operation(url, lines)
    await _fail_in_every_operation("ftp://hosted.example", lines)


async def test_successful_calls_do_not_leak_the_key(lines: LogRecorder) -> None:
    async with HostedService(app_key=KEY) as hosted:
        service = ShowApiClient(ShowApiAccount(hosted.base_url, KEY, hosted.environment["SHOWAPI_DS_ID"], 1000))
        await service.create_database("parts")
        assert await service.databases() == ("parts",)
        await service.close()
    assert {"httpx", "httpcore.http11"} <= lines.names
    assert "HTTP Request: POST" in "".join(lines.lines)
    assert [line for line in lines.lines if KEY in line] == []


async def test_close_removes_the_log_filters() -> None:
    before = [list(logging.getLogger(name).filters) for name in NAMES]
    service = ShowApiClient(ShowApiAccount("https://hosted.example", KEY, "ds-7"))
    await service.close()
    assert [list(logging.getLogger(name).filters) for name in NAMES] == before
