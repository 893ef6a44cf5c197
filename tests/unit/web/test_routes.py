"""HTTP routes, and the handling of Slack's deliveries."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slack_bolt.adapter.starlette.async_handler import AsyncSlackRequestHandler
from slack_bolt.async_app import AsyncApp
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from bot.telemetry.logs import TextFormatter
from bot.web.slack_endpoint import MAX_BODY, SlackEndpoint
from bot.web.slack_signature import SlackSignature
from tests.unit.web.web_application import DIGEST, FORM, SECRET, TEAM, WebClient, signed


async def _echo(request: Request) -> Response:
    return PlainTextResponse(f"read {len(await request.body())}")


async def _break(_request: Request) -> Response:
    raise ValueError("the payload said: hidden words")


# -- which routes are there --


async def test_socket_mode_has_no_slack_routes() -> None:
    web = WebClient()
    assert (await web.ask("POST", "/slack/events", json={})).status_code == 404
    for path in ("/slack/install", "/slack/oauth_redirect"):
        assert (await web.get(path)).status_code == 404
    for path in ("/healthz", "/readyz", "/metrics"):
        assert (await web.get(path)).status_code == 200


async def test_pictures_are_not_served_without_a_public_url() -> None:
    web = WebClient(media=None)
    assert (await web.get(web.links.url(TEAM, DIGEST))).status_code == 404


async def test_installation_pages_are_served_if_configured() -> None:
    web = WebClient(install=_echo, oauth_redirect=_echo)
    for path in ("/slack/install", "/slack/oauth_redirect?code=1&state=2"):
        assert (await web.get(path)).text == "read 0"
    assert (await web.ask("POST", "/slack/install")).status_code == 405


@pytest.mark.parametrize(
    "path", ["/", "/media", "/media/", "/media/a/b", "/healthz/", "/slack", "/../etc/passwd", "/%00"]
)
async def test_unknown_path_gives_a_plain_404(path: str) -> None:
    answer = await WebClient().get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "text/plain; charset=utf-8")


# -- Slack's deliveries --


async def test_delivery_is_passed_on_unchanged() -> None:
    web = WebClient(slack=_echo)
    body = json.dumps({"type": "event_callback", "text": "x" * 5000}).encode()
    assert (await web.ask("POST", "/slack/events", content=body, headers=signed(body))).text == f"read {len(body)}"
    assert (await web.get("/slack/events")).status_code == 405


@pytest.mark.parametrize("chunked", [False, True])
async def test_too_large_delivery_is_refused_unread(chunked: bool) -> None:
    sent = 0

    async def chunks() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 3 * MAX_BODY:
            sent += 500_000
            yield b"x" * 500_000

    web = WebClient(slack=_echo)
    too_large = b"x" * (MAX_BODY + 1)
    content = chunks() if chunked else too_large
    headers = signed(too_large, "text/plain")
    assert (await web.ask("POST", "/slack/events", content=content, headers=headers)).status_code == 413
    assert sent <= MAX_BODY + 500_000
    fits = b"x" * MAX_BODY
    answer = await web.ask("POST", "/slack/events", content=fits, headers=signed(fits, "text/plain"))
    assert answer.text == f"read {MAX_BODY}"


async def test_endless_delivery_times_out() -> None:
    async def receive() -> dict[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError

    request = Request({"type": "http", "method": "POST", "headers": []}, receive)
    assert (await SlackEndpoint(_echo, SlackSignature(SECRET), timeout_s=0.01).answer(request)).status_code == 408


async def test_disconnected_sender_is_not_an_error() -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    request = Request({"type": "http", "method": "POST", "headers": []}, receive)
    assert (await SlackEndpoint(_echo, SlackSignature(SECRET)).answer(request)).status_code == 408


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"{", "application/json"),
        (b"[1]", "application/json"),
        (b"null", "application/json"),
        (b"{'a': 1}", "application/x-www-form-urlencoded"),
        (b"payload={", "application/x-www-form-urlencoded"),
        (b"payload=[]", "application/x-www-form-urlencoded"),
        (b"payload=", "application/x-www-form-urlencoded"),
        (b"\xff\xfe", "application/x-www-form-urlencoded"),
        (b'{"a":' * 100_000, "application/json; charset=utf-8"),
        (b"payload=" + b"[" * 100_000, "application/x-www-form-urlencoded"),
        (b"a=1&" * 100 + b"command=x", "application/x-www-form-urlencoded"),
    ],
)
async def test_malformed_deliveries_give_400(body: bytes, kind: str) -> None:
    web = WebClient(slack=_echo)
    assert (await web.ask("POST", "/slack/events", content=body, headers=signed(body, kind))).status_code == 400


def _bolt() -> WebClient:
    app = AsyncApp(token="xoxb-1", signing_secret=SECRET)
    return WebClient(slack=AsyncSlackRequestHandler(app).handle)


BODIES = st.one_of(
    st.binary(max_size=200),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    ).map(lambda value: json.dumps(value).encode()),
    st.dictionaries(st.sampled_from(["payload", "command", "token", "x"]), st.text()).map(
        lambda form: urlencode(form).encode()
    ),
)


@settings(max_examples=60, deadline=None)
@given(BODIES, st.sampled_from(["application/json", "application/x-www-form-urlencoded", "text/plain", ""]))
async def test_unsigned_bodies_never_give_5xx(body: bytes, kind: str) -> None:
    headers = {"Content-Type": kind} if kind else {}
    answer = await _bolt().ask("POST", "/slack/events", content=body, headers=headers)
    is_certificate_check = b"ssl_check=1" in body.split(b"&")
    assert answer.status_code == (200 if is_certificate_check else 401)


async def test_unsigned_bodies_are_refused_unparsed(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[bytes] = []

    def note(body: bytes, _content_type: str) -> bool:
        parsed.append(body)
        return True

    monkeypatch.setattr("bot.web.slack_endpoint.is_well_formed", note)
    web, body = WebClient(slack=_echo), b"payload=%7B%7D"
    good = signed(body, FORM)
    wrong: dict[str, dict[str, str]] = {
        "none": {"Content-Type": FORM},
        "old": signed(body, FORM, age_s=301),
        "of the future": signed(body, FORM, age_s=-302),
        "of another body": signed(body + b" ", FORM),
        "short": good | {"X-Slack-Signature": good["X-Slack-Signature"][:-1]},
        "no timestamp": {name: value for name, value in good.items() if "Timestamp" not in name},
    }
    for headers in wrong.values():
        assert (await web.ask("POST", "/slack/events", content=body, headers=headers)).status_code == 401
    twice = [*good.items(), ("X-Slack-Signature", "v0=0")]
    assert (await web.ask("POST", "/slack/events", content=body, headers=twice)).status_code == 401
    assert parsed == []
    await web.ask("POST", "/slack/events", content=body, headers=good)
    assert parsed == [body]


@pytest.mark.parametrize("lacks", ["a signature", "a recent signature"])
async def test_unsigned_bodies_are_not_read(lacks: str) -> None:
    sent = 0

    async def chunks() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < MAX_BODY:
            sent += 2000
            yield b"x" * 2000

    headers = {} if lacks == "a signature" else signed(b"x" * MAX_BODY, FORM, age_s=301)
    answer = await WebClient(slack=_echo).ask("POST", "/slack/events", content=chunks(), headers=headers)
    assert (answer.status_code, sent) == (401, 2000)


async def test_certificate_check_is_answered_without_a_signature() -> None:
    web = WebClient(slack=_break)
    for body, status in ((b"ssl_check=1&token=x", 200), (b"ssl_check=10", 401), (b"ssl_check=1&" * 100, 401)):
        assert (await web.ask("POST", "/slack/events", content=body)).status_code == status


async def test_errors_give_500_without_their_text_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    web = WebClient(slack=_break, install=_break)
    body = b'{"text": "hidden words"}'
    with caplog.at_level(logging.DEBUG):
        answers = [
            await web.ask("POST", "/slack/events", content=body, headers=signed(body)),
            await web.get("/slack/install?code=hidden"),
        ]
    for answer in answers:
        assert (answer.status_code, answer.headers["content-type"]) == (500, "text/plain; charset=utf-8")
        assert "hidden" not in answer.text
    ours = [record for record in caplog.records if record.name.startswith("bot")]
    logged = "\n".join(TextFormatter().format(record) for record in ours)
    assert "POST '/slack/events' failed with ValueError, raised by _break (" in logged
    assert "hidden" not in logged
    assert len(ours) == 2
