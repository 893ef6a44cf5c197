"""Reindexing and calibration on the command line, with the real model."""

from __future__ import annotations

from pathlib import Path

import pytest

import bot.app.services
from bot.cli.terminal.exit_codes import ExitCode
from tests.fixtures.command_line import Vsearch, pictures, stocked, vsearch
from tests.fixtures.pictures import encoded, photo

__all__ = ["pictures", "stocked", "vsearch"]


REAL = bot.app.services.build_services


def test_reindex_moves_a_database_to_the_model_in_use(
    stocked: Vsearch, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = bot.app.services.build_services
    monkeypatch.setattr(bot.app.services, "build_services", REAL)
    stale = stocked("search", pictures / "pump.jpg")
    assert stale.code == ExitCode.FAILED
    assert "vsearch reindex" in stale.err
    (pictures / "new.png").write_bytes(encoded(photo(48, 48, 9), "PNG"))
    stale = stocked("import", pictures)
    assert stale.code == ExitCode.FAILED
    assert "vsearch reindex" in stale.err

    done = stocked("reindex", "parts", "--json")
    assert done.document == {
        "database": "parts",
        "done": 3,
        "unreadable": [],
        "interrupted": False,
        "uncalibrated": False,
    }
    assert stocked("search", pictures / "pump.jpg", "--json").document["matches"][0]["entity"] == "pump"
    assert stocked("reindex", "--in", "parts", "--json").document["done"] == 0

    monkeypatch.setattr(bot.app.services, "build_services", fake)
    assert stocked("search", pictures / "pump.jpg").code == ExitCode.FAILED


def test_reindex_all_covers_every_database_of_every_workspace(stocked: Vsearch, pictures: Path) -> None:
    for workspace, name in (("T1", "valves"), ("T2", "logos")):
        assert stocked("--workspace", workspace, "import", pictures, "--in", name, "--create").code == ExitCode.OK
    assert stocked("reindex", "parts", "--all").code == ExitCode.USAGE
    done = stocked("reindex", "--all", "--json").document["databases"]
    assert {one["database"]: one["done"] for one in done} == {"parts": 3, "valves": 3, "logos": 3}
    again = stocked("--workspace", "T1", "reindex", "--all")
    assert "Reindexed 0 images of “valves”." in again.out
    assert "logos" not in again.out


def test_reindex_all_without_a_database_says_so(vsearch: Vsearch) -> None:
    assert "There is no database yet." in vsearch("reindex", "--all").out
    assert vsearch("reindex", "--all", "--json").document == {"databases": []}


def test_reindex_keeps_the_old_model_if_a_picture_is_missing(stocked: Vsearch, tmp_path: Path, pictures: Path) -> None:
    next((tmp_path / "data" / "pictures").glob("*/*.jpg")).unlink()
    outcome = stocked("reindex", "--json")
    assert outcome.code == ExitCode.FAILED
    assert (outcome.document["done"], len(outcome.document["unreadable"])) == (2, 1)
    assert stocked("search", pictures / "pump.jpg").code == ExitCode.OK


def test_calibrate_needs_enough_images_and_can_be_reset(stocked: Vsearch, pictures: Path, tmp_path: Path) -> None:
    few = stocked("calibrate")
    assert few.code == ExitCode.USAGE
    assert "too few" in few.err
    folder = tmp_path / "many"
    folder.mkdir()
    for seed in range(100, 198):
        (folder / f"p{seed}.png").write_bytes(encoded(photo(48, 48, seed), "PNG"))
    stocked("import", folder)
    preview = stocked("calibrate", "parts", "--preview").out
    assert "would find another id that is called similar" in preview
    assert (
        stocked("db", "list", "--json").document["databases"][0]["scores"] == "fitted to its own pictures at 101 images"
    )
    curve = stocked("calibrate", "parts", "--json").document["knots"]
    assert stocked("db", "list", "--json").document["databases"][0]["scores"] == "fitted by hand"
    assert [score for _, score in curve] == sorted(score for _, score in curve)
    assert [cosine for cosine, _ in curve] == sorted(cosine for cosine, _ in curve)
    assert stocked("calibrate", "--reset", "--json").document["knots"] is None
    assert stocked("db", "list", "--json").document["databases"][0]["scores"] == "default"
