"""Structured logs: one request id a request, and no secret ever."""

from __future__ import annotations

import contextlib
import json
import logging
import secrets as randomness
import sys
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from bot.telemetry.redaction import Redactor, redact

__all__ = ["JsonFormatter", "TextFormatter", "raise_locations", "redact", "request_scope", "set_up"]

MAX_FRAMES = 8

_request_id: ContextVar[str] = ContextVar("request_id", default="-")

# The SDK repeats whole payloads at debug level and httpx every address at info; the others tell of their insides.
_QUIET_LOGGERS = (
    "slack_sdk",
    "slack_bolt",
    "aiohttp.access",
    "httpx",
    "httpcore",
    "faiss",
    "alembic",
    "PIL",
    "uvicorn",
    "starlette",
)

_STANDARD_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "request_id", "color_message"}


@contextmanager
def request_scope() -> Iterator[str]:
    """Give all that is logged inside one request id."""
    identifier = randomness.token_hex(4)
    token = _request_id.set(identifier)
    try:
        yield identifier
    finally:
        _request_id.reset(token)


def raise_locations(error: BaseException) -> str:
    """Where it was raised, innermost first: what may be told of an error whose text may quote what nobody may read."""
    stack = reversed(traceback.extract_tb(error.__traceback__)[-MAX_FRAMES:])
    return " < ".join(f"{frame.name} ({frame.filename}:{frame.lineno})" for frame in stack)


class TextFormatter(logging.Formatter):
    """For people: time, level, request, logger, message."""

    def __init__(self, redact: Redactor = redact) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(request_id)s %(name)s: %(message)s")
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        """Redacted after the exception is written out, since it may quote a secret too."""
        record.request_id = _request_id.get()
        return self._redact(super().format(record))


class JsonFormatter(logging.Formatter):
    """For machines: one object a line. What a call passes as ``extra`` stands in it under its own names."""

    def __init__(self, redact: Redactor = redact) -> None:
        super().__init__()
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        """Redacted field by field, so that the line stays valid JSON."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "request_id": _request_id.get(),
            "logger": record.name,
            "message": self._redact(record.getMessage()),
        }
        if record.exc_info:
            line["exception"] = self._redact(self.formatException(record.exc_info))
        if record.stack_info:
            line["stack"] = self._redact(record.stack_info)
        for name, value in vars(record).items():
            if name not in _STANDARD_FIELDS and name not in line:
                line[name] = value if isinstance(value, int | float | None) else self._redact.field(name, str(value))
        return json.dumps(line, ensure_ascii=False)


class _Handler(logging.StreamHandler[Any]):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the library's name
        """Say where a line was lost. The library would print its arguments, as they are."""
        # The stream itself may be what is broken.
        with contextlib.suppress(OSError, ValueError):
            where = f"{record.name} at {record.pathname}:{record.lineno}"
            self.stream.write(f"a log line of {where} could not be written\n")


def set_up(log_format: str = "text", log_level: str = "info", secrets: Iterable[str] = ()) -> None:
    """Send the log to standard error in the form that the settings ask for, without the ``secrets`` (their values)."""
    hide = Redactor(secrets)
    handler = _Handler(sys.stderr)
    handler.setFormatter(JsonFormatter(hide) if log_format == "json" else TextFormatter(hide))
    logging.basicConfig(level=log_level.upper(), handlers=[handler], force=True)
    for noisy in _QUIET_LOGGERS:
        logging.getLogger(noisy).setLevel(max(logging.WARNING, logging.getLogger().level))
