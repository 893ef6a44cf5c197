"""Adding, searching, listing, deleting, importing and exporting on the command line."""

from __future__ import annotations

import codecs
import csv
import io
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from PIL import Image

from bot.cli.terminal import progress
from bot.cli.terminal.exit_codes import ExitCode
from bot.domain.matches import PictureRegion
from bot.storage.catalogue import deleted_databases
from tests.fakes.features import FakeFeatureExtractor
from tests.fixtures.command_line import Vsearch, pictures, stocked, vsearch
from tests.fixtures.pictures import encoded, photo

__all__ = ["pictures", "stocked", "vsearch"]


def _entities(vsearch: Vsearch, *arguments: str) -> list[str]:
    return [image["entity"] for image in vsearch("images", "--all", "--json", *arguments).document["images"]]


def test_default_entity_is_the_file_name(vsearch: Vsearch, pictures: Path) -> None:
    vsearch("db", "create", "parts")
    added = vsearch("add", pictures / "Valve 42.jpg", "--note", "from the cellar", "--json")
    assert added.code == ExitCode.OK
    assert [(image["status"], image["entity"]) for image in added.document["images"]] == [("added", "Valve 42")]
    (image,) = vsearch("images", "--json").document["images"]
    assert (image["note"], image["file"], image["width"]) == ("from the cellar", "Valve 42.jpg", 96)


def test_adding_twice_says_so_and_changes_nothing(stocked: Vsearch, pictures: Path) -> None:
    again = stocked("add", pictures / "pump.jpg", "--id", "other")
    assert again.code == ExitCode.OK
    assert "is already in “parts” as “pump”, not as “other”." in again.out
    assert len(_entities(stocked)) == 3


def test_copy_is_added_and_named(stocked: Vsearch, pictures: Path, tmp_path: Path) -> None:
    with Image.open(pictures / "pump.jpg") as original:
        original.save(tmp_path / "mine.jpg", quality=70)
    added = stocked("add", tmp_path / "mine.jpg")
    assert added.code == ExitCode.OK
    assert "as “mine”. Looks like the same image as “pump”." in added.out
    with Image.open(pictures / "pump.jpg") as original:
        original.save(tmp_path / "again.jpg", quality=60)
    document = stocked("add", tmp_path / "again.jpg", tmp_path / "mine.jpg", "--json").document
    assert [image.get("copy_of") in {"pump", "mine"} for image in document["images"]] == [True, False]
    assert len(_entities(stocked)) == 5


def test_refused_file_does_not_stop_the_others(stocked: Vsearch, tmp_path: Path) -> None:
    (tmp_path / "words.jpg").write_text("no picture")
    (tmp_path / "new.png").write_bytes(encoded(photo(64, 64, 77), "PNG"))
    outcome = stocked("add", tmp_path / "words.jpg", tmp_path / "gone.jpg", tmp_path / "new.png", "--json")
    assert outcome.code == ExitCode.FAILED
    assert [image["status"] for image in outcome.document["images"]] == ["refused", "refused", "added"]
    assert "no file" in outcome.document["images"][1]["error"]


def test_url_is_fetched_by_the_guarded_fetcher(stocked: Vsearch) -> None:
    outcome = stocked("add", "http://169.254.169.254/latest/meta-data", "--json")
    assert outcome.code == ExitCode.FAILED
    assert outcome.document["images"][0]["status"] == "refused"


@pytest.mark.parametrize("arguments", [("--id", "Has\u202eSpace"), ("--note", "x" * 513)])
def test_invalid_entity_or_note_changes_nothing(stocked: Vsearch, pictures: Path, arguments: tuple[str, str]) -> None:
    assert stocked("add", pictures / "pump.jpg", *arguments).code == ExitCode.USAGE
    assert len(_entities(stocked)) == 3


def test_search_finds_the_picture(stocked: Vsearch, pictures: Path) -> None:
    found = stocked("search", pictures / "pump.jpg", "--json").document
    best = found["matches"][0]
    assert (best["rank"], best["score"], best["verdict"], best["entity"]) == (1, 10.0, "same image", "pump")
    assert (found["database"], found["images"]) == ("parts", 3)


@pytest.mark.parametrize("region", ["96,0,96,64", "50%,0%,50%,100%", "0.5,0,0.5,1", " 96 , 0%, 50%,64"])
def test_search_of_a_region_finds_what_is_there(stocked: Vsearch, pictures: Path, region: str) -> None:
    both = Image.new("RGB", (192, 64))
    for left, name in ((0, "hose.jpg"), (96, "pump.jpg")):
        with Image.open(pictures / name) as image:
            both.paste(image, (left, 0))
    both.save(pictures / "both.png")
    best = stocked("search", pictures / "both.png", "--region", region, "--json").document["matches"][0]
    assert (best["entity"], best["verdict"], best["part"]) == ("pump", "same image", None)


