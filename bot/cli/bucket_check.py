"""Whether the bucket for pictures can be written, read and deleted from, by an object that comes and goes."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from typing import TYPE_CHECKING

from bot.cli.checks import CheckResult, CheckStatus
from bot.cli.exits import ExitCode
from bot.config import Settings
from bot.errors import BackendError, BackendGarbled

if TYPE_CHECKING:
    from bot.storage.bucket import Bucket

REMEDY = "docs/operating.md says what a bucket needs."


def bucket(settings: Settings) -> Iterator[CheckResult]:
    """Nothing, where pictures are kept elsewhere."""
    from bot.app import bucket_of  # noqa: PLC0415 - slow to load, and most commands do without

    place = bucket_of(settings)
    if place is None:
        return
    try:
        asyncio.run(_write_read_delete(place))
    except BackendError as error:
        yield CheckResult("Bucket", CheckStatus.WRONG, str(error).removesuffix("."), REMEDY, ExitCode.STORAGE)
        return
    yield CheckResult("Bucket", CheckStatus.OK, f"{place} can be written, read and deleted from")


async def _write_read_delete(place: Bucket) -> None:
    from bot.storage.bucket import BucketObjects  # noqa: PLC0415 - as above

    objects = BucketObjects(place)
    name, content = f"vsearch-doctor-{secrets.token_hex(8)}", secrets.token_bytes(64)
    await objects.put(name, content)
    try:
        if await objects.get(name) != content:
            raise BackendGarbled(f"The bucket {place} gives back something else than it was given.")
    except KeyError:
        raise BackendGarbled(f"The bucket {place} doesn't give back what it was given.") from None
    finally:
        await objects.delete(name)
    if await objects.has(name):
        raise BackendGarbled(f"The bucket {place} keeps what is deleted.")
