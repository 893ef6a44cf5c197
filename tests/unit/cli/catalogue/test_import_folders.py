"""Importing a folder on the command line."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bot.cli.terminal.exit_codes import ExitCode
from tests.fixtures.command_line import Vsearch, listed_ids, pictures, stocked, vsearch
from tests.fixtures.pictures import encoded, photo

__all__ = ["pictures", "stocked", "vsearch"]


def test_import_reports_broken_files_and_continues(vsearch: Vsearch, pictures: Path) -> None:
    (pictures / "broken.jpg").write_bytes(encoded(photo(64, 64), "JPEG")[:300])
    (pictures / "deep" / "er").mkdir(parents=True)
    (pictures / "deep" / "er" / "Größe 3.png").write_bytes(encoded(photo(64, 64, 9), "PNG"))
    (pictures / "readme.txt").write_text("not looked at")
    outcome = vsearch("import", pictures, "--in", "parts", "--create", "--json")
    assert outcome.code == ExitCode.FAILED
    document = outcome.document
    assert (document["total"], document["added"], document["skipped"]) == (5, 4, 0)
    assert [Path(refusal["file"]).name for refusal in document["refused"]] == ["broken.jpg"]
    assert "Größe 3" in listed_ids(vsearch)


def test_unreadable_subfolder_is_reported_and_the_rest_imported(
    vsearch: Vsearch, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (pictures / "closed").mkdir()
    scandir = os.scandir

    def refusing(folder: str | Path) -> object:
        if Path(folder).name == "closed":
            raise PermissionError(13, "Permission denied", str(folder))
        return scandir(folder)

    # A test that runs as root could read any folder.
    monkeypatch.setattr(os, "scandir", refusing)
    outcome = vsearch("import", pictures, "--in", "parts", "--create", "--json")
    assert (outcome.code, outcome.document["added"]) == (ExitCode.FAILED, 3)
    assert [refusal["error"] for refusal in outcome.document["refused"]] == [
        "The folder can't be read: Permission denied."
    ]


def test_folder_import_names_what_it_leaves_out(vsearch: Vsearch, pictures: Path) -> None:
    for name in ("@eaDir/pump.jpg/SYNO.jpg", "#recycle/a.jpg", "$RECYCLE.BIN/b.jpg", "__MACOSX/._c.jpg", "Thumbs.db"):
        (pictures / name).parent.mkdir(parents=True, exist_ok=True)
        (pictures / name).write_bytes(encoded(photo(64, 64, 77), "JPEG"))
    (pictures / "CANON.CR3").write_bytes(b"raw")
    outcome = vsearch("import", pictures, "--in", "parts", "--create")
    assert outcome.out == "Added 3 images to “parts”.\n"
    assert "Left out 1 file that is no picture (CANON.CR3) and folders" in outcome.err
    assert "#recycle, $RECYCLE.BIN, @eaDir, __MACOSX" in outcome.err


def test_hidden_pictures_and_folders_are_named(vsearch: Vsearch, pictures: Path) -> None:
    for name in (".thumbnails/a.jpg", ".b.JPG", "._pump.jpg", ".DS_Store"):
        (pictures / name).parent.mkdir(exist_ok=True)
        (pictures / name).write_bytes(b"")
    outcome = vsearch("import", pictures, "--in", "parts", "--create")
    assert outcome.out == "Added 3 images to “parts”.\n"
    said = " ".join(outcome.err.split())
    assert "Left out 1 hidden picture (.b.JPG) and folders that hold no pictures of yours (.thumbnails)." in said


def test_second_import_skips_existing_images(stocked: Vsearch, pictures: Path) -> None:
    (pictures / "copy of pump.jpg").write_bytes((pictures / "pump.jpg").read_bytes())
    document = stocked("import", pictures, "--json").document
    assert (document["added"], document["skipped"]) == (0, 4)


def test_import_without_create_needs_an_existing_database(vsearch: Vsearch, pictures: Path) -> None:
    assert vsearch("import", pictures, "--in", "parts").code == ExitCode.NOT_FOUND


@pytest.mark.parametrize("path", ["nowhere", "pictures/pump.jpg"])
def test_import_error_lists_the_accepted_sources(stocked: Vsearch, path: str) -> None:
    outcome = stocked("import", path)
    assert outcome.code == ExitCode.USAGE
    assert "folder" in outcome.err


def test_import_says_how_many_images_wait_for_their_points(vsearch: Vsearch, pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "gasket.png").write_bytes(encoded(photo(320, 200, seed=77), "PNG"))
    first = vsearch("import", pictures, "--in", "parts", "--create")
    assert "points" not in first.err
    with closing(sqlite3.connect(tmp_path / "data" / "vsearch.db")) as connection, connection:
        connection.execute(
            "INSERT INTO embedded_pending_points SELECT vector_id, features FROM embedded_point_features"
        )
        waiting = connection.execute("DELETE FROM embedded_point_features").rowcount
    said = " ".join(vsearch("import", tmp_path / "more", "--in", "parts").err.split())
    assert f"{waiting} images can be searched now, a little slower until their points are computed." in said
    assert vsearch("reindex", "--all").code == ExitCode.OK
    with closing(sqlite3.connect(tmp_path / "data" / "vsearch.db")) as connection:
        assert connection.execute("SELECT count(*) FROM embedded_pending_points").fetchone() == (0,)
