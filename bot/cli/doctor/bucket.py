"""Whether the bucket for pictures can be written, read and deleted from, by an object that comes and goes."""

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

REMEDY = "docs/operating.md says what a bucket needs."


def bucket(settings: Settings) -> Iterator[CheckResult]:
    """Nothing, where pictures are kept elsewhere."""
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
