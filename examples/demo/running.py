"""The demo from started to stopped: the stand-in, what was said in it before, the bot, and the story the first time."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from examples.demo import hosting, processes, workspace
from examples.demo.isolation import own_network
from examples.demo.memory import PageSaver, SavedPage, rename_in_catalogue, replay
from examples.demo.stand_in import StandIn
from examples.demo.story import SAMPLES, StoryRunner, to_try, without_held_out

PORT = 8010


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to run, and where it keeps what it writes. ``port``: 0 takes any. ``settings``: more for the bot."""

    program: Path
    directory: Path
    table: Path
    port: int = PORT
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def bot(self) -> Path:
        """The bot's directory for data."""
        return self.directory / "bot"

    @property
    def remembered(self) -> Path:
        """The page's messages, once the story was told."""
        return self.directory / "page.json"

    @property
    def pictures_to_try(self) -> Path:
        """Pictures for whoever has none at hand."""
        return self.directory / "try"


@dataclass(frozen=True, slots=True)
class Demo:
    """A running demo. ``alone``: whether only this machine reaches the page."""

    stand_in: StandIn
    bot: processes.Bot
    alone: bool


def forget(directory: Path) -> None:
    """Start afresh next time; the samples stay."""
    for path in directory.iterdir() if directory.exists() else ():
        if path.name == "samples":
            continue
        shutil.rmtree(path) if path.is_dir() else path.unlink()


@asynccontextmanager
async def demo(plan: Plan) -> AsyncIterator[Demo]:
    """Inside, everything runs. Raises Failed."""
    remembered = SavedPage.load(plan.remembered)
    if remembered is None:
        # A story that was not told to its end is told from its beginning.
        forget(plan.directory)
    plan.directory.mkdir(parents=True, exist_ok=True)
    to_try(plan.table.parent, plan.pictures_to_try)
    network = own_network()
    files = plan.directory / f"files-{time.time_ns()}"
    async with hosting.running(plan.program, plan.directory, files, port=plan.port, network=network) as stand_in:
        environment = workspace.environment(
            os.environ, plan.bot, stand_in=stand_in.address, port=hosting.free_port(), more=plan.settings
        )
        address, log = environment["PUBLIC_BASE_URL"], plan.directory / "bot.log"
        keeper = PageSaver(stand_in, address, files, plan.remembered)
        log.write_text("")
        if remembered is None:
            table = without_held_out(plan.table)
            await processes.run(environment, log, "import", str(table), "--in", SAMPLES, "--create")
        else:
            await _remember(stand_in, remembered, address, plan)
            await keeper.save_once()
            _clear_files(plan.directory, files)
        async with processes.bot(environment, stand_in, log) as bot:
            if remembered is None:
                front = await StoryRunner(stand_in, bot.until_idle, plan.table.parent).run()
                (plan.directory / "front").write_text(front)
                await keeper.save_once()
            keeping = asyncio.create_task(keeper.run())
            try:
                yield Demo(stand_in, bot, network is not None)
            finally:
                keeping.cancel()
                await asyncio.gather(keeping, return_exceptions=True)
        # What the bot answered last, while it was stopping.
        await keeper.save_once()


async def _remember(stand_in: StandIn, remembered: SavedPage, address: str, plan: Plan) -> None:
    renames = await replay(stand_in, remembered, address, plan.directory)
    rename_in_catalogue(plan.bot / "vsearch.db", renames)
    front = plan.directory / "front"
    if front.exists():
        front.write_text(renames.apply(front.read_text()))


def _clear_files(directory: Path, files: Path) -> None:
    for folder in directory.glob("files-*"):
        if folder != files:
            shutil.rmtree(folder)
