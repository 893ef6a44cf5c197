"""Objects in an S3-compatible bucket. Every call has a time limit, and every failure is a BackendError."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import S3Store

from bot.domain.errors import (
    BackendCredentials,
    BackendDown,
    BackendError,
    BackendRefused,
    BackendThrottled,
    BackendTimeout,
)

if TYPE_CHECKING:
    from obstore import ListStream, ObjectMeta
    from obstore.store import S3Credential

T = TypeVar("T")
CONCURRENCY = 16
"""Maximum number of concurrent calls of ``for_each``."""

LISTED = 500
"""Objects in one batch of a listing."""

ANY_REGION = "us-east-1"
"""The region to name to services that have no regions."""

_REQUIRED_RIGHTS = "that it may get, put and delete objects and list the bucket"
_CODE = re.compile(r"<Code>(\w{1,64})</Code>")
_STATUS = re.compile(r"status code: (\d{3})")
_TIMED_OUT, _REDIRECTED = "kind: Timeout", "BareRedirect"
"""Texts in obstore's errors, whose types only distinguish refused requests."""

_KEY_ERRORS = {"ExpiredToken", "InvalidToken"}
_BUSY = {429, 503}
_BROKEN = 500


@dataclass(frozen=True, slots=True)
class BucketKey:
    """The access key that signs requests. Temporary keys have a session ``token``."""

    id: str
    secret: str = field(repr=False)
    token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """The location of a bucket.

    Without ``endpoint`` it is at Amazon S3, in the region. Without ``key``, the machine's role provides one.
    """

    name: str
    prefix: str = ""
    endpoint: str | None = None
    region: str | None = None
    key: BucketKey | None = None

    @property
    def address(self) -> str:
        """The URL of the service."""
        return self.endpoint or f"https://s3.{self.region or ANY_REGION}.amazonaws.com"

    def __str__(self) -> str:
        return f"“{self.name}” at {self.address}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketTimeouts:
    """Time limits in seconds, and the number of attempts.

    ``connect_s``: to open a connection.
    ``request_s``: for one request.
    ``retry_within_s``: no request is retried later than this after the first.
    ``call_s``: for a call with all its attempts.
    """

    connect_s: float = 3.0
    request_s: float = 8.0
    retry_within_s: float = 8.0
    call_s: float = 20.0
    attempts: int = 3


DEFAULT_TIMEOUTS = BucketTimeouts()


