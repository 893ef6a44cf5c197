"""Redaction of secrets in logs."""

import json
import logging
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.identifiers import WorkspaceId
from bot.media.links import MediaLinks
from bot.telemetry.logs import JsonFormatter, TextFormatter, redact, request_scope, set_up
from bot.telemetry.redaction import REDACTED, Redactor

PICTURE = MediaLinks("https://v.example", b"k" * 32, 60).url(WorkspaceId("T1"), "ab" * 32)

SECRETS = [
    "xoxb-123-456-abcDEF",
    "xapp-1-A0-1-ff00",
    "xoxe.xoxp-1-abc",
    "Bearer s3cr3t",
    "wss://wss-primary.slack.com/link/?ticket=s3cr3t&app_id=1",
    "https://hooks.slack.com/commands/T1/22/s3cr3t",
    "https://hooks.slack.com/actions/T1/22/s3cr3t",
    "https://hooks.slack.com/services/T1/B1/s3cr3t",
    "https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1%2F22%2Fs3cr3t",
    "postgresql://user:s3cr3t@host/db",
    "https://route.showapi.com/2-1?appKey=s3cr3t&dsId=1",
    "GET /slack/oauth_redirect?code=1.2.s3cr3t&state=s3cr3t-too",
    "client_id=1.2&client_secret=s3cr3t&code=5",
    "SLACK_SIGNING_SECRET=s3cr3t",
    "SLACK_STATE_SECRET: s3cr3t",
    '{"client_secret": "s3cr3t, and more s3cr3t"}',
    r"{\"signing_secret\": \"s3cr3t\"}",
    "{'access_token': 's3cr3t'}",
    "token=s3cr3t&team_id=T1&user_id=U1",
    '{"token": "s3cr3t", "team_id": "T1"}',
    "{'Authorization': 'Basic czNjcjN0 s3cr3t'}",
    """{'Authorization': 'Digest user="s3cr3t", response="s3cr3t"'}""",
    "[(b'authorization', b'Basic s3cr3t')]",
    "{'Set-Cookie': 'd=s3cr3t; path=/; secure', 'Date': 'x'}",
    "v0=" + "0a" * 30 + "ff00",
    PICTURE,
    PICTURE.replace("gAAAA", "s3cr3t"),
    PICTURE.replace("gAAAA", "s3cr3t").replace("/media/", "/e/"),
    quote(PICTURE, safe=""),
]

LINES = [
    "Authorization: Basic czNj s3cr3t",
    "authorization=s3cr3t",
    "Cookie: b=.s3cr3t; d=s3cr3t",
    "Set-Cookie: d=s3cr3t; path=/",
]


@pytest.mark.parametrize("secret", SECRETS)
def test_secrets_are_redacted(secret: str) -> None:
    for text in (f"failed with '{secret}' today", f"failed with {secret} today", f"({secret}) today"):
        shown = redact(text)
        assert redact(shown) == shown
        assert REDACTED in shown
        assert "s3cr3t" not in shown
        assert not any(part in shown for part in ("abcDEF", "ff00", "xoxp-1-abc", PICTURE[-30:]))
        assert shown.endswith("today")


@pytest.mark.parametrize("line", LINES)
def test_headers_are_redacted_to_the_end_of_the_line(line: str) -> None:
    shown = redact(f"GET / HTTP/1.1\n{line}\r\nHost: v.example")
    assert "s3cr3t" not in shown
    assert shown.endswith("\r\nHost: v.example")


@pytest.mark.parametrize(
    "text",
    [
        "GET https://example.com/command/x?x=1 for team-xoxo gave 404",
        "the token is refused: invalid_auth; the secret is not ours",
        "SLACK_SIGNING_SECRET must be set",
        "https://example.com/media/cat.jpg?size=3 has the wrong state",
        "search of parts in T1 took 0.2 s; code 200",
        "GET '/media/…' failed",
    ],
)
def test_ordinary_text_is_not_redacted(text: str) -> None:
    assert redact(text) == text


VALUE = "Sé&cr/ét \"of\" 'ours' + 1\\2"


@pytest.mark.parametrize(
    "written",
    [VALUE, quote(VALUE, safe=""), quote(VALUE, safe="").replace("%20", "+"), json.dumps({"x": VALUE}), repr([VALUE])],
)
def test_secret_settings_are_redacted_by_value(written: str) -> None:
    hide = Redactor(["other", VALUE])
    assert REDACTED in hide(f"sent {written}.")
    assert VALUE not in hide(f"sent {written}.")
    assert hide(f"sent {written}.").count("cr") == 0


def test_longer_secret_is_redacted_first() -> None:
    assert Redactor(["hunter", "hunter22"])("is hunter22.") == f"is {REDACTED}."


def test_empty_values_redact_nothing() -> None:
    assert Redactor(["", "a"])("a plain line") == "a plain line"


