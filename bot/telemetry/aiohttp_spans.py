"""Spans for aiohttp, which Slack's SDK and our requests for Slack's files use (decision 0052).

Slack's SDK opens a session for each call, so sessions get their spans where they are made.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any

import aiohttp
from opentelemetry.trace import SpanKind, Status, StatusCode, Tracer
from yarl import URL

_SLACK_METHOD = re.compile(r"(?:/[\w.-]{1,32})?/api/([a-z]+(?:\.[A-Za-z]+){1,3})")
"""A method of Slack's Web API. Paths of files have names that people gave them."""

_FIRST_FAILURE = 400


def instrument(tracer: Tracer) -> Callable[[], None]:
    """Give every new session spans. Return a function that ends this; sessions that were made go on making spans."""
    original = aiohttp.ClientSession.__init__
    config = _config(tracer)

    @functools.wraps(original)
    def init(self: aiohttp.ClientSession, *args: Any, trace_configs: Any = None, **options: Any) -> None:
        original(self, *args, trace_configs=[*(trace_configs or ()), config], **options)

    def end() -> None:
        aiohttp.ClientSession.__init__ = original  # type: ignore[method-assign]

    aiohttp.ClientSession.__init__ = init  # type: ignore[method-assign]
    return end


def _config(tracer: Tracer) -> aiohttp.TraceConfig:
    async def start(_session: Any, context: Any, params: aiohttp.TraceRequestStartParams) -> None:
        attributes = {"http.request.method": params.method, "server.address": params.url.host or ""}
        if method := _slack_method(params.url):
            attributes["vsearch.slack_method"] = method
        context.span = tracer.start_span(params.method, kind=SpanKind.CLIENT, attributes=attributes)

    async def end(_session: Any, context: Any, params: aiohttp.TraceRequestEndParams) -> None:
        context.span.set_attribute("http.response.status_code", params.response.status)
        if params.response.status >= _FIRST_FAILURE:
            context.span.set_status(Status(StatusCode.ERROR))
        context.span.end()

    async def fail(_session: Any, context: Any, params: aiohttp.TraceRequestExceptionParams) -> None:
        context.span.record_exception(params.exception)
        context.span.set_status(Status(StatusCode.ERROR))
        context.span.end()

    config: aiohttp.TraceConfig = aiohttp.TraceConfig()
    config.on_request_start.append(start)
    config.on_request_end.append(end)
    config.on_request_exception.append(fail)
    return config


def _slack_method(url: URL) -> str:
    found = _SLACK_METHOD.fullmatch(url.path)
    return found[1] if found else ""
