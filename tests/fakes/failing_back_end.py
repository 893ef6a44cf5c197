"""A remote back end that fails on demand."""

from __future__ import annotations

import math
from collections.abc import Collection

from bot.adapters.memory import MemorySearch
from bot.adapters.port import Capabilities
from bot.domain.identifiers import DatabaseKey, DataId, EntityId, Note
from bot.domain.matches import MAX_RESULTS, Caveat, Matches, Verdict
from bot.domain.pictures import Picture


class FaultySearch(MemorySearch):
    """A back end that adds ``caveats`` to its results and raises ``error``, for a number of calls (``failing_calls``).

    ``calls`` lists the operations that were called.
    """

    def __init__(self) -> None:
        super().__init__()
        self.error: Exception | None = None
        self.caveats: set[Caveat] = set()
        self.failing_calls = math.inf
        self.calls: list[str] = []

    @property
    def capabilities(self) -> Capabilities:
        """Return the hosted service's name, without fetching pictures."""
        return Capabilities("showapi", MAX_RESULTS, deletes_single_images=True, needs_public_url=False)

    def recover(self) -> None:
        """Stop failing."""
        self.error, self.caveats, self.failing_calls = None, set(), math.inf

    async def create_database(self, database: DatabaseKey) -> None:
        """Create an empty database."""
        self._called("create")
        await super().create_database(database)

    async def add_image(
        self, database: DatabaseKey, picture: Picture, entity: EntityId, note: Note, data_id: DataId | None = None
    ) -> DataId:
        """Add a picture."""
        self._called("add")
        return await super().add_image(database, picture, entity, note, data_id)

    async def search(
        self, database: DatabaseKey, picture: Picture, limit: int = 10, exclude: Collection[DataId] = ()
    ) -> Matches:
        """Return the best matches, or with SAME_IMAGES_ONLY only copies."""
        self._called("search")
        found = await super().search(database, picture, limit, exclude)
        only_copies = Caveat.SAME_IMAGES_ONLY in self.caveats
        return Matches([match for match in found if match.verdict is Verdict.SAME or not only_copies], self.caveats)

    async def ping(self) -> None:
        """Return if the back end is not failing."""
        self._called("ping")

    def _called(self, operation: str) -> None:
        self.calls.append(operation)
        if self.failing_calls <= 0:
            self.recover()
        self.failing_calls -= 1
        if self.error:
            raise self.error
