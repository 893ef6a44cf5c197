"""Structured logs with a request id and without secrets."""

from __future__ import annotations

import contextlib
import json
import logging
import secrets as randomness
import sys
import traceback
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from bot.telemetry import traces
from bot.telemetry.redaction import Redactor, redact

__all__ = ["JsonFormatter", "TextFormatter", "raise_locations", "redact", "request_scope", "set_up"]

MAX_FRAMES = 8

_request_id: ContextVar[str] = ContextVar("request_id", default="-")

# slack_sdk logs whole payloads at debug level and httpx every URL at info; the others log internals.
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
    """Give all log records inside the context one request id, and yield it."""
    identifier = randomness.token_hex(4)
    token = _request_id.set(identifier)
    try:
        yield identifier
    finally:
        _request_id.reset(token)


def raise_locations(error: BaseException) -> str:
    """Return where an error was raised, innermost frame first. Log this if the error's text may quote a secret."""
    stack = reversed(traceback.extract_tb(error.__traceback__)[-MAX_FRAMES:])
    return " < ".join(f"{frame.name} ({frame.filename}:{frame.lineno})" for frame in stack)


class TextFormatter(logging.Formatter):
    """Formats records as text: time, level, request id, logger and message."""

    def __init__(self, redact: Redactor = redact) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(request_id)s %(name)s: %(message)s")
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        """Redact the whole record, including the traceback, which may quote a secret too."""
        trace = traces.trace_id()
        record.request_id = f"{_request_id.get()} {trace}" if trace else _request_id.get()
        return self._redact(super().format(record))


class JsonFormatter(logging.Formatter):
    """Formats each record as one line of JSON, with the fields that a call passes as ``extra``."""

    def __init__(self, redact: Redactor = redact) -> None:
        super().__init__()
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        """Redact each field on its own, so that the line stays valid JSON."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "request_id": _request_id.get(),
            "logger": record.name,
            "message": self._redact(record.getMessage()),
        }
        if trace := traces.trace_id():
            line["trace_id"] = trace
        if record.exc_info:
            line["exception"] = self._redact(self.formatException(record.exc_info))
        if record.stack_info:
            line["stack"] = self._redact(record.stack_info)
        for name, value in vars(record).items():
            if name not in _STANDARD_FIELDS and name not in line:
                line[name] = value if isinstance(value, int | float | None) else self._redact.field(name, str(value))
        return json.dumps(line, ensure_ascii=False)


class _Handler(logging.StreamHandler[Any]):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - overrides logging.Handler.handleError
        """Report where a record was lost. The base class would print its arguments unredacted."""
        # The stream itself may be broken.
        with contextlib.suppress(OSError, ValueError):
            where = f"{record.name} at {record.pathname}:{record.lineno}"
            self.stream.write(f"could not write a log record of {where}\n")


def _warning_line(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    line: str | None = None,  # noqa: ARG001 - the standard library's signature
) -> str:
    """Return a warning as one line of the log. Python would add the line of code, and a line break after each."""
    text = " ".join(str(message).split())
    return f"{category.__name__}: {text} ({filename}:{lineno})"


def set_up(log_format: str = "text", log_level: str = "info", secrets: Iterable[str] = ()) -> None:
    """Log to standard error as ``text`` or ``json`` from a minimum level; redact the given values of secrets."""
    hide = Redactor(secrets)
    handler = _Handler(sys.stderr)
    handler.setFormatter(JsonFormatter(hide) if log_format == "json" else TextFormatter(hide))
    logging.basicConfig(level=log_level.upper(), handlers=[handler], force=True)
    # Python's own warnings, such as Pillow's about damaged EXIF data, would go to standard error as they are.
    logging.captureWarnings(capture=True)
    warnings.formatwarning = _warning_line
    for noisy in _QUIET_LOGGERS:
        logging.getLogger(noisy).setLevel(max(logging.WARNING, logging.getLogger().level))
