"""Opens the storage that the settings name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.storage.sql_storage import SqlStorage, StorageOptions

# What needs the numeric libraries is imported where it is made: `vsearch --help` does not wait for them.
if TYPE_CHECKING:
    from bot.config.settings import Settings
    from bot.storage.pictures.bucket import Bucket


async def open_storage(settings: Settings, *, allow_partial: bool = False) -> SqlStorage:
    """The storage that the settings name; ``allow_partial``: to finish a move to it. Raises BackendError."""
    choices = StorageOptions(
        pictures=settings.pictures,
        bucket=bucket_of(settings),
        connections=settings.database_connections,
        allow_partial=allow_partial,
    )
    return await SqlStorage.open(settings.data_dir, settings.database_url, choices)


def bucket_of(settings: Settings) -> Bucket | None:
    """The bucket that pictures are to be kept in, if they are."""
    if settings.pictures != "bucket" or settings.bucket is None:
        return None
    from bot.storage.pictures.bucket import Bucket, BucketKey  # noqa: PLC0415 - most have none

    name, _, prefix = settings.bucket.partition("/")
    key_id, secret = settings.aws_access_key_id, settings.aws_secret_access_key
    return Bucket(
        name=name,
        prefix=prefix,
        endpoint=settings.bucket_endpoint,
        region=settings.aws_region,
        key=BucketKey(key_id, secret, settings.aws_session_token) if key_id and secret else None,
    )
