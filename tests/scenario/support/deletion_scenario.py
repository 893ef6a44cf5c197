"""Kill a process at random moments while it adds and deletes, and look for orphans afterwards."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from tests.fakes.slack import FakeSlack

LIFE_S = (0.05, 0.9)
"""Shortest and longest time from the first step to the kill."""

START_TIMEOUT_S, FINISH_TIMEOUT_S = 60.0, 120.0

REPEATED = ("file", "message", "uninstall")
"""Steps that the inbox repeats after a crash. People would ask for the others again."""


@dataclass
class DeletionOutcome:
    """The outcome; ``faults`` should be empty."""

    kills: int = 0
    steps: int = 0
    faults: list[str] = field(default_factory=list)


class DeletionScenario:
    """One data directory and one Slack."""

    def __init__(self, slack: FakeSlack, data_dir: Path, seed: int) -> None:
        self._slack = slack
        self._data_dir = data_dir
        self._random = random.Random(seed)
        self._outcome = DeletionOutcome()
        self._removed_files: set[str] = set()

    async def run(self, kills: int) -> DeletionOutcome:
        """Kill as many processes, finish with another one, and check what is left."""
        redo: list[str] = []
        for number in range(kills):
            redo = await self._life(number, redo)
            self._outcome.kills += 1
        process = await self._start(0, [*redo, "finish"])
        async with asyncio.timeout(FINISH_TIMEOUT_S):
            output, errors = await process.communicate()
        if process.returncode:
            self._outcome.faults.append(f"the last process failed: {errors.decode()[-2000:]}")
        self._read(output.decode())
        self._outcome.faults += self._faults()
        return self._outcome

    async def _start(self, seed: int, steps: list[str]) -> asyncio.subprocess.Process:
        arguments = (str(self._data_dir), self._slack.api_url, self._slack.state.bot_token, str(seed), *steps)
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.scenario.support.deleting_process",
            *arguments,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def _life(self, number: int, redo: list[str]) -> list[str]:
        """Run a process until its kill. Return the steps that it has begun and that are repeated."""
        process = await self._start(number, redo)
        assert process.stdout is not None
        async with asyncio.timeout(START_TIMEOUT_S):
            first = await process.stdout.readline()
        await asyncio.sleep(self._random.uniform(*LIFE_S))
        if process.returncode is not None:
            assert process.stderr is not None
            self._outcome.faults.append(f"a process ended: {(await process.stderr.read()).decode()[-2000:]}")
        else:
            process.kill()
        output, _ = await process.communicate()
        return self._read((first + output).decode(), redo)

    def _read(self, output: str, begun: list[str] | None = None) -> list[str]:
        left = list(begun or [])
        for line in output.splitlines(keepends=True):
            if not line.endswith("\n"):
                break
            word, _, step = line.strip().partition(" ")
            if word == "begin" and step not in left:
                left.append(step)
            if word == "end":
                left = [one for one in left if one != step]
                self._outcome.steps += 1
                kind, _, name = step.partition(" ")
                if kind in {"file", "message"}:
                    self._removed_files.add(name.removesuffix(".0"))
        return [step for step in left if step.split()[0] in REPEATED]

    def _faults(self) -> Iterator[str]:
        with closing(sqlite3.connect(self._data_dir / "vsearch.db")) as connection:

            def values(query: str) -> set[str]:
                return {row[0] for row in connection.execute(query)}

            named, shown = values("SELECT digest FROM images"), values("SELECT file_id FROM thumbnails")
            faults = {
                "a deleted database is left": values("SELECT name FROM databases WHERE workspace LIKE 'deleting:%'"),
                "its vectors are left": values("SELECT name FROM embedded_databases WHERE workspace LIKE 'deleting:%'"),
                "in the catalogue or the index alone": values("SELECT data_id FROM images")
                ^ values("SELECT data_id FROM embedded_images"),
                "pending": values("SELECT kind || ' ' || name FROM pending_removals WHERE state <> 'removed'"),
                "of deleted files": values("SELECT slack_file FROM image_origins") & self._removed_files,
            }
        stored = {path.stem for path in (self._data_dir / "pictures").rglob("*.jpg")}
        files = self._slack.state.files
        uploads = {name for name in self._slack.state.uploads if name in files and not files[name].deleted}
        faults |= {
            "orphaned files": stored - named,
            "images without a file": named - stored,
            "orphaned uploads": uploads - shown,
            "uploads that are gone": shown - uploads,
            "incomplete files": {path.name for path in (self._data_dir / "pictures" / "incoming").iterdir()},
        }
        for what, found in faults.items():
            if found:
                yield f"{what}: {sorted(found)}"