class BucketObjects:
    """The objects of a bucket, under its prefix. Not bound to an event loop. Every method raises BackendError.

    Requests that failed because of the service are retried. That is safe, because objects never change.
    """

    def __init__(self, bucket: Bucket, timeouts: BucketTimeouts = DEFAULT_TIMEOUTS) -> None:
        self._bucket = bucket
        self._timeouts = timeouts
        self._store = _store(bucket, timeouts)

    async def has(self, name: str) -> bool:
        """Return whether the object exists."""
        try:
            await self._call(lambda: self._store.head_async(name))
        except FileNotFoundError:
            return False
        return True

    async def get(self, name: str) -> bytes:
        """Return the object's bytes. Raises KeyError."""

        async def read() -> bytes:
            result = await self._store.get_async(name)
            return bytes(await result.bytes_async())

        try:
            return await self._call(read)
        except FileNotFoundError:
            raise KeyError(name) from None

    async def put(self, name: str, content: bytes) -> None:
        """Store an object. It is durable on return."""
        attributes = {"Content-Type": "image/jpeg"}
        try:
            await self._call(
                lambda: self._store.put_async(
                    name, content, attributes=attributes, use_multipart=False, mode="overwrite"
                )
            )
        except FileNotFoundError:
            raise self._no_bucket_error() from None

    async def delete(self, name: str) -> None:
        """Delete an object if it exists."""
        try:
            await self._call(lambda: self._store.delete_async(name))
        except FileNotFoundError:
            return

    async def stored_before(self, moment: datetime) -> AsyncIterator[Sequence[str]]:
        """Yield the names of objects that were stored before a moment, in batches."""
        listing = self._store.list(chunk_size=LISTED)
        while True:
            batch = await self._call(lambda: _next_batch(listing))
            if not batch:
                return
            yield [str(found["path"]) for found in batch if found["last_modified"] < moment]

    async def _call(self, work: Callable[[], Awaitable[T]]) -> T:
        """Run ``work`` within the time limit of a call. Raises FileNotFoundError and BackendError."""
        try:
            async with asyncio.timeout(self._timeouts.call_s):
                return await work()
        except FileNotFoundError as error:
            if _code(error) != "NoSuchBucket":
                raise
        except TimeoutError:
            raise self._timeout_error() from None
        except BaseError as error:
            # Without the cause, because its text has the service's whole answer, which may repeat the request.
            raise self._translate_error(error) from None
        raise self._no_bucket_error() from None

    def _translate_error(self, error: BaseError) -> BackendError:
        bucket, text, code = self._bucket, str(error), _code(error)
        status = _status(text)
        if bucket.key is None and bucket.address not in text:
            return BackendCredentials(
                f"There is no key for the bucket {bucket}, and this machine has no role that brings one:"
                " set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
            )
        if isinstance(error, PermissionDeniedError | UnauthenticatedError) or code in _KEY_ERRORS:
            return BackendCredentials(
                f"The bucket {bucket} refuses the key, or its rights are too few ({code or status}):"
                f" check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and {_REQUIRED_RIGHTS}."
            )
        if status in _BUSY:
            return BackendThrottled(f"The bucket {bucket} is limiting our requests ({code or status}).")
        if status is not None and status < _BROKEN:
            return BackendRefused(
                f"The bucket {bucket} refused a request ({code or status}):"
                " check AWS_REGION and VSEARCH_BUCKET_ENDPOINT."
            )
        if _TIMED_OUT in text:
            return self._timeout_error()
        why = f"it fails ({code or status})" if status else "there is no connection"
        return BackendDown(f"The bucket {bucket} can't be reached: {why}.")

    def _timeout_error(self) -> BackendTimeout:
        return BackendTimeout(f"The bucket {self._bucket} took too long to answer.")

    def _no_bucket_error(self) -> BackendRefused:
        return BackendRefused(f"There is no bucket {self._bucket}: create it, or correct VSEARCH_BUCKET.")


async def _next_batch(listing: ListStream[Sequence[ObjectMeta]]) -> Sequence[ObjectMeta]:
    # Not with anext and a default: obstore's stream raises SystemError from that at its end.
    async for batch in listing:
        return batch
    return ()


async def for_each(work: Callable[[str], Awaitable[None]], names: Iterable[str]) -> None:
    """Run ``work`` for each name, up to CONCURRENCY at a time. When one fails, cancel the rest and raise its error."""
    remaining = iter(list(names))

    async def run() -> None:
        for name in remaining:
            await work(name)

    tasks = [asyncio.create_task(run()) for _ in range(CONCURRENCY)]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _store(bucket: Bucket, timeouts: BucketTimeouts) -> S3Store:
    # Every option that matters is given, because obstore would take missing ones from environment variables.
    return S3Store(
        bucket.name,
        prefix=bucket.prefix or None,
        aws_endpoint_url_s3=bucket.address,
        region=bucket.region or ANY_REGION,
        virtual_hosted_style_request=False,
        # Delete objects one by one: not every service has bulk deletion, and a lost answer then concerns one object.
        disable_bulk_delete=True,
        skip_signature=False,
        client_options={
            "allow_http": bucket.address.startswith("http://"),
            "connect_timeout": timedelta(seconds=timeouts.connect_s),
            "timeout": timedelta(seconds=timeouts.request_s),
        },
        retry_config={
            "max_retries": timeouts.attempts - 1,
            "retry_timeout": timedelta(seconds=timeouts.retry_within_s),
            "backoff": {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=2), "base": 2},
        },
        credential_provider=None if bucket.key is None else _provider(bucket.key),
    )


def _provider(key: BucketKey) -> Callable[[], S3Credential]:
    def credential() -> S3Credential:
        return {"access_key_id": key.id, "secret_access_key": key.secret, "token": key.token, "expires_at": None}

    return credential


def _status(text: str) -> int | None:
    if _REDIRECTED in text:
        return 301
    found = _STATUS.search(text)
    return int(found[1]) if found else None


def _code(error: Exception) -> str | None:
    found = _CODE.search(str(error))
    return found[1] if found else None
