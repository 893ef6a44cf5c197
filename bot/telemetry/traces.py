"""Traces: spans around deliveries, jobs and calls, and the context that leads from one process to the next.

Without ``activate`` everything here does nothing. ``bot.telemetry.open_telemetry`` has the implementation, which needs
the packages of the extra ``telemetry``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Protocol

ASGIApp = Any
"""Starlette's type. This layer doesn't import Starlette."""

MAX_PARENT = 64
"""Characters of a stored trace context; a W3C ``traceparent`` has 55."""


class Tracing(Protocol):
    """Makes spans."""

    def span(self, name: str, parent: str, attributes: dict[str, str]) -> AbstractContextManager[object]:
        """Make a span that is current inside the context; below the current one if ``parent`` is empty."""
        ...

    def annotate(self, name: str, value: str) -> None:
        """Set an attribute of the current span."""
        ...

    def current(self) -> str:
        """Return the current span as a W3C ``traceparent``; empty without one."""
        ...

    def trace_id(self) -> str:
        """Return the id of the current trace, if it is recorded; empty without one."""
        ...

    def served(self, app: ASGIApp) -> ASGIApp:
        """Return an ASGI app with a span around each request."""
        ...


class NullTracing:
    """Makes no spans."""

    def span(self, name: str, parent: str, attributes: dict[str, str]) -> AbstractContextManager[object]:  # noqa: ARG002 - the port's
        """Do nothing."""
        return nullcontext()

    def annotate(self, name: str, value: str) -> None:
        """Do nothing."""

    def current(self) -> str:
        """Return an empty string."""
        return ""

    def trace_id(self) -> str:
        """Return an empty string."""
        return ""

    def served(self, app: ASGIApp) -> ASGIApp:
        """Return the app itself."""
        return app


class _Active:
    """What makes the spans of this process. Like the log, it is one for the process."""

    tracing: Tracing = NullTracing()


@contextmanager
def activate(tracing: Tracing) -> Iterator[None]:
    """Make spans with ``tracing`` while the context is open."""
    before, _Active.tracing = _Active.tracing, tracing
    try:
        yield
    finally:
        _Active.tracing = before


def span(name: str, *, parent: str = "", request_id: str = "") -> AbstractContextManager[object]:
    """Make a span that is current inside the context.

    Args:
        name: A fixed name. It must not have anything of a request.
        parent: The stored context of the trace that goes on; empty for the current span.
        request_id: The id that the log has for the same work.
    """
    return _Active.tracing.span(name, parent, {"vsearch.request_id": request_id} if request_id else {})


def annotate_request(request_id: str) -> None:
    """Record the log's request id in the current span."""
    _Active.tracing.annotate("vsearch.request_id", request_id)


def current() -> str:
    """Return the current span as a W3C ``traceparent``, to be stored with a job; empty without one."""
    return _Active.tracing.current()


def trace_id() -> str:
    """Return the id of the current trace for the log; empty if none is recorded."""
    return _Active.tracing.trace_id()


def served(app: ASGIApp) -> ASGIApp:
    """Return an ASGI app with a span around each request."""
    return _Active.tracing.served(app)