@pytest.mark.parametrize(
    "region", ["0,0,97,64", "50%,0,51%,10", "0,0,0,10", "1,2,3", "a,b,c,d", "-1,0,5,5", "0,0,nan,1"]
)
def test_region_outside_the_picture_is_refused(stocked: Vsearch, pictures: Path, region: str) -> None:
    outcome = stocked("search", pictures / "pump.jpg", f"--region={region}")
    assert (outcome.code, outcome.out) == (ExitCode.USAGE, "")
    assert outcome.err.startswith("Error: --region must")


def test_search_prints_score_verdict_entity_and_file(stocked: Vsearch, pictures: Path) -> None:
    outcome = stocked("search", pictures / "pump.jpg", "--top", "1")
    assert outcome.code == ExitCode.OK
    for shown in ("10.0/10", "same image", "pump.jpg"):
        assert shown in outcome.out
    assert "Searched 3 images" in outcome.err
    assert "\x1b" not in outcome.out + outcome.err


def test_search_says_in_which_part_a_match_was_found(
    stocked: Vsearch, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeFeatureExtractor, "proposals", (PictureRegion(0, 0, 0.5, 1), PictureRegion(0.5, 0, 0.5, 1)))
    both = Image.new("RGB", (192, 64))
    with Image.open(pictures / "pump.jpg") as image:
        both.paste(image, (96, 0))
    both.save(pictures / "both.png")
    outcome = stocked("search", pictures / "both.png")
    assert "found in the right part of the picture" in " ".join(outcome.out.split())
    best = stocked("search", pictures / "both.png", "--json").document["matches"][0]
    assert best["part"] == {"left": 0.5, "top": 0, "width": 0.5, "height": 1}


def test_search_hides_weak_matches_by_default(stocked: Vsearch, pictures: Path) -> None:
    few = stocked("search", pictures / "pump.jpg", "--min", "10", "--json").document
    assert len(few["matches"]) == 1
    assert len(stocked("search", pictures / "pump.jpg", "--min", "0", "--json").document["matches"]) == 3
    assert few["weaker"] == 2


def test_search_without_a_match_succeeds(stocked: Vsearch, tmp_path: Path) -> None:
    (tmp_path / "new.png").write_bytes(encoded(photo(64, 64, 78), "PNG"))
    outcome = stocked("search", tmp_path / "new.png", "--min", "10")
    assert outcome.code == ExitCode.OK
    assert "No image in “parts” is similar." in outcome.out


def test_search_refuses_invalid_pictures(stocked: Vsearch, tmp_path: Path) -> None:
    (tmp_path / "words.jpg").write_text("no picture")
    assert stocked("search", tmp_path / "words.jpg").code == ExitCode.FAILED


def test_listing_has_order_prefix_and_limit(stocked: Vsearch) -> None:
    oldest = _entities(stocked, "--order", "asc")
    assert sorted(oldest) == ["Valve 42", "hose", "pump"]
    assert _entities(stocked) == oldest[::-1]
    assert _entities(stocked, "--prefix", "va") == ["Valve 42"]
    short = stocked("images", "--limit", "2", "--json").document
    assert (len(short["images"]), short["total"]) == (2, 3)


def test_control_characters_in_a_note_are_escaped(stocked: Vsearch, tmp_path: Path) -> None:
    (tmp_path / "new.png").write_bytes(encoded(photo(64, 64, 79), "PNG"))
    stocked("add", tmp_path / "new.png", "--note", "\x1b]0;owned\x07 [red]markup[/red] \u202ereversed")
    out = stocked("images").out
    assert "\x1b" not in out
    assert "\u202e" not in out
    assert "[red]markup[/red]" in out


def test_delete_removes_every_image_of_the_entity(stocked: Vsearch, tmp_path: Path) -> None:
    (tmp_path / "new.png").write_bytes(encoded(photo(64, 64, 80), "PNG"))
    stocked("add", tmp_path / "new.png", "--id", "pump")
    deleted = stocked("delete", "pump", "--yes", "--json")
    assert deleted.document == {"database": "parts", "entity": "pump", "deleted": 2}
    assert sorted(_entities(stocked)) == ["Valve 42", "hose"]
    assert stocked("delete", "pump", "--yes").code == ExitCode.NOT_FOUND


