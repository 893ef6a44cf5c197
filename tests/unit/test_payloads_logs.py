"""No secret reaches the log."""

import json
import logging

import pytest

from bot.logs import JsonFormatter, TextFormatter, redact, request_scope, set_up

SECRETS = [
    "xoxb-123-456-abcDEF",
    "xapp-1-A0-1-ff00",
    "xoxe.xoxp-1-abc",
    "Bearer s3cr3t",
    "wss://wss-primary.slack.com/link/?ticket=s3cr3t&app_id=1",
    "https://hooks.slack.com/commands/T1/22/s3cr3t",
    "postgresql://user:s3cr3t@host/db",
]


@pytest.mark.parametrize("secret", SECRETS)
def test_secrets_are_taken_out(secret: str) -> None:
    text = redact(f"failed with {secret!r} today")
    assert "[redacted]" in text
    assert "s3cr3t" not in text
    assert not any(part in text for part in ("abcDEF", "ff00", "xoxp-1-abc"))
    assert text.endswith("today")


def test_ordinary_text_stays() -> None:
    text = "GET https://example.com/command/x?x=1 for team-xoxo gave 404"
    assert redact(text) == text


@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()])
def test_arguments_and_exceptions_are_redacted_too(formatter: logging.Formatter) -> None:
    error = ValueError("token xoxb-1-abcDEF")
    record = logging.LogRecord("bot", logging.ERROR, "x", 1, "sent %s", ("xoxb-2-abcDEF",), (ValueError, error, None))
    with request_scope() as identifier:
        line = formatter.format(record)
    assert "abcDEF" not in line
    assert identifier in line
    if isinstance(formatter, JsonFormatter):
        assert json.loads(line)["request_id"] == identifier


@pytest.mark.parametrize("level", ["debug", "info"])
def test_libraries_keep_their_insides_to_themselves(level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(root, "level", root.level)
    set_up("text", level)
    for library in ("slack_sdk.web.async_client", "alembic.runtime.migration", "PIL.PngImagePlugin", "httpx"):
        assert not logging.getLogger(library).isEnabledFor(logging.INFO), library
