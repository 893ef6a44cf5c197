"""Opens the storage that the settings describe."""

from __future__ import annotations

from bot.config.settings import Settings
from bot.storage.pictures.bucket import Bucket, BucketKey
from bot.storage.sql_storage import SqlStorage, StorageOptions


async def open_storage(settings: Settings, *, allow_partial: bool = False) -> SqlStorage:
    """Open the storage. Raises BackendError.

    ``allow_partial``: open it even if a data transfer to it is incomplete, in order to continue the transfer.
    """
    options = StorageOptions(
        pictures=settings.pictures,
        bucket=bucket_of(settings),
        connections=settings.database_connections,
        allow_partial=allow_partial,
    )
    return await SqlStorage.open(settings.data_dir, settings.database_url, options)


def bucket_of(settings: Settings) -> Bucket | None:
    """Return the bucket for pictures; None if they are stored elsewhere."""
    if settings.pictures != "bucket" or settings.bucket is None:
        return None
    name, _, prefix = settings.bucket.partition("/")
    key_id, secret = settings.aws_access_key_id, settings.aws_secret_access_key
    return Bucket(
        name=name,
        prefix=prefix,
        endpoint=settings.bucket_endpoint,
        region=settings.aws_region,
        key=BucketKey(key_id, secret, settings.aws_session_token) if key_id and secret else None,
    )
