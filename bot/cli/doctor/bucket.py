"""Check that the bucket for pictures works: write, read and delete a test object."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator

from bot.app.storage import bucket_of
from bot.cli.doctor.result import CheckResult, CheckStatus
from bot.cli.terminal.exit_codes import ExitCode
from bot.config.settings import Settings
from bot.domain.errors import BackendError, BackendGarbled
from bot.storage.pictures.bucket import Bucket, BucketObjects

REMEDY = "See docs/operating.md for what a bucket needs."


def bucket(settings: Settings) -> Iterator[CheckResult]:
    """Check the bucket; yield nothing if pictures are stored elsewhere."""
    place = bucket_of(settings)
    if place is None:
        return
    try:
        asyncio.run(_write_read_delete(place))
    except BackendError as error:
        yield CheckResult("Bucket", CheckStatus.WRONG, str(error).removesuffix("."), REMEDY, ExitCode.STORAGE)
        return
    yield CheckResult("Bucket", CheckStatus.OK, f"{place} is writable and readable, and objects in it can be deleted")


async def _write_read_delete(place: Bucket) -> None:
    objects = BucketObjects(place)
    name, content = f"vsearch-doctor-{secrets.token_hex(8)}", secrets.token_bytes(64)
    await objects.put(name, content)
    try:
        if await objects.get(name) != content:
            raise BackendGarbled(f"The bucket {place} returned other content than was written.")
    except KeyError:
        raise BackendGarbled(f"The bucket {place} doesn't return an object that was just written.") from None
    finally:
        await objects.delete(name)
    if await objects.has(name):
        raise BackendGarbled(f"The bucket {place} still has an object that was just deleted.")
