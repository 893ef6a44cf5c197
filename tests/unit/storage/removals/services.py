"""The services that add and delete, on the embedded engine."""

from __future__ import annotations

from bot.domain.catalogue import SlackOrigin
from bot.domain.errors import AlreadyAdded
from bot.domain.identifiers import DatabaseKey, DatabaseName, EntityId, Note, WorkspaceId
from bot.services.databases import DatabaseService
from bot.services.images.addition import AddService
from bot.services.images.deletion import DeleteService
from bot.services.images.new_image import NewImage
from bot.services.maintenance.removal import RemovalService
from bot.storage.sql_storage import SqlStorage
from tests.fakes.features import embedded_search, random_picture

TEAM = WorkspaceId("T1")
PARTS, OTHERS = DatabaseKey(TEAM, DatabaseName("parts")), DatabaseKey(TEAM, DatabaseName("others"))
IMAGES = 60
"""More than are deleted in the transaction that marks a database."""

SECRET = "a note that nobody may read any more"


class Services:
    """The services that add and delete, on the embedded engine."""

    def __init__(self, storage: SqlStorage) -> None:
        self.storage = storage
        self.visual = embedded_search(storage)
        self.databases = DatabaseService(self.visual, storage)
        self.additions = AddService(self.visual, storage)
        self.deletions = DeleteService(self.visual, storage)
        self.removal = RemovalService(self.visual, storage, self.deletions, self.databases)

    async def fill(self, key: DatabaseKey, pictures: range, entity: str = "valve") -> None:
        """Add pictures, each from a file and a message of its own."""
        for number in pictures:
            picture = random_picture(number)
            origin = SlackOrigin(f"F{number}", "C1", f"{number}.0")
            new = NewImage(picture, b"jpeg", EntityId(entity), Note(SECRET), "U1", origin)
            [outcome] = await self.additions.add_all(key, [new])
            assert not isinstance(outcome, AlreadyAdded)

    async def stored(self) -> int:
        """Count the pictures of the first ``IMAGES`` numbers that are stored."""
        count = 0
        for number in range(IMAGES):
            try:
                await self.storage.pictures.get(random_picture(number).digest)
            except KeyError:
                continue
            count += 1
        return count
