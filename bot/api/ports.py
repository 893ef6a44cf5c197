"""The API's storage port."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from bot.domain.identifiers import DatabaseKey, DataId, EntityId


class ImageUrls(Protocol):
    """The URL from which each image was added. Matches show it, but back ends don't store it."""

    async def put(self, key: DatabaseKey, data_id: DataId, entity: EntityId, url: str) -> None:
        """Store the URL from which an image was added."""
        ...

    async def urls(self, key: DatabaseKey, data_ids: Iterable[DataId]) -> Mapping[DataId, str]:
        """Return the URLs of the images that have one."""
        ...

    async def forget_entity(self, key: DatabaseKey, entity: EntityId) -> None:
        """Delete the URLs of an entity's images."""
        ...

    async def forget_database(self, key: DatabaseKey) -> None:
        """Delete the URLs of all images of a database."""
        ...


class ApiStorage(Protocol):
    """Storage of the images' URLs. Its transactions include the back end's own rows."""

    @property
    def api_images(self) -> ImageUrls:
        """The images' URLs."""
        ...

    def unit(self) -> AbstractAsyncContextManager[None]:
        """Begin a unit of work: all writes inside are one transaction. The commit at the end may raise their errors."""
        ...
