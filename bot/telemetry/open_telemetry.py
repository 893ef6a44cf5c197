"""Traces with OpenTelemetry. Importing this module needs the packages of the extra ``telemetry``."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.context import get_current as current_context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.instrumentation.sqlalchemy import SQLAlchemyInstrumentor
from opentelemetry.propagators import textmap
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from bot.telemetry import aiohttp_spans
from bot.telemetry.span_privacy import PrivateExporter
from bot.telemetry.traces import ASGIApp, activate

log = logging.getLogger(__name__)

FLUSH_S = 3.0
"""How long a process that stops waits for the collector. With the work in progress, it stays below 30 s."""

PATHS = ("/slack/events", "/slack/install", "/slack/oauth_redirect")
"""Paths that spans name. Others may have tokens, or are a stranger's invention."""

_NOT_TRACED = "healthz,readyz,metrics"
_UNNAMED = "unknown_service"
_PARENT = "traceparent"
_CARRIERS = TraceContextTextMapPropagator()


class RequestsOnly(Sampler):
    """Records calls only inside a request or a job: the workers' polls would be traces without end."""

    def __init__(self, chosen: Sampler) -> None:
        self._chosen = chosen

    def should_sample(  # noqa: PLR0917 - OpenTelemetry's signature
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Any = None,
        links: Sequence[trace.Link] | None = None,
        trace_state: trace.TraceState | None = None,
    ) -> SamplingResult:
        """Decide as the chosen sampler does, but drop calls without a parent."""
        if kind is SpanKind.CLIENT and not trace.get_current_span(parent_context).get_span_context().is_valid:
            return SamplingResult(Decision.DROP)
        return self._chosen.should_sample(parent_context, trace_id, name, kind, attributes, links, trace_state)

    def get_description(self) -> str:
        """Return the sampler's description."""
        return f"RequestsOnly({self._chosen.get_description()})"


class _NoPropagation(textmap.TextMapPropagator):
    """Traces begin and end here. Strangers choose the headers of requests to us, and see those of our requests."""

    def extract(
        self,
        carrier: textmap.CarrierT,  # noqa: ARG002 - OpenTelemetry's signature
        context: Context | None = None,
        getter: textmap.Getter[textmap.CarrierT] = textmap.default_getter,  # noqa: ARG002
    ) -> Context:
        """Return the context as it is."""
        return current_context() if context is None else context

    def inject(
        self,
        carrier: textmap.CarrierT,
        context: Context | None = None,
        setter: textmap.Setter[textmap.CarrierT] = textmap.default_setter,
    ) -> None:
        """Add nothing."""

    @property
    def fields(self) -> set[str]:
        """No header."""
        return set()


class OpenTelemetry:
    """Makes spans with a provider. Implements ``bot.telemetry.traces.Tracing``."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("vsearch")

    def span(self, name: str, parent: str, attributes: dict[str, str]) -> AbstractContextManager[object]:
        """Make a span that is current inside the context; below the current one if ``parent`` is empty."""
        above = _CARRIERS.extract({_PARENT: parent}) if parent else None
        return self._tracer.start_as_current_span(name, above, attributes=attributes)

    def annotate(self, name: str, value: str) -> None:
        """Set an attribute of the current span."""
        trace.get_current_span().set_attribute(name, value)

    def current(self) -> str:
        """Return the current span as a W3C ``traceparent``; empty without one."""
        carrier: dict[str, str] = {}
        _CARRIERS.inject(carrier)
        return carrier.get(_PARENT, "")

    def trace_id(self) -> str:
        """Return the id of the current trace, if it is recorded."""
        span = trace.get_current_span().get_span_context()
        return trace.format_trace_id(span.trace_id) if span.trace_flags.sampled else ""

    def served(self, app: ASGIApp) -> ASGIApp:
        """Return an ASGI app with a span around each request."""
        return OpenTelemetryMiddleware(
            app,
            excluded_urls=_NOT_TRACED,
            default_span_details=_details,
            tracer_provider=self._provider,
            exclude_spans=["receive", "send"],
        )


def _details(scope: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return a span's name without what a stranger may have put into the request."""
    path = str(scope.get("path", ""))
    method = "POST" if scope.get("method") == "POST" else "GET"
    route = "/media" if path.startswith("/media/") else path if path in PATHS else "other"
    return f"{method} {route}", {}


@contextmanager
def tracing(processor: SpanProcessor) -> Iterator[None]:
    """Record spans in this process while the context is open, and give them to ``processor``.

    On exit, what is recorded is exported for at most FLUSH_S seconds.
    """
    resource = Resource.create()
    if str(resource.attributes.get(SERVICE_NAME, _UNNAMED)).startswith(_UNNAMED):
        resource = resource.merge(Resource({SERVICE_NAME: "vsearch"}))
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.sampler = RequestsOnly(provider.sampler)
    provider.add_span_processor(processor)
    before = propagate.get_global_textmap()
    propagate.set_global_textmap(_NoPropagation())
    instrumentors = (HTTPXClientInstrumentor(), SQLAlchemyInstrumentor())
    for instrumentor in instrumentors:
        # It refuses SQLAlchemy 2.1, whose events that it uses are those of 2.0; a test has its spans.
        instrumentor.instrument(tracer_provider=provider, skip_dep_check=True)
    end_aiohttp = aiohttp_spans.instrument(provider.get_tracer("vsearch.aiohttp"))
    try:
        with activate(OpenTelemetry(provider)):
            yield
    finally:
        end_aiohttp()
        for instrumentor in instrumentors:
            instrumentor.uninstrument()
        propagate.set_global_textmap(before)
        _flush(provider)


def exporting(endpoint: str) -> AbstractContextManager[None]:
    """Send spans to an OTLP collector at ``endpoint`` over HTTP while the context is open.

    Spans wait in a bounded queue, and a thread of its own sends them. A collector that is away costs spans, not time.
    """
    return tracing(BatchSpanProcessor(PrivateExporter(OTLPSpanExporter(endpoint=endpoint))))


def _flush(provider: TracerProvider) -> None:
    # The SDK's own limits don't bound a request in progress.
    flushing = threading.Thread(target=provider.shutdown, name="traces-flush", daemon=True)
    flushing.start()
    flushing.join(FLUSH_S)
    if flushing.is_alive():
        log.warning("the last traces were not sent: the collector did not answer within %g s", FLUSH_S)
