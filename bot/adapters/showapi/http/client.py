"""The client of the hosted service: its seven operations over HTTP."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Final, TypeVar

import httpx

from bot.adapters.showapi.http import error_codes, paging, responses
from bot.adapters.showapi.http.error_codes import ErrorMapping
from bot.adapters.showapi.http.error_mapping import NETWORK_ERRORS, CallFailure, FailureFactory
from bot.adapters.showapi.http.resilience import DEFAULT_RETRY_POLICY, Circuit, RateLimiter, Retrier, RetryPolicy
from bot.adapters.showapi.http.responses import FailedResponse, Json, ParsedPage, UnexpectedResponse
from bot.adapters.showapi.http.transport import HttpTransport
from bot.adapters.showapi.http.values import HostedMatch, HostedPage, HostedRow
from bot.domain.errors import BackendDown, BackendError, BackendLost, BackendRefused, BackendThrottled
from bot.telemetry.metrics import Metrics, NullMetrics

log = logging.getLogger(__name__)

T = TypeVar("T")

_NO_METRICS: Final = NullMetrics()


@dataclass(frozen=True, slots=True)
class ShowApiAccount:
    """The service's URL, our credentials and the rate limit. ``ds_id`` names a data source of the account."""

    base_url: str
    app_key: str = field(repr=False)
    ds_id: str
    calls_per_s: float = 2


@dataclass(frozen=True, slots=True)
class _Operation:
    """One operation. ``number`` is part of its path, and ``name`` labels logs and metrics."""

    number: int
    name: str
    idempotent: bool


_CREATE = _Operation(1, "create_database", idempotent=False)
_DATABASES = _Operation(2, "databases", idempotent=True)
_ADD = _Operation(3, "add_image", idempotent=False)
_IMAGES = _Operation(4, "images", idempotent=True)
_SEARCH = _Operation(5, "search", idempotent=True)
_DROP = _Operation(6, "delete_database", idempotent=True)
_DELETE = _Operation(7, "delete_images", idempotent=True)


