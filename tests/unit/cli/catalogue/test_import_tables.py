"""Importing a table on the command line: what is refused, what is read, and what differs."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from bot.cli.terminal.exit_codes import ExitCode
from tests.fixtures.command_line import Outcome, Vsearch, pictures, vsearch

__all__ = ["pictures", "vsearch"]


def imported(vsearch: Vsearch, path: Path, *options: str | Path) -> Outcome:
    return vsearch("import", path, "--in", "parts", "--create", *options)


def table(folder: Path, text: str) -> Path:
    (folder / "parts.csv").write_text(text, "utf-8", newline="")
    return folder / "parts.csv"


def content(vsearch: Vsearch) -> dict[str, str]:
    return {image["entity"]: image["note"] for image in vsearch("images", "--json").document["images"]}


def test_table_gives_entities_and_notes(vsearch: Vsearch, pictures: Path) -> None:
    (pictures / "parts.csv").write_text(
        "note,file,entity\nleaks; “often”,pump.jpg,pump_9\n,hose.jpg,\n,gone.jpg,gone\n,Valve 42.jpg,Bad\u202eId\n",
        "utf-8",
    )
    document = vsearch("import", pictures / "parts.csv", "--in", "parts", "--create", "--json").document
    assert (document["added"], len(document["refused"])) == (2, 2)
    images = {image["entity"]: image["note"] for image in vsearch("images", "--json").document["images"]}
    assert images == {"pump_9": "leaks; “often”", "hose": ""}


@pytest.mark.parametrize(
    "text",
    [
        'file,entity,note\npump.jpg,p,"2" pipe"\nhose.jpg,h,x\n',
        "file,entity,note\nhose.jpg,h,x\npump.jpg,p,brass, DN25\n",
        "Filename,SKU,Price\npump.jpg,p,12\n",
        "Name,SKU\npump.jpg,p\n",
    ],
)
def test_nothing_is_imported_of_a_table_that_is_not_sure(vsearch: Vsearch, pictures: Path, text: str) -> None:
    outcome = imported(vsearch, table(pictures, text))
    assert outcome.code == ExitCode.USAGE
    assert "line " in outcome.err
    assert vsearch("db", "list", "--json").document["databases"] == []


def test_refused_rows_are_named_by_line_and_the_others_imported(vsearch: Vsearch, pictures: Path) -> None:
    outcome = imported(vsearch, table(pictures, "file,entity,note\npump.jpg,p,\nho\0se.jpg,h,\nValve 42.jpg,v,\n"))
    assert outcome.code == ExitCode.FAILED
    assert "(line 3): The row has a character that no text has" in outcome.err
    assert content(vsearch) == {"p": "", "v": ""}


def test_picture_under_several_ids_keeps_the_first_and_names_each_loss(vsearch: Vsearch, pictures: Path) -> None:
    (pictures / "copy.jpg").write_bytes((pictures / "pump.jpg").read_bytes())
    rows = "pump.jpg,s,size S\npump.jpg,m,size M\ncopy.jpg,l,size L\n.\\pump.jpg,S,\n"
    for added in (1, 0):
        outcome = imported(vsearch, table(pictures, f"file,entity,note\n{rows}"), "--json")
        assert (outcome.code, outcome.document["added"]) == (ExitCode.FAILED, added)
        lost = {refusal["line"]: refusal["error"] for refusal in outcome.document["refused"]}
        assert set(lost) == {3, 4}
        assert all("in line 2 with the id “s”" in error for error in lost.values())
    assert content(vsearch) == {"s": "size S"}


def test_corrected_rows_are_named_and_applied_with_update(vsearch: Vsearch, pictures: Path) -> None:
    imported(vsearch, table(pictures, "file,entity,note\npump.jpg,p,old\nhose.jpg,h,keeps\nValve 42.jpg,v,\n"))
    corrected = table(pictures, "file,entity,note\npump.jpg,P-1/A,new\nhose.jpg,H,\nValve 42.jpg,v,brass\n")
    outcome = imported(vsearch, corrected)
    assert (outcome.code, outcome.out) == (ExitCode.OK, "Added 0 images to “parts”, 2 different, 1 already there.\n")
    assert "2 images have another id or note than the table" in outcome.err
    assert "--update" in outcome.err
    before = {"p": "old", "h": "keeps", "v": ""}
    assert content(vsearch) == before
    assert "2 would change" in imported(vsearch, corrected, "--update", "--dry-run").out
    assert content(vsearch) == before
    assert imported(vsearch, corrected, "--update", "--json").document["updated"] == 2
    assert content(vsearch) == {"P-1/A": "new", "h": "keeps", "v": "brass"}
    assert imported(vsearch, corrected).out == "Added 0 images to “parts”, 3 already there.\n"


def test_update_corrects_an_image_that_came_from_elsewhere(vsearch: Vsearch, pictures: Path) -> None:
    vsearch("db", "create", "parts")
    vsearch("add", pictures / "pump.jpg", "--in", "parts", "--id", "old")
    assert list(content(vsearch)) == ["old"]
    corrected = table(pictures, "file,entity,note\npump.jpg,P-1/A,\n")
    assert imported(vsearch, corrected, "--update", "--json").document["updated"] == 1
    assert list(content(vsearch)) == ["P-1/A"]


def test_dry_run_says_what_an_import_would_do(vsearch: Vsearch, pictures: Path, tmp_path: Path) -> None:
    (pictures / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    (pictures / "twin.jpg").write_bytes((pictures / "hose.jpg").read_bytes())
    text = "file,entity,note\npump.jpg,p,=old\nhose.jpg,,\ntwin.jpg,,\nbroken.jpg,b,\n"
    outcome = imported(vsearch, table(pictures, text), "--dry-run", "--json")
    assert (outcome.code, outcome.document["added"], outcome.document["skipped"]) == (ExitCode.FAILED, 2, 1)
    assert vsearch("db", "list", "--json").document["databases"] == []
    imported(vsearch, table(pictures, "file,entity,note\npump.jpg,old,\n"))
    imported(vsearch, table(pictures, text), "--dry-run", "--report", tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["line"], row["entity"], row["outcome"]) for row in rows] == [
        ("2", "p", "changed"),
        ("3", "hose", "new"),
        ("4", "hose", "same"),
        ("5", "b", "refused"),
    ]
    assert rows[0]["note"] == "'=old"
    assert rows[0]["reason"] == "id “old” → “p”; note “” → “=old”"
    assert all(row["reason"] for row in rows if row["outcome"] != "new")
    assert imported(vsearch, pictures, "--report", tmp_path / "out.csv").code == ExitCode.USAGE