@given(st.text(min_size=4), st.text(), st.text())
def test_secret_is_redacted_in_any_context(value: str, before: str, after: str) -> None:
    # The redaction mark itself may contain a short value.
    if value not in REDACTED:
        assert value not in Redactor([value])(f"{before} {value} {after}").replace(REDACTED, "\0")


@pytest.mark.parametrize(
    "evil",
    [
        "a-" * 50_000,
        "\\" * 100_000,
        "secret" * 20_000,
        "secret " * 20_000,
        "://" * 40_000,
        "'token'" * 20_000,
        "cookie" * 20_000,
    ],
)
def test_long_lines_are_redacted_quickly(evil: str) -> None:
    started = time.perf_counter()
    redact(evil)
    assert time.perf_counter() - started < 2


FORMATTERS: list[Callable[[Redactor], logging.Formatter]] = [TextFormatter, JsonFormatter]


@pytest.mark.parametrize("make", FORMATTERS)
def test_arguments_and_exceptions_are_redacted(make: Callable[[Redactor], logging.Formatter]) -> None:
    formatter = make(Redactor(["of-the-settings"]))
    try:
        raise ValueError("token xoxb-1-abcDEF of-the-settings")  # noqa: TRY301
    except ValueError:
        failure = sys.exc_info()
    values = ("xoxb-2-abcDEF", {"Authorization": "Basic s3cr3t"})
    record = logging.LogRecord("bot", logging.ERROR, "x", 1, "sent %s %s of-the-settings", values, failure)
    record.stack_info = "xoxb-3-abcDEF"
    with request_scope() as identifier:
        line = formatter.format(record)
    assert not any(part in line for part in ("abcDEF", "s3cr3t", "of-the-settings"))
    assert "ValueError" in line
    assert identifier in line
    if isinstance(formatter, JsonFormatter):
        assert json.loads(line)["request_id"] == identifier


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("make", FORMATTERS)
def test_secrets_are_redacted_in_text_and_json(make: Callable[[Redactor], logging.Formatter], secret: str) -> None:
    values: tuple[Any, ...] = (secret, [secret], RuntimeError(secret))
    record = logging.LogRecord("bot", logging.ERROR, "x", 1, "%s %s %r", values, None)
    record.address = {"nested": secret}
    line = make(redact).format(record)
    assert not any(part in line for part in ("s3cr3t", "abcDEF", "ff00", "xoxp-1-abc", PICTURE[-30:]))


def test_extra_fields_are_in_the_json() -> None:
    record = logging.makeLogRecord(
        {
            "msg": "hello",
            "workspace": "T1",
            "images": 3,
            "password": "plain words",
            "message_ts": "1.2",
            "color_message": "x",
        }
    )
    document = json.loads(JsonFormatter().format(record))
    assert (document["workspace"], document["images"], document["message_ts"]) == ("T1", 3, "1.2")
    assert document["password"] == REDACTED
    assert "color_message" not in document
    assert datetime.fromisoformat(document["time"]).tzinfo == UTC


@pytest.fixture
def fresh_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """A root logger without handlers, to be set up as the program does."""
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(root, "level", root.level)


@pytest.mark.parametrize("level", ["debug", "info"])
def test_library_debug_logs_are_silenced(level: str, fresh_root: None) -> None:
    set_up("text", level)
    for library in (
        "slack_sdk.web.async_client",
        "alembic.runtime.migration",
        "PIL.PngImagePlugin",
        "httpx",
        "uvicorn",
    ):
        assert not logging.getLogger(library).isEnabledFor(logging.INFO), library


@pytest.mark.parametrize("form", ["text", "json"])
def test_program_redacts_its_own_settings(form: str, fresh_root: None, capsys: pytest.CaptureFixture[str]) -> None:
    set_up(form, "info", ["of-the-settings"])
    logging.getLogger("uvicorn.error").error("it was %s", "of-the-settings")
    written = capsys.readouterr().err
    assert REDACTED in written
    assert "of-the-settings" not in written


def test_unformattable_line_does_not_reveal_its_arguments(fresh_root: None, capsys: pytest.CaptureFixture[str]) -> None:
    set_up("text", "info")
    logging.getLogger("bot.x").error("%d is wrong", "xoxb-1-abcDEF")
    written = capsys.readouterr().err
    assert "could not write a log record of bot.x at " in written
    assert "abcDEF" not in written


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_python_warnings_go_to_the_log(log_format: str) -> None:
    script = (
        "import warnings; from bot.telemetry.logs import set_up; from PIL import Image;"
        f"set_up({log_format!r}, 'info', ['of-the-settings']);"
        "warnings.warn('large,\\n of-the-settings', Image.DecompressionBombWarning)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    assert "DecompressionBombWarning" in lines[0]
    assert "of-the-settings" not in done.stderr
    assert len(lines) == 1
    if log_format == "json":
        assert json.loads(lines[0])["logger"] == "py.warnings"
        assert json.loads(lines[0])["message"].startswith("DecompressionBombWarning: large, ")
    else:
        assert " WARNING - py.warnings: " in " ".join(lines[0].split())
