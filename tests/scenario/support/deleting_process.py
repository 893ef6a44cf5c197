"""A process that adds, shows and deletes pictures at random, and prints a line before and after each step.

The deletion scenario kills it. Arguments: the data directory, Slack's address, the bot's token, a random seed, and the
steps that an earlier process has begun and not finished. The last one may be "finish", which ends what is left.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.catalogue import ImageRecord, SlackOrigin
from bot.domain.errors import AlreadyAdded, DatabaseExists, UnknownDatabase, UnknownEntity
from bot.domain.identifiers import DatabaseKey, DatabaseName, EntityId, Note, WorkspaceId
from bot.services.databases import DatabaseService
from bot.services.images.addition import AddService
from bot.services.images.deletion import DeleteService
from bot.services.images.new_image import NewImage
from bot.services.maintenance.removal import RemovalService
from bot.services.maintenance.removal_worker import RemovalWorker, sweep_pictures
from bot.storage.pictures.file_store import FilePictures
from bot.storage.slack.uploads import SqlThumbnails
from bot.storage.sql_storage import SqlStorage
from handlers.replies.uploads import ThumbnailUploads
from tests.fakes.features import random_picture
from tests.scenario.support.adding_process import engine

TEAM, LEAVING = WorkspaceId("T0STAYS"), WorkspaceId("T0LEAVES")
NAMES = tuple(DatabaseName(f"parts_{number}") for number in range(2))
PICTURES = 60
"""Few, so that pictures are shared between databases, and added again while they are being removed."""

STEPS = ("add",) * 6 + ("show", "file", "message", "entity", "database", "database", "uninstall")


class DeletingProcess:
    """Runs steps, each of which names what it is about."""

    def __init__(self, folder: Path, storage: SqlStorage, client: AsyncWebClient, seed: int) -> None:
        self._folder = folder
        self._storage = storage
        self._client = client
        self._random = random.Random(seed)
        self._seed = seed
        visual = engine(storage)
        self._databases, self._deletions = DatabaseService(visual, storage), DeleteService(visual, storage)
        self._additions = AddService(visual, storage)
        self._removal = RemovalService(visual, storage, self._deletions, self._databases)
        self.uploads = ThumbnailUploads(storage.thumbnails, storage.pictures)

    async def run(self, redo: list[str]) -> None:
        for step in redo:
            await self._step(step)
        await asyncio.gather(*(self._steps(number) for number in range(3)))

    async def _steps(self, lane: int) -> None:
        number = 0
        while True:
            number += 1
            await self._step(await self._next(f"{self._seed}x{lane}x{number}"))

    async def _next(self, unique: str) -> str:
        kind = self._random.choice(STEPS)
        workspace = LEAVING if kind == "uninstall" or self._random.random() < 0.3 else TEAM
        key = DatabaseKey(workspace, self._random.choice(NAMES))
        records: list[ImageRecord] = []
        if kind in {"file", "message", "entity", "show"}:
            for info in await self._storage.catalogue.databases(TEAM):
                # Another lane may delete it meanwhile.
                with contextlib.suppress(UnknownDatabase):
                    for name in range(PICTURES):
                        records += await self._storage.catalogue.of_entity(info.key, EntityId(f"part_{name}"))
        record = self._random.choice(records) if records else None
        steps = {"database": f"database {key.workspace} {key.name}", "uninstall": f"uninstall {LEAVING}"}
        if record and record.origin:
            steps |= {
                "file": f"file {record.origin.file_id}",
                "message": f"message {record.origin.message_ts}",
                "entity": f"entity {record.database.name} {record.entity}",
                "show": f"show {record.database.name} {record.entity}",
            }
        return steps.get(kind, f"add {key.workspace} {key.name} {self._random.randrange(PICTURES)} F{unique}")

    async def _step(self, step: str) -> None:
        print(f"begin {step}", flush=True)  # noqa: T201 - the parent reads it
        kind, *words = step.split()
        with contextlib.suppress(UnknownDatabase, UnknownEntity):
            await getattr(self, f"_{kind}")(*words)
        print(f"end {step}", flush=True)  # noqa: T201 - as above

    async def _add(self, workspace: str, name: str, picture: str, file: str) -> None:
        key = DatabaseKey(WorkspaceId(workspace), DatabaseName(name))
        with contextlib.suppress(DatabaseExists):
            await self._databases.create(key)
        shown = random_picture(int(picture))
        origin = SlackOrigin(file, "C1", f"{file}.0")
        jpeg = shown.pixels.tobytes()
        new = NewImage(shown, jpeg, EntityId(f"part_{picture}"), Note("secret"), "U1", origin)
        with contextlib.suppress(AlreadyAdded):
            await self._additions.add_all(key, [new])

    async def _show(self, name: str, entity: str) -> None:
        records = await self._storage.catalogue.of_entity(DatabaseKey(TEAM, DatabaseName(name)), EntityId(entity))
        await self.uploads.files(TEAM, self._client, records)

    async def _file(self, file: str) -> None:
        await self._removal.remove_file(TEAM, file)

    async def _message(self, message: str) -> None:
        await self._removal.remove_message(TEAM, "C1", message)

    async def _entity(self, name: str, entity: str) -> None:
        await self._deletions.delete(DatabaseKey(TEAM, DatabaseName(name)), EntityId(entity))

    async def _database(self, workspace: str, name: str) -> None:
        await self._databases.delete(DatabaseKey(WorkspaceId(workspace), DatabaseName(name)))

    async def _uninstall(self, workspace: str) -> None:
        await self._removal.remove_workspace(WorkspaceId(workspace))

    async def finish(self, redo: list[str]) -> None:
        """Finish everything, as a bot does within a day."""
        for step in redo:
            await self._step(step)
        later = datetime.now(UTC) + timedelta(hours=2)
        uploads = ThumbnailUploads(SqlThumbnails(self._storage._database, lambda: later), self._storage.pictures)
        await RemovalWorker(self._storage).run_once()
        # What a killed process had claimed is free again after two minutes.
        pictures = FilePictures(self._folder / "pictures", self._storage._database, lambda: later)
        while await pictures.remove_due(100):
            pass
        await uploads.sweep(TEAM, self._client)
        await sweep_pictures(self._storage, later)


async def main(folder: Path, url: str, token: str, seed: int, steps: list[str]) -> None:
    storage = await SqlStorage.open(folder)
    process = DeletingProcess(folder, storage, AsyncWebClient(token, url), seed)
    if steps and steps[-1] == "finish":
        await process.finish(steps[:-1])
        await storage.close()
        return
    await process.run(steps)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5:]))
