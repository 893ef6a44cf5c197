"""The command line for tests: in a tmp directory, with the real engine and a model that costs nothing."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import bot.app
from bot.adapters.embedded.engine import EmbeddedSearch
from bot.app import Services
from bot.cli.exits import ExitCode
from bot.cli.main import run
from bot.config import Settings
from bot.storage.sql import SqlStorage
from tests.fakes.analyser import FakeFeatureExtractor, FakeVerifier
from tests.pictures import encoded, photo


@asynccontextmanager
async def _services_with_a_fake_model(settings: Settings) -> AsyncIterator[Services]:
    storage = await SqlStorage.open(settings.data_dir)
    try:
        engine = EmbeddedSearch(storage.vectors, FakeFeatureExtractor(), FakeVerifier(), index_memory_bytes=1_000_000)
        async with _build_services(settings, storage=storage, visual=engine) as services:
            yield services
    finally:
        await storage.close()


_build_services = bot.app.build_services


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


Vsearch = Callable[..., Outcome]


@pytest.fixture
def vsearch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Vsearch:
    for name in (item.metadata["name"] for item in Settings.__dataclass_fields__.values()):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(bot.app, "build_services", _services_with_a_fake_model)

    def command(*arguments: str | Path) -> Outcome:
        code = run([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Outcome(int(code), captured.out, captured.err)

    return command


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for seed, name in enumerate(("Valve 42.jpg", "pump.jpg", "hose.jpg")):
        (folder / name).write_bytes(encoded(photo(96, 64, seed), "JPEG"))
    return folder


@pytest.fixture
def stocked(vsearch: Vsearch, pictures: Path) -> Vsearch:
    assert vsearch("import", pictures, "--in", "parts", "--create").code == ExitCode.OK
    return vsearch


@pytest.fixture
def indexed(stocked: Vsearch) -> Vsearch:
    """The same, indexed by the built-in model, which the doctor expects."""
    assert stocked("reindex", "--all").code == ExitCode.OK
    return stocked
