"""Removes from spans what must not leave this process.

Instrumentations record URLs, statements, hosts, headers and the texts of errors. Pictures' links have tokens, URLs have
queries, and response URLs let anybody post. Only the attributes that are listed here leave, and errors without texts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import SpanKind, Status

SHOWN = frozenset(
    {
        "db.system",
        "http.method",
        "http.request.method",
        "http.response.status_code",
        "http.status_code",
        "server.address",
        "vsearch.request_id",
        "vsearch.slack_method",
    }
)
"""Attributes that leave. Their values come from a short list, or from our own code."""

_URLS = ("http.url", "url.full")
_METHODS = frozenset({"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"})
_SQL = "opentelemetry.instrumentation.sqlalchemy"
_FIRST_WORD = re.compile(r"[A-Za-z]{1,16}")


class PrivateExporter(SpanExporter):
    """Passes spans on to another exporter without what must not leave. Runs in the exporter's thread."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export the spans."""
        return self._exporter.export([without_secrets(span) for span in spans])

    def shutdown(self) -> None:
        """Shut the exporter down."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Flush the exporter."""
        return self._exporter.force_flush(timeout_millis)


def without_secrets(span: ReadableSpan) -> ReadableSpan:
    """Return the span with a fixed name, the attributes that are shown, and classes of errors without texts."""
    return ReadableSpan(
        name=_name(span),
        context=span.get_span_context(),
        parent=span.parent,
        resource=span.resource,
        attributes=_attributes(span),
        events=[_event(event) for event in span.events],
        kind=span.kind,
        instrumentation_scope=span.instrumentation_scope,
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
    )


def _name(span: ReadableSpan) -> str:
    """Return the name. SQLAlchemy's has the database's name or file after the statement's first word."""
    if span.instrumentation_scope is None or span.instrumentation_scope.name != _SQL:
        return span.name
    word = _FIRST_WORD.match(span.name)
    return word[0] if word else "SQL"


def _attributes(span: ReadableSpan) -> dict[str, Any]:
    given: Mapping[str, Any] = span.attributes or {}
    shown = {name: value for name, value in given.items() if name in SHOWN}
    for name in ("http.method", "http.request.method"):
        # A stranger chooses the method of a request, too.
        if shown.get(name, "GET") not in _METHODS:
            shown[name] = "_OTHER"
    if span.kind is SpanKind.CLIENT:
        # The host that was called, and nothing else of the URL.
        for name in _URLS:
            if host := _host(str(given.get(name, ""))):
                shown["server.address"] = host
    else:
        shown.pop("server.address", None)
    return shown


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _event(event: Event) -> Event:
    kind = (event.attributes or {}).get("exception.type")
    return Event(
        "exception" if event.name == "exception" else "event",
        {"exception.type": kind} if kind else {},
        event.timestamp,
    )