def test_delete_asks_for_confirmation(stocked: Vsearch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for answer, left in (("n\n", 3), ("y\n", 2)):
        (tmp_path / "answer").write_text(answer)
        with (tmp_path / "answer").open() as stream:
            monkeypatch.setattr("sys.stdin", stream)
            stocked("delete", "pump")
        assert len(_entities(stocked)) == left


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
    assert "Größe 3" in _entities(vsearch)


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


def test_table_gives_entities_and_notes(vsearch: Vsearch, pictures: Path) -> None:
    (pictures / "parts.csv").write_text(
        "note,file,entity\nleaks; “often”,pump.jpg,pump_9\n,hose.jpg,\n,gone.jpg,gone\n,Valve 42.jpg,Bad\u202eId\n",
        "utf-8",
    )
    document = vsearch("import", pictures / "parts.csv", "--in", "parts", "--create", "--json").document
    assert (document["added"], len(document["refused"])) == (2, 2)
    images = {image["entity"]: image["note"] for image in vsearch("images", "--json").document["images"]}
    assert images == {"pump_9": "leaks; “often”", "hose": ""}


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


def test_progress_of_deleting_a_database_is_shown(stocked: Vsearch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_PLAIN_EVERY_S", 0.0)
    # The other two are deleted afterwards, as most images of a large database are.
    monkeypatch.setattr(deleted_databases, "INLINE_ROWS", 1)
    outcome = stocked("db", "delete", "parts", "--yes", "--json")
    assert outcome.document == {"deleted": "parts", "images": 3}
    shown = [line.rpartition(",")[0] for line in outcome.err.splitlines()]
    assert any(line.startswith("Deleting: 2 of 2, ") for line in shown), outcome.err
    assert stocked("db", "list", "--json").document["databases"] == []


@pytest.mark.parametrize("confirmed", [(), ("--yes",)])
def test_similar_id_is_suggested_for_one_that_is_not_there(stocked: Vsearch, confirmed: tuple[str, ...]) -> None:
    outcome = stocked("delete", "pmup", *confirmed)
    assert outcome.code == ExitCode.NOT_FOUND
    assert "no image with the id “pmup”. Did you mean “pump”?" in outcome.err
    assert "Did you mean" not in stocked("delete", "zzz", *confirmed).err


def test_ids_and_notes_are_corrected(stocked: Vsearch) -> None:
    answer = stocked("edit", "PUMP", "--id", "Pump 7/A", "--note", "DN 25")
    assert answer.out == "Changed 1 image of “Pump 7/A” in “parts”.\n"
    listed = {image["entity"]: image["note"] for image in stocked("images", "--json").document["images"]}
    assert listed["Pump 7/A"] == "DN 25"
    assert "no image with the id “pump”" in stocked("edit", "pump", "--note", "x").err
    assert stocked("edit", "hose").code == ExitCode.USAGE


def test_ids_become_one_only_after_a_question(stocked: Vsearch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    refused = stocked("edit", "pump", "--id", "Hose")
    assert "“Hose” has 1 image in “parts” already. Merge?" in refused.err
    assert sorted(_entities(stocked)) == ["Valve 42", "hose", "pump"]
    assert stocked("edit", "pump", "--id", "Hose", "--yes", "--json").document["entity"] == "hose"
    assert sorted(_entities(stocked)) == ["Valve 42", "hose", "hose"]


def test_one_image_of_several_is_moved_and_deleted(stocked: Vsearch) -> None:
    stocked("edit", "pump", "--id", "hose", "--yes")
    first, second = [image["data_id"] for image in stocked("images", "--prefix", "HOSE", "--json").document["images"]]
    assert stocked("edit", "hose", "--image", first, "--id", "Pump").code == ExitCode.OK
    refused = stocked("delete", "hose", "--image", first, "--yes")
    assert refused.code != ExitCode.OK
    assert f"no image with the id “hose, image {first}”." in " ".join(refused.err.split())
    assert "Did you mean" not in refused.err
    assert stocked("delete", "hose", "--image", second, "--yes").code == ExitCode.OK
    assert sorted(_entities(stocked)) == ["Pump", "Valve 42"]


def test_export_keeps_ids_and_how_they_were_named(stocked: Vsearch, tmp_path: Path) -> None:
    stocked("edit", "pump", "--id", "VLV-0042/A: ../“x”")
    stocked("export", tmp_path / "out")
    stocked("import", tmp_path / "out" / "images.csv", "--in", "copy", "--create")
    document = stocked("images", "--in", "copy", "--json").document
    named = {image["entity"]: image["named_automatically"] for image in document["images"]}
    assert named == {"VLV-0042/A: ../“x”": False, "Valve 42": True, "hose": True}
    assert "Valve 42  (named automatically)" in stocked("images", "--in", "copy").out


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
