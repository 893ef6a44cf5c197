"""A proxy between a client and Prism that records Prism's verdict on each request, whatever the client does with it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

import aiohttp
from aiohttp import web

from tests.prism.process import HOST


@dataclass(frozen=True, slots=True)
class ValidationResult:
    """Prism's verdict on one request. ``violations`` is empty if the request was accepted."""

    path: str
    form: dict[str, str]
    status: int
    violations: str

    @property
    def accepted(self) -> bool:
        """Whether the request conforms to the file."""
        return self.status == 200 and not self.violations


@dataclass
class ValidatingProxy:
    """A running proxy. The client sends its requests to ``url``."""

    url: str
    verdicts: list[ValidationResult] = field(default_factory=list)


@asynccontextmanager
async def validating_proxy(prism_url: str) -> AsyncIterator[ValidatingProxy]:
    """Relay every request and every answer unchanged."""
    it = ValidatingProxy("")

    async def hand_on(request: web.Request) -> web.Response:
        body = await request.read()
        headers = {name: request.headers[name] for name in ("Content-Type", "Accept") if name in request.headers}
        url = f"{prism_url}{request.path_qs}"
        async with session.request(request.method, url, data=body, headers=headers) as answer:
            content = await answer.read()
        found = answer.headers.get("sl-violations", "") if answer.ok else content.decode()
        form = dict(parse_qsl(body.decode(errors="replace"), keep_blank_values=True))
        it.verdicts.append(ValidationResult(request.path, form, answer.status, found))
        return web.Response(body=content, status=answer.status, content_type=answer.content_type)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", hand_on)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, HOST, 0).start()
    it.url = f"http://{HOST}:{runner.addresses[0][1]}"
    try:
        async with aiohttp.ClientSession() as session:
            yield it
    finally:
        await runner.cleanup()
