"""The stand-in itself: start and stop it, plan failures, and inspect requests."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

import numpy as np
from aiohttp import web

from tests.fakes.hosted import forms
from tests.fakes.hosted.answers import as_json, refusal_answer
from tests.fakes.hosted.databases import Databases
from tests.fakes.hosted.misbehaviours import Exchange, Misbehaviour, throttled
from tests.fakes.hosted.operations import MATCHES_AT_MOST, Operations
from tests.fakes.hosted.pictures import SIDE, Pictures
from tests.fakes.hosted.values import (
    OPERATIONS,
    PATHS,
    Call,
    Fetched,
    GatewayRefused,
    Json,
    Operation,
    Refused,
    StoredImage,
)

HOST = "127.0.0.1"
APP_KEY = "planted-app-key-4f9c1d7e"
DS_ID = "ds-7"


class HostedService:
    """An async context manager that listens on 127.0.0.1. Clients connect to ``base_url``.

    ``calls_per_s``: enforced rate limit, none by default. ``in_remarks``: upstream errors come inside ``remark`` with
    HTTP 200 instead of with their own status. ``one_database_only``: the default limit of real accounts.
    """

    def __init__(
        self,
        *,
        app_key: str = APP_KEY,
        ds_id: str = DS_ID,
        port: int = 0,
        calls_per_s: int | None = None,
        one_database_only: bool = False,
        matches_at_most: int = MATCHES_AT_MOST,
        in_remarks: bool = False,
    ) -> None:
        self.app_key = app_key
        self.ds_id = ds_id
        self.port = port
        self.calls_per_s = calls_per_s
        self.in_remarks = in_remarks
        self.databases = Databases(at_most=1 if one_database_only else None)
        self.pictures = Pictures()
        self.calls: list[Call] = []
        self.over_limit: Misbehaviour = throttled()
        self._operations = Operations(self.databases, self.pictures, matches_at_most)
        self._next: dict[Operation, deque[Misbehaviour]] = {name: deque() for name in OPERATIONS}
        self._always: dict[Operation, Misbehaviour] = {}
        self._served: deque[float] = deque()
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        """Listen."""
        await self.up()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop listening."""
        await self.down()

    async def up(self) -> None:
        """Listen on the same port as before."""
        if self._runner is not None:
            return
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, HOST, self.port).start()
        self.port = runner.addresses[0][1]
        self._runner = runner

    async def down(self) -> None:
        """Close all connections, and refuse new ones."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    @property
    def base_url(self) -> str:
        """The value of SHOWAPI_BASE_URL."""
        return f"http://{HOST}:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """Settings of a bot that uses this stand-in. The bot sets PUBLIC_BASE_URL itself."""
        return {
            "VSEARCH_BACKEND": "showapi",
            "SHOWAPI_BASE_URL": self.base_url,
            "SHOWAPI_APP_KEY": self.app_key,
            "SHOWAPI_DS_ID": self.ds_id,
        }

    def next(self, operation: Operation, *misbehaviours: Misbehaviour) -> None:
        """Let the next calls of the operation misbehave in these ways, one each."""
        self._next[operation].extend(misbehaviours)

    def always(self, operation: Operation | None, misbehaviour: Misbehaviour) -> None:
        """Let every further call of the operation (None: of all operations) misbehave."""
        self._always.update(dict.fromkeys([operation] if operation else OPERATIONS, misbehaviour))

    def behave(self) -> None:
        """Stop all misbehaviour."""
        self._always.clear()
        for planned in self._next.values():
            planned.clear()

    def hide_new_images(self, *, listings: int = 0, seconds: float = 0.0) -> None:
        """Hide new images for a number of listings or seconds."""
        self.databases.hide_for = listings
        self.databases.hide_s = seconds

    def fill(self, database: str, count: int, prefix: str = "e_") -> None:
        """Add plain gray images with the entities ``e_0``, ``e_1`` and so on."""
        gray = np.full((SIDE, SIDE, 3), 128, np.uint8)
        if database not in self.databases.by_name:
            self.databases.create(database)
        for number in range(count):
            self.databases.add(database, f"{prefix}{number}", f"note {number}", "http://127.0.0.1/filled", gray)

    def calls_of(self, *operations: Operation) -> list[Call]:
        """Return the calls of these operations."""
        return [call for call in self.calls if call.operation in operations]

    def images_of(self, database: str) -> tuple[StoredImage, ...]:
        """Return all images of a database, oldest first, including hidden ones."""
        return tuple(self.databases.named(database).images)

    @property
    def names(self) -> list[str]:
        """Names of the databases."""
        return list(self.databases.by_name)

    @property
    def fetched(self) -> list[Fetched]:
        """Pictures that the service fetched or tried to fetch."""
        return self.pictures.fetched

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        try:
            call = await self._call(request)
            operation = PATHS.get(request.path)
            if operation is None or request.method != "POST":
                return refusal_answer(GatewayRefused(-6, "no such service"))
            return await self._reply(operation, Exchange(request, call, self._honest(operation, call)))
        except Refused as error:
            return refusal_answer(error, in_remarks=self.in_remarks)
        except ConnectionError:
            # The client has disconnected.
            return web.Response()

    async def _call(self, request: web.Request) -> Call:
        body = await request.read()
        try:
            form = dict(forms.pairs(body))
        except ValueError:
            form = {}
        kind = request.headers.get("Content-Type", "")
        operation = PATHS.get(request.path, request.path)
        call = Call(operation, form, dict(request.query), kind, body, time.monotonic())
        self.calls.append(call)
        return call

    async def _reply(self, operation: Operation, exchange: Exchange) -> web.StreamResponse:
        if self._is_over_limit():
            return await self.over_limit(exchange)
        planned = self._next[operation].popleft() if self._next[operation] else self._always.get(operation)
        return as_json(await exchange.honest()) if planned is None else await planned(exchange)

    def _honest(self, operation: Operation, call: Call) -> Callable[[], Awaitable[Json]]:
        async def work() -> Json:
            forms.check(operation, call, self.app_key, self.ds_id)
            return await self._operations.do(operation, call.form)

        return work

    def _is_over_limit(self) -> bool:
        if self.calls_per_s is None:
            return False
        now = time.monotonic()
        while self._served and self._served[0] <= now - 1:
            self._served.popleft()
        if len(self._served) >= self.calls_per_s:
            return True
        self._served.append(now)
        return False
