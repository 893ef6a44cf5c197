"""The ASGI application: routes, authentication, and the envelope around every response."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import nullcontext

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from bot.adapters.port import VisualSearch
from bot.api.errors import CallRefused, GatewayCode, GatewayRefused, call_error
from bot.api.form_fields import FormFields
from bot.api.keys import ApiKeys
from bot.api.limits import ApiLimits
from bot.api.operations import Body, Operation, Operations
from bot.api.pictures import ApiPictureReader, Fetch, HoldMemory, Read
from bot.api.ports import ApiStorage
from bot.domain.errors import BackendError, BotError
from bot.domain.identifiers import WorkspaceId
from bot.images.memory import on_behalf_of
from bot.telemetry.logs import raise_locations, request_scope

log = logging.getLogger(__name__)

MAX_BODY = 64_000
"""Largest body in bytes. The longest valid fields need a third of it."""

_NO_STORE = {"Cache-Control": "no-store"}

ReadBody = Callable[[Request, int, float], Awaitable[bytes | None]]
"""Reads a request's body, given a limit in bytes and a timeout in seconds. Returns None if the body is longer."""


def api_app(
    *,
    visual: VisualSearch,
    storage: ApiStorage,
    fetch: Fetch,
    read: Read,
    read_body: ReadBody,
    keys: Iterable[str],
    limits: ApiLimits | None = None,
    hold_memory: HoldMemory = nullcontext,
    version: str = "",
) -> ASGIApp:
    """Return the application. ``fetch`` downloads the content of a URL, and ``read`` verifies and decodes it."""
    limits = limits or ApiLimits()
    operations = Operations(visual, storage, ApiPictureReader(fetch, read, limits, hold_memory), limits)
    api_keys = ApiKeys(keys)
    by_path: dict[str, Operation] = {
        "/2475-1": operations.create_database,
        "/2475-2": operations.list_databases,
        "/2475-3": operations.add_image,
        "/2475-4": operations.list_images,
        "/2475-5": operations.search_image,
        "/2475-6": operations.delete_database,
        "/2475-7": operations.delete_image,
    }
    routes = [
        Route(path, ApiEndpoint(path, operation, api_keys, limits.body_timeout_s, read_body).answer, methods=["POST"])
        for path, operation in by_path.items()
    ]
    routes.append(Route("/healthz", _health(version), methods=["GET"]))
    unknown = ApiEndpoint("unknown path", _unknown_path, api_keys, limits.body_timeout_s, read_body)
    routes.append(Route("/{path:path}", unknown.answer, methods=["POST"]))
    starlette = Starlette(routes=routes)
    starlette.router.redirect_slashes = False
    return starlette


class ApiEndpoint:
    """Handles one path. Like the service, it always returns status 200 and an envelope, even for errors."""

    def __init__(self, path: str, operation: Operation, keys: ApiKeys, timeout_s: float, read_body: ReadBody) -> None:
        self._path = path
        self._operation = operation
        self._keys = keys
        self._timeout_s = timeout_s
        self._read_body = read_body

    async def answer(self, request: Request) -> Response:
        """Run the operation and return its result or its error."""
        with request_scope() as scope:
            # A unique id. Its end is the request's id in the log.
            identifier = f"{time.time_ns():016x}{scope}"
            started = time.perf_counter()
            try:
                body = await self._body(request)
                outcome, answer = "done", _success(identifier, body)
            except GatewayRefused as error:
                outcome, answer = f"refused, {error.code:d}", _gateway_error(identifier, error)
            except BotError as error:
                refusal = call_error(error)
                outcome, answer = f"refused, {refusal.code}", _search_error(identifier, refusal)
                if isinstance(error, BackendError):
                    log.warning("the back end failed: %s: %s", type(error).__name__, error)
            except Exception as error:  # noqa: BLE001 - the outermost handler of a request
                # Don't log the exception's text, which may quote what the caller sent.
                log.error("%s, raised by %s", type(error).__name__, raise_locations(error))  # noqa: TRY400
                outcome, answer = "failed", _search_error(identifier, call_error(BotError()))
            log.info("%s: %s, in %.0f ms", self._path, outcome, 1000 * (time.perf_counter() - started))
        return JSONResponse(answer, headers=_NO_STORE)

    async def _body(self, request: Request) -> Body:
        workspace = self._keys.workspace(request.query_params.get("appKey"))
        try:
            body = await self._read_body(request, MAX_BODY, self._timeout_s)
        except (TimeoutError, ClientDisconnect):
            raise GatewayRefused(GatewayCode.INVALID, "The request took too long to arrive.") from None
        if body is None:
            raise GatewayRefused(GatewayCode.INVALID, f"The form is larger than {MAX_BODY:,} bytes.")
        fields = FormFields.of(body, request.headers.get("content-type", ""))
        fields.require_source()
        with on_behalf_of(workspace):
            return await self._operation(workspace, fields)


async def _unknown_path(workspace: WorkspaceId, fields: FormFields) -> Body:
    """Refuse a call of any other path."""
    del workspace, fields
    raise GatewayRefused(GatewayCode.NO_SUCH_SERVICE, "Unknown path. The services are at /2475-1 to /2475-7.")


def _health(version: str) -> Callable[[Request], Awaitable[Response]]:
    """Return an endpoint that answers 200 as long as the process does, even if the back end is down."""
    text = f"ok\nvsearch {version}\n" if version else "ok"

    async def answer(_request: Request) -> Response:
        return PlainTextResponse(text, headers=_NO_STORE)

    return answer


def _envelope(identifier: str, body: Body, code: int = GatewayCode.OK, error: str = "") -> Body:
    return {
        "showapi_res_code": int(code),
        "showapi_res_error": error,
        "showapi_res_id": identifier,
        "showapi_fee_num": 0,
        "showapi_res_body": body,
    }


def _success(identifier: str, body: Body) -> Body:
    return _envelope(identifier, {"ret_code": 0, "remark": "OK", "RequestId": identifier, **body})


def _gateway_error(identifier: str, error: GatewayRefused) -> Body:
    return _envelope(identifier, {}, error.code, str(error))


def _search_error(identifier: str, refusal: CallRefused) -> Body:
    remark = f"{refusal.code} - {refusal}"
    message = {"ret_code": refusal.code.number, "remark": remark, "RequestId": identifier, "Code": refusal.code}
    return _envelope(identifier, message)
