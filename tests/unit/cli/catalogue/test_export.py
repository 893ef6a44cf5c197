"""Exporting, and importing what was exported."""

from __future__ import annotations

import codecs
import csv
from pathlib import Path

from bot.cli.terminal.exit_codes import ExitCode
from tests.fixtures.command_line import Vsearch, pictures, stocked, vsearch
from tests.fixtures.pictures import encoded, photo

__all__ = ["pictures", "stocked", "vsearch"]


def test_import_of_an_export_restores_it(stocked: Vsearch, tmp_path: Path, pictures: Path) -> None:
    (tmp_path / "new.png").write_bytes(encoded(photo(64, 64, 81), "PNG"))
    stocked("add", tmp_path / "new.png", "--id", "pump", "--note", ' spaced, "quoted"\nand ünïcode 図 ')
    for number, note in enumerate(("=HYPERLINK(1)", "'=kept", "'tis", "\t+1 x"), start=82):
        (tmp_path / f"{number}.png").write_bytes(encoded(photo(64, 64, number), "PNG"))
        stocked("add", tmp_path / f"{number}.png", "--note", note)
    exported = stocked("export", tmp_path / "out", "--json")
    assert exported.code == ExitCode.OK
    assert (exported.document["written"], exported.document["missing"]) == (8, 0)
    assert (tmp_path / "out" / "images.csv").read_bytes().startswith(codecs.BOM_UTF8)
    with (tmp_path / "out" / "images.csv").open(encoding="utf-8-sig", newline="") as stream:
        header, *rows = csv.reader(stream)
    assert header == ["file", "entity", "note"]
    assert {"'=HYPERLINK(1)", "''=kept", "'tis", "'\t+1 x"} < {note for _, _, note in rows}

    assert stocked("import", tmp_path / "out" / "images.csv", "--in", "again", "--create").code == ExitCode.OK

    def content(database: str) -> set[tuple[str, str]]:
        listed = stocked("images", "--in", database, "--all", "--json").document["images"]
        return {(image["entity"], image["note"]) for image in listed}

    assert content("again") == content("parts")
    assert (
        stocked("search", pictures / "pump.jpg", "--in", "again", "--json").document["matches"][0]["entity"] == "pump"
    )


def test_export_keeps_ids_and_how_they_were_named(stocked: Vsearch, tmp_path: Path) -> None:
    stocked("edit", "pump", "--id", "VLV-0042/A: ../“x”")
    stocked("export", tmp_path / "out")
    stocked("import", tmp_path / "out" / "images.csv", "--in", "copy", "--create")
    document = stocked("images", "--in", "copy", "--json").document
    named = {image["entity"]: image["named_automatically"] for image in document["images"]}
    assert named == {"VLV-0042/A: ../“x”": False, "Valve 42": True, "hose": True}
    assert "Valve 42  (named automatically)" in stocked("images", "--in", "copy").out


def test_export_overwrites_nothing(stocked: Vsearch, tmp_path: Path) -> None:
    stocked("export", tmp_path / "out")
    again = stocked("export", tmp_path / "out")
    assert again.code == ExitCode.USAGE
    assert "already" in again.err


def test_export_reports_missing_pictures(stocked: Vsearch, tmp_path: Path) -> None:
    next((tmp_path / "data" / "pictures").glob("*/*.jpg")).unlink()
    outcome = stocked("export", tmp_path / "out", "--json")
    assert outcome.code == ExitCode.FAILED
    assert (outcome.document["written"], outcome.document["missing"]) == (2, 1)
