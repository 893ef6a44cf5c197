"""What the server needs of storage."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from bot.domain.identifiers import DatabaseKey, DataId, EntityId


class ImageUrls(Protocol):
    """The address that each image was added from, which matches show and back ends don't keep."""

    async def put(self, key: DatabaseKey, data_id: DataId, entity: EntityId, url: str) -> None:
        """Remember from which address an image was added."""
        ...

    async def urls(self, key: DatabaseKey, data_ids: Iterable[DataId]) -> Mapping[DataId, str]:
        """The addresses of those that are known."""
        ...

    async def forget_entity(self, key: DatabaseKey, entity: EntityId) -> None:
        """Forget the addresses of an entity's images."""
        ...

    async def forget_database(self, key: DatabaseKey) -> None:
        """Forget all of a database."""
        ...


class ApiStorage(Protocol):
    """Where addresses are kept, in one transaction with what the back end keeps there."""

    @property
    def api_images(self) -> ImageUrls:
        """The addresses."""
        ...

    def unit(self) -> AbstractAsyncContextManager[None]:
        """All writes awaited inside are one transaction, committed at the end; errors of theirs may show there."""
        ...
