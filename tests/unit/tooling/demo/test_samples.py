"""The sample catalogue works without a network, and states the licence of every packaged picture."""

from __future__ import annotations

import csv
import zipfile
from pathlib import Path

import pytest

from bot.domain.identifiers import EntityId, Note
from bot.images.decode.normaliser import normalise
from examples import samples

README = Path(samples.__file__).with_name("README.md").read_text("utf-8")


def _no_registry(_folder: Path) -> None:
    raise OSError("no network")


def _rows(table: Path) -> list[dict[str, str]]:
    with table.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_samples_are_numerous_and_their_names_are_valid_ids() -> None:
    every: tuple[samples.Packaged | samples.Drawn, ...] = (*samples.packaged(), *samples.DRAWN)
    assert len(every) >= 40
    assert len({sample.file for sample in every}) == len({sample.entity for sample in every}) == len(every)
    for sample in every:
        assert EntityId(sample.entity)
        assert Note(sample.note)


def test_readme_states_the_licence_of_each_packaged_picture() -> None:
    for sample in samples.packaged():
        line = next(line for line in README.splitlines() if f"`{sample.member}`" in line)
        assert sample.licence in line
        assert sample.by in line


def test_every_package_is_pinned_with_hashes() -> None:
    pinned = samples.REQUIREMENTS.read_text("utf-8").lower().replace("-", "_")
    for package in {sample.package for sample in samples.packaged()}:
        assert f"{package}==" in pinned


def test_without_a_registry_the_drawn_samples_remain_and_the_next_call_adds_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(samples, "_download", _no_registry)
    table = samples.ensure_samples(tmp_path / "samples")
    assert [row["file"] for row in _rows(table)] == [sample.file for sample in samples.DRAWN]
    digests = {normalise((table.parent / row["file"]).read_bytes()).digest for row in _rows(table)}
    assert len(digests) == len(samples.DRAWN)

    drawn = (table.parent / "maze.png").stat().st_mtime_ns
    picture = (table.parent / "maze.png").read_bytes()
    monkeypatch.setattr(samples, "_download", lambda folder: _wheels(folder, picture))
    samples.ensure_samples(tmp_path / "samples")
    assert len(_rows(table)) == len(samples.DRAWN) + len(samples.packaged())
    assert (table.parent / "maze.png").stat().st_mtime_ns == drawn


def test_drawings_are_the_same_on_every_run() -> None:
    for sample in samples.DRAWN[::7]:
        assert sample.draw().tobytes() == sample.draw().tobytes()


def _wheels(folder: Path, picture: bytes) -> None:
    for package in {sample.package for sample in samples.packaged()}:
        with zipfile.ZipFile(folder / f"{package}-1.0-py3-none-any.whl", "w") as archive:
            for sample in samples.packaged():
                if sample.package == package:
                    archive.writestr(sample.member, picture)