class ShowApiClient:
    """Calls the service with a rate limiter, retries and a circuit breaker.

    While the circuit is open, calls fail at once. Each call raises BackendError, or PictureRefused for a picture. An
    error's ``may_have_been_done`` is false only if the call was certainly not carried out.
    """

    def __init__(
        self,
        account: ShowApiAccount,
        *,
        metrics: Metrics = _NO_METRICS,
        transport: httpx.AsyncBaseTransport | None = None,
        retry_policy: RetryPolicy = DEFAULT_RETRY_POLICY,
    ) -> None:
        self._account = account
        self._metrics = metrics
        self._policy = retry_policy
        self._transport = HttpTransport(account.base_url, account.app_key, retry_policy, transport)
        self._failures = FailureFactory((account.app_key,))
        self._rate_limiter = RateLimiter(account.calls_per_s)
        self._circuit = Circuit(retry_policy, self._probe)
        self._retries = Retrier(retry_policy, self._circuit)
        self._answered_at = -math.inf

    @property
    def is_down(self) -> bool:
        """Whether the circuit breaker is open after repeated failures."""
        return not self._circuit.is_closed

    def succeeded_within(self, seconds: float) -> bool:
        """Return whether a call succeeded within the last ``seconds`` and the circuit is closed."""
        return not self.is_down and time.monotonic() - self._answered_at < seconds

    async def create_database(self, name: str) -> None:
        """Create an empty database. The service doesn't document what happens if the name exists."""
        await self._call(_CREATE, _no_data, Name=name)

    async def databases(self) -> tuple[str, ...]:
        """Return the names of the account's databases."""
        return await self._call(_DATABASES, responses.parse_database_names)

    async def delete_database(self, name: str) -> None:
        """Delete a database and its images. Raises BackendLost if there was none."""
        try:
            await self._call_database(name, _DROP, _no_data, Name=name)
        except BackendLost as error:
            # If an earlier attempt may have been carried out, that attempt deleted it.
            if not error.may_have_been_done:
                raise

    async def add_image(self, database: str, entity: str, extra: str, image_url: str) -> str:
        """Add the picture at an ASCII URL, and return the service's own id for it."""
        fields = {"EntityId": entity, "ExtraData": extra, "ImageUrl": image_url}
        return await self._call_database(database, _ADD, responses.parse_data_id, DbName=database, **fields)

    async def images(
        self,
        database: str,
        *,
        offset: int | None = None,
        limit: int | None = None,
        token: str = "",
        newest_first: bool | None = None,
        prefix: str = "",
    ) -> HostedPage:
        """Return a page of a database's images, by ``offset`` up to 2,000, then by the ``token`` of the page before."""
        parsed = await self._rows(
            database, offset=offset, limit=limit, token=token, newest_first=newest_first, prefix=prefix
        )
        return parsed.page

    async def all_images(self, database: str, prefix: str = "") -> AsyncIterator[HostedRow]:
        """Yield every image whose entity begins with ``prefix`` once, over all pages."""
        # With the oldest first, images that are added meanwhile come last and move no others.
        fetch = partial(self._rows, database, newest_first=False, prefix=prefix)
        async for row in paging.all_rows(fetch):
            # Check the prefix here too. If the service ignored it, images of others would be taken for ours.
            if row.entity.startswith(prefix):
                yield row

    async def delete_images(self, database: str, entity: str) -> None:
        """Delete all images of an entity. The service doesn't report whether there were any."""
        await self._call_database(database, _DELETE, _no_data, DbName=database, EntityId=entity)

    async def search(self, database: str, image_url: str, limit: int) -> tuple[HostedMatch, ...]:
        """Return the matches of the picture at an ASCII URL, in the service's order, which may contain duplicates."""
        found, unreadable = await self._call_database(
            database, _SEARCH, responses.parse_matches, DbName=database, ImageUrl=image_url, Limit=str(limit)
        )
        if unreadable:
            log.warning("%d of %d matches of the image search are unreadable", unreadable, unreadable + len(found))
        return found

    async def close(self) -> None:
        """Stop probing and close the connections."""
        await self._circuit.close()
        await self._transport.close()

    async def _rows(
        self,
        database: str,
        *,
        offset: int | None = None,
        limit: int | None = None,
        token: str = "",
        newest_first: bool | None = None,
        prefix: str = "",
    ) -> ParsedPage:
        optional = {
            "Offset": "" if offset is None else str(offset),
            "Limit": "" if limit is None else str(limit),
            "Token": token,
            "Order": "" if newest_first is None else "desc" if newest_first else "asc",
            "EntityIdPrefix": prefix,
        }
        given = {name: value for name, value in optional.items() if value}
        return await self._call_database(database, _IMAGES, responses.parse_rows, DbName=database, **given)

    async def _call_database(
        self, database: str, operation: _Operation, parse: Callable[[Json], T], **fields: str
    ) -> T:
        """Call an operation on one database. Raises BackendLost if the database is missing.

        The service refuses a missing database like any bad argument, so a refusal is checked against the listing.
        """
        try:
            return await self._call(operation, parse, **fields)
        except BackendRefused as error:
            if type(error) is not BackendRefused or not await self._is_missing(database):
                raise
            lost = BackendLost(f"{error}; the service lists no database “{database}”")
            lost.may_have_been_done = error.may_have_been_done and operation is _DROP
        raise lost

    async def _is_missing(self, database: str) -> bool:
        with suppress(BackendError):
            return database not in await self.databases()
        return False

    async def _call(self, operation: _Operation, parse: Callable[[Json], T], **fields: str) -> T:
        form = {"ds_id": self._account.ds_id, **fields}
        if self.is_down:
            raise BackendDown(self._circuit.describe())
        try:
            return await self._retries.run(
                partial(self._rate_limited_request, operation, form, parse), idempotent=operation.idempotent
            )
        except CallFailure as failure:
            log.warning("the image search: %s: %s", type(failure.error).__name__, failure.description)
            error = failure.error
        # Raised outside the handler, so that no library's exception becomes its context.
        raise error

    async def _rate_limited_request(
        self, operation: _Operation, form: dict[str, str], parse: Callable[[Json], T], until: float
    ) -> T:
        """Wait for the rate limiter, then make one attempt. Raises CallFailure."""
        if not await self._rate_limiter.acquire(until):
            description = f"{operation.name}: not sent within the limit of {self._account.calls_per_s:g} calls a second"
            raise CallFailure(ErrorMapping(BackendThrottled), description)
        if self.is_down:
            raise CallFailure(error_codes.ABSENT, self._circuit.describe())
        return await self._request(operation, form, parse, until)

    async def _request(
        self, operation: _Operation, form: dict[str, str], parse: Callable[[Json], T], until: float
    ) -> T:
        started, outcome = time.perf_counter(), "given_up"
        try:
            with self._circuit.recording():
                result = await self._post(operation, form, parse, until)
        except CallFailure as failure:
            outcome = type(failure.error).__name__
            raise
        else:
            outcome = "answered"
            self._answered_at = time.monotonic()
            return result
        finally:
            self._metrics.hosted_call(operation.name, outcome, time.perf_counter() - started)

    async def _post(self, operation: _Operation, form: dict[str, str], parse: Callable[[Json], T], until: float) -> T:
        remaining_s = until - asyncio.get_running_loop().time()
        try:
            status, content = await self._transport.post(
                f"/2475-{operation.number}", form, min(self._policy.attempt_s, remaining_s)
            )
            response = responses.parse_response(status, content)
            if isinstance(response, FailedResponse):
                raise self._failures.refused(operation.name, response)
            self._metrics.hosted_charged(response.charged)
            return parse(response.body)
        except UnexpectedResponse as error:
            raise self._failures.unreadable(operation.name, str(error)) from error
        except NETWORK_ERRORS as error:
            raise self._failures.network_failed(operation.name, error) from error

    async def _probe(self) -> None:
        """Make one cheap call. Raises CallFailure."""
        until = asyncio.get_running_loop().time() + self._policy.attempt_s
        await self._rate_limiter.acquire(until)
        await self._request(_DATABASES, {"ds_id": self._account.ds_id}, responses.parse_database_names, until)


def _no_data(_body: Json) -> None:
    """Return nothing. The operation has no data besides its two codes."""
