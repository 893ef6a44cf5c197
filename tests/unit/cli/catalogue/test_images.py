"""Adding, listing and deleting images on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from bot.cli.terminal.exit_codes import ExitCode
from tests.fixtures.command_line import Vsearch, listed_ids, pictures, stocked, vsearch
from tests.fixtures.pictures import encoded, photo

__all__ = ["pictures", "stocked", "vsearch"]


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
    assert len(listed_ids(stocked)) == 3


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
    assert len(listed_ids(stocked)) == 5


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
    assert len(listed_ids(stocked)) == 3


def test_listing_has_order_prefix_and_limit(stocked: Vsearch) -> None:
    oldest = listed_ids(stocked, "--order", "asc")
    assert sorted(oldest) == ["Valve 42", "hose", "pump"]
    assert listed_ids(stocked) == oldest[::-1]
    assert listed_ids(stocked, "--prefix", "va") == ["Valve 42"]
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
    assert sorted(listed_ids(stocked)) == ["Valve 42", "hose"]
    assert stocked("delete", "pump", "--yes").code == ExitCode.NOT_FOUND


def test_delete_asks_for_confirmation(stocked: Vsearch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for answer, left in (("n\n", 3), ("y\n", 2)):
        (tmp_path / "answer").write_text(answer)
        with (tmp_path / "answer").open() as stream:
            monkeypatch.setattr("sys.stdin", stream)
            stocked("delete", "pump")
        assert len(listed_ids(stocked)) == left


@pytest.mark.parametrize("confirmed", [(), ("--yes",)])
def test_similar_id_is_suggested_for_one_that_is_not_there(stocked: Vsearch, confirmed: tuple[str, ...]) -> None:
    outcome = stocked("delete", "pmup", *confirmed)
    assert outcome.code == ExitCode.NOT_FOUND
    assert "no image with the id “pmup”. Did you mean “pump”?" in outcome.err
    assert "Did you mean" not in stocked("delete", "zzz", *confirmed).err
