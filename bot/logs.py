"""Structured logs: one request id a request, and no secret ever."""

from __future__ import annotations

import json
import logging
import re
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

REDACTED = "[redacted]"

_SECRETS = re.compile(
    r"""
      \bx(?:ox[a-z](?:\.xox[a-z])?|app)-[\w.%-]+          # Slack's tokens
    | (?<=Bearer\ )[^\s"',}\]]+                           # whatever authorises a request
    | (?<=[?&]ticket=)[^\s&"']+                           # lets anyone open our Socket Mode connection
    | (?<=/commands/)[\w/%-]+                             # response URLs: whoever has one can post
    | (?<=://)[^/\s:@]*:[^/\s@]+(?=@)                     # user:password of a database address
    """,
    re.VERBOSE,
)

_request_id: ContextVar[str] = ContextVar("request_id", default="-")


def redact(text: str) -> str:
    """The text without what would let a reader act as us."""
    return _SECRETS.sub(REDACTED, text)


@contextmanager
def request_scope() -> Iterator[str]:
    """Give all that is logged inside one request id."""
    identifier = secrets.token_hex(4)
    token = _request_id.set(identifier)
    try:
        yield identifier
    finally:
        _request_id.reset(token)


class TextFormatter(logging.Formatter):
    """For people: time, level, request, logger, message."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(request_id)s %(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """Redacted after the exception is written out, since it may quote a secret too."""
        record.request_id = _request_id.get()
        return redact(super().format(record))


class JsonFormatter(logging.Formatter):
    """For machines: one object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Redacted field by field, so that the line stays valid JSON."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "request_id": _request_id.get(),
            "logger": record.name,
            "message": redact(record.getMessage()),
        }
        if record.exc_info:
            line["exception"] = redact(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False)


def set_up(log_format: str = "text", log_level: str = "info") -> None:
    """Send the log to standard error in the form that the settings ask for."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter())
    logging.basicConfig(level=log_level.upper(), handlers=[handler], force=True)
    # The SDK repeats whole payloads at debug level and httpx every address at info; the others tell of their insides.
    for noisy in ("slack_sdk", "slack_bolt", "aiohttp.access", "httpx", "httpcore", "faiss", "alembic", "PIL"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, logging.getLogger().level))
