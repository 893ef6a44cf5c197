"""A back end that is elsewhere and not always well."""

from __future__ import annotations

import math

from bot.adapters.memory import MemorySearch
from bot.adapters.port import Capabilities
from bot.domain.identifiers import DatabaseKey, DataId, EntityId, Note
from bot.domain.matches import MAX_RESULTS, Caveat, Matches, Verdict
from bot.domain.pictures import Picture


class FaultySearch(MemorySearch):
    """Says of its answers what is in ``caveats``, and raises the ``error``; for so many calls (``failing_calls``).

    ``calls``: the operations that it was asked for.
    """

    def __init__(self) -> None:
        super().__init__()
        self.error: Exception | None = None
        self.caveats: set[Caveat] = set()
        self.failing_calls = math.inf
        self.calls: list[str] = []

    @property
    def capabilities(self) -> Capabilities:
        """It goes by the hosted service's name, and fetches nothing."""
        return Capabilities("showapi", MAX_RESULTS, deletes_single_images=True, needs_public_url=False)

    def recover(self) -> None:
        """All is well again."""
        self.error, self.caveats, self.failing_calls = None, set(), math.inf

    async def create_database(self, database: DatabaseKey) -> None:
        """Make an empty database."""
        self._called("create")
        await super().create_database(database)

    async def add_image(
        self, database: DatabaseKey, picture: Picture, entity: EntityId, note: Note, data_id: DataId | None = None
    ) -> DataId:
        """Add a picture."""
        self._called("add")
        return await super().add_image(database, picture, entity, note, data_id)

    async def search(self, database: DatabaseKey, picture: Picture, limit: int = 10) -> Matches:
        """The most alike images; with SAME_IMAGES_ONLY, copies alone."""
        self._called("search")
        found = await super().search(database, picture, limit)
        only_copies = Caveat.SAME_IMAGES_ONLY in self.caveats
        return Matches([match for match in found if match.verdict is Verdict.SAME or not only_copies], self.caveats)

    async def ping(self) -> None:
        """Return if all is well."""
        self._called("ping")

    def _called(self, operation: str) -> None:
        self.calls.append(operation)
        if self.failing_calls <= 0:
            self.recover()
        self.failing_calls -= 1
        if self.error:
            raise self.error
