"""Run the demo: the stand-in, its saved messages, the bot, and on the first start the example conversations."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from examples.demo import processes, stand_in_process, workspace
from examples.demo.isolation import own_network
from examples.demo.saved_page import PageSaver, SavedPage, rename_in_catalogue, replay
from examples.demo.stand_in import StandIn
from examples.demo.story import SAMPLES, StoryRunner, without_held_out, write_pictures_to_try

PORT = 8010


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run, and where to store files. ``port``: 0 takes any. ``settings``: further settings for the bot."""

    program: Path
    directory: Path
    table: Path
    port: int = PORT
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def bot(self) -> Path:
        """The bot's data directory."""
        return self.directory / "bot"

    @property
    def saved_page(self) -> Path:
        """The page's saved messages. It exists once the example conversations are complete."""
        return self.directory / "page.json"

    @property
    def pictures_to_try(self) -> Path:
        """Pictures for people to try."""
        return self.directory / "try"


@dataclass(frozen=True, slots=True)
class Demo:
    """A running demo. ``alone``: whether only this machine can reach the page."""

    stand_in: StandIn
    bot: processes.Bot
    alone: bool


def forget(directory: Path) -> None:
    """Delete the demo's data except the samples, so that the next start is fresh."""
    for path in directory.iterdir() if directory.exists() else ():
        if path.name == "samples":
            continue
        shutil.rmtree(path) if path.is_dir() else path.unlink()


@asynccontextmanager
async def demo(plan: Plan) -> AsyncIterator[Demo]:
    """Run everything, and yield the running demo. Raises DemoError."""
    saved_page = SavedPage.load(plan.saved_page)
    if saved_page is None:
        # If the example conversations were interrupted, start again from the beginning.
        forget(plan.directory)
    plan.directory.mkdir(parents=True, exist_ok=True)
    write_pictures_to_try(plan.table.parent, plan.pictures_to_try)
    network = own_network()
    files = plan.directory / f"files-{time.time_ns()}"
    async with stand_in_process.running(
        plan.program, plan.directory, files, port=plan.port, network=network
    ) as stand_in:
        environment = workspace.environment(
            os.environ, plan.bot, stand_in=stand_in.address, port=stand_in_process.free_port(), more=plan.settings
        )
        address, log = environment["PUBLIC_BASE_URL"], plan.directory / "bot.log"
        saver = PageSaver(stand_in, address, files, plan.saved_page)
        log.write_text("")
        if saved_page is None:
            table = without_held_out(plan.table)
            await processes.run(environment, log, "import", str(table), "--in", SAMPLES, "--create")
        else:
            await _restore(stand_in, saved_page, address, plan)
            await saver.save_once()
            _clear_files(plan.directory, files)
        async with processes.bot(environment, stand_in, log) as bot:
            if saved_page is None:
                front = await StoryRunner(stand_in, bot.until_idle, plan.table.parent).run()
                (plan.directory / "front").write_text(front)
                await saver.save_once()
            saving = asyncio.create_task(saver.run())
            try:
                yield Demo(stand_in, bot, network is not None)
            finally:
                saving.cancel()
                await asyncio.gather(saving, return_exceptions=True)
        # Save what the bot answered while it was stopping.
        await saver.save_once()


async def _restore(stand_in: StandIn, saved_page: SavedPage, address: str, plan: Plan) -> None:
    renames = await replay(stand_in, saved_page, address, plan.directory)
    rename_in_catalogue(plan.bot / "vsearch.db", renames)
    front = plan.directory / "front"
    if front.exists():
        front.write_text(renames.apply(front.read_text()))


def _clear_files(directory: Path, files: Path) -> None:
    for folder in directory.glob("files-*"):
        if folder != files:
            shutil.rmtree(folder)
