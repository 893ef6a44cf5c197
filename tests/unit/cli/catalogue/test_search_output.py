"""What ``vsearch search`` and ``images`` print: for one picture, for several, on a terminal and as JSON."""

from __future__ import annotations

import os
import signal
from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer
from PIL import Image

from bot.cli.catalogue.search_output import SearchOutcome, show_outcome, show_summary
from bot.cli.terminal.exit_codes import ExitCode
from bot.domain.catalogue import DatabaseInfo
from bot.domain.identifiers import DatabaseKey, DatabaseName, DataId, EntityId, Note, WorkspaceId
from bot.domain.matches import Match, Verdict
from bot.services.search.grouping import RankedMatch
from bot.services.search.search_result import SearchResult
from tests.fixtures.command_line import Vsearch, pictures, stocked, vsearch
from tests.fixtures.pictures import encoded, photo

__all__ = ["pictures", "stocked", "vsearch"]


@pytest.fixture
def terminal(vsearch: Vsearch, monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal of 80 columns with colours and links."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")


def test_folder_gets_a_line_a_picture_and_a_summary(stocked: Vsearch, pictures: Path) -> None:
    (pictures / "deep").mkdir()
    (pictures / "deep" / "new.png").write_bytes(encoded(photo(96, 64, 50), "PNG"))
    (pictures / "broken.jpg").write_text("no picture")
    (pictures / "readme.txt").write_text("not looked at")
    outcome = stocked("search", "pictures", "--min", "9")
    assert outcome.code == ExitCode.FAILED
    *lines, summary = outcome.out.splitlines()
    assert [line.split("  ←  ")[1] for line in lines] == [
        "pictures/Valve 42.jpg",
        "pictures/hose.jpg",
        "pictures/pump.jpg",
        "pictures/deep/new.png",
    ]
    assert lines[2].split() == ["10.0/10", "same", "image", "pump", "←", "pictures/pump.jpg"]
    assert "nothing similar" in lines[3]
    assert summary == "Found 3 of 5 pictures in “parts”, 1 refused."
    assert outcome.err.startswith("pictures/broken.jpg: The file isn't a picture")
    assert "readme.txt" in outcome.err


def test_several_pictures_are_an_array_in_json(stocked: Vsearch, pictures: Path) -> None:
    outcome = stocked("search", pictures / "pump.jpg", "gone.jpg", pictures / "hose.jpg", "--json")
    assert outcome.code == ExitCode.FAILED
    first, gone, last = outcome.document
    assert [one["matches"][0]["entity"] for one in (first, last)] == ["pump", "hose"]
    assert gone == {"image": "gone.jpg", "error": "There is no file gone.jpg."}
    assert first["image"] == str(pictures / "pump.jpg")
    folder = stocked("search", pictures, "--json")
    assert (folder.code, len(folder.document)) == (ExitCode.OK, 3)
    assert stocked("search", pictures / "pump.jpg", "--json").document["image"].endswith("pump.jpg")


def test_interrupted_search_of_a_folder_says_what_is_left(
    stocked: Vsearch, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_outcome: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    # A second signal at once is the same press.
    monkeypatch.setattr("bot.cli.catalogue.search.show_outcome", interrupt)
    outcome = stocked("search", pictures)
    assert outcome.code == ExitCode.INTERRUPTED
    assert outcome.out == "Found 2 of 2 pictures in “parts”.\n"
    assert "press Ctrl-C again" in outcome.err
    assert outcome.err.endswith("Interrupted before 1 picture.\n")


def test_folder_without_pictures_and_unknown_database_are_errors(
    stocked: Vsearch, tmp_path: Path, pictures: Path
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "words.txt").write_text("x")
    empty = stocked("search", "empty")
    assert empty.code == ExitCode.USAGE
    assert "There are no pictures in empty. Left out 1 file that is no picture (words.txt)." in empty.err
    assert stocked("search", pictures, "--in", "nowhere").code == ExitCode.NOT_FOUND
    nothing = stocked("import", "empty", "--in", "parts")
    assert (nothing.code, nothing.out) == (ExitCode.OK, "Found no pictures to import into “parts”.\n")


def test_errors_name_the_picture(stocked: Vsearch, tmp_path: Path) -> None:
    (tmp_path / "words.jpg").write_text("no picture")
    assert stocked("search", "words.jpg").err.startswith("Error: words.jpg: The file isn't a picture")
    assert stocked("search", "gone.jpg").err == "Error: There is no file gone.jpg.\n"
    assert stocked("add", "pictures").err == "pictures is a folder. Use “vsearch import” for its pictures.\n"


def test_empty_database_says_how_to_add_pictures(vsearch: Vsearch, pictures: Path) -> None:
    vsearch("db", "create", "parts")
    assert vsearch("search", pictures / "pump.jpg").out.startswith("“parts” has no images yet. Add pictures with")


def test_matches_name_the_stored_picture(stocked: Vsearch, pictures: Path) -> None:
    best = stocked("search", pictures / "pump.jpg", "--json").document["matches"][0]
    assert Path(best["location"]).read_bytes().startswith(b"\xff\xd8")
    row = stocked("search", pictures / "pump.jpg", "--top", "1").out.splitlines()[1]
    for shown in ("pump.jpg", "96 × 64", best["data_id"], best["location"]):
        assert shown in row
    listed = stocked("images", "--json").document["images"]
    assert best["location"] in {image["location"] for image in listed}


@pytest.mark.usefixtures("terminal")
def test_terminal_shows_entries_with_links_to_the_pictures(stocked: Vsearch, pictures: Path) -> None:
    stocked("edit", "pump", "--note", "Leaks since May")
    out = stocked("search", pictures / "pump.jpg", "--top", "1").out
    location = next((Path("data") / "pictures").rglob("*.jpg")).parent.parent.absolute().as_uri()
    for shown in ("same image", "pump", "Leaks since May", "pump.jpg", "96 × 64", "data/pictures/", f";{location}/"):
        assert shown in out
    assert "│" not in out
    short = stocked("images", "--prefix", "pump", "--json").document["images"][0]["data_id"][-8:]
    assert f"image {short}" in out
    assert f"image {short}" in stocked("images", "--prefix", "pump").out


def test_best_match_is_opened(stocked: Vsearch, pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []

    def launch(path: str) -> int:
        opened.append(path)
        return len(opened) - 1

    monkeypatch.setattr(typer, "launch", launch)
    monkeypatch.setenv("DISPLAY", ":0")
    assert stocked("search", pictures / "pump.jpg", "--open").code == ExitCode.OK
    assert Path(opened[0]).is_relative_to(Path("data").absolute())
    failed = stocked("search", pictures / "pump.jpg", "--open")
    assert failed.code == ExitCode.FAILED
    assert f"The picture is {opened[0]}" in failed.err
    assert stocked("search", pictures, "--open").code == ExitCode.USAGE


def test_comparison_is_written_and_described(stocked: Vsearch, pictures: Path, tmp_path: Path) -> None:
    written = tmp_path / "comparison.jpg"
    found = stocked("search", pictures / "pump.jpg", "--compare", written)
    assert found.code == ExitCode.OK
    assert "Both pictures show the same, and nothing differs." in found.err
    with Image.open(written) as image:
        assert image.format == "JPEG"
    strange = tmp_path / "strange.png"
    Image.effect_noise((320, 240), 120).save(strange)
    unlike = stocked("search", strange, "--compare", tmp_path / "none.jpg")
    assert unlike.code == ExitCode.USAGE
    assert "nothing to compare" in unlike.err
    assert not (tmp_path / "none.jpg").exists()
    assert stocked("search", pictures, "--compare", written).code == ExitCode.USAGE
    assert "Can't write" in stocked("search", pictures / "pump.jpg", "--compare", tmp_path / "no" / "x.jpg").err


def test_image_is_named_by_the_end_of_its_data_id(stocked: Vsearch) -> None:
    stocked("edit", "pump", "--id", "hose", "--yes")
    first, second = [image["data_id"] for image in stocked("images", "--prefix", "hose", "--json").document["images"]]
    assert stocked("edit", "hose", "--image", first[-8:], "--note", "one").code == ExitCode.OK
    assert stocked("delete", "hose", "--image", second[-8:], "--yes").code == ExitCode.OK
    (left,) = stocked("images", "--prefix", "hose", "--json").document["images"]
    assert (left["data_id"], left["note"]) == (first, "one")


def test_counts_name_images_and_ids(stocked: Vsearch) -> None:
    stocked("edit", "pump", "--id", "hose", "--yes")
    assert stocked("images").err == "3 images of 2 ids in “parts”\n"
    assert stocked("images", "--prefix", "H", "--json").document["ids"] == 1
    (info,) = stocked("db", "list", "--json").document["databases"]
    assert (info["images"], info["ids"]) == (3, 2)
    assert stocked("db", "list").out.splitlines()[1].split()[:3] == ["parts", "3", "2"]


def test_unknown_database_lists_those_there_are(stocked: Vsearch) -> None:
    stocked("db", "create", "brand")
    assert stocked("images", "--in", "zzz").err == "Error: There is no database “zzz” here. Databases: brand, parts.\n"
    near = stocked("db", "delete", "part", "--yes").err
    assert near == "Error: There is no database “part” here. Did you mean “parts”? Databases: brand, parts.\n"
    assert "Databases: brand, parts. To create it, add --create." in stocked("import", ".", "--in", "zzz").err


def test_answer_of_no_is_no_error(stocked: Vsearch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for typed, last in (("n\n", "Nothing was deleted."), ("", "Nobody answered, so nothing was changed. To confirm")):
        (tmp_path / "answer").write_text(typed)
        with (tmp_path / "answer").open() as stream:
            monkeypatch.setattr("sys.stdin", stream)
            refused = stocked("delete", "pump")
        assert (refused.code, refused.out) == (ExitCode.FAILED, "")
        assert refused.err.splitlines()[1].startswith(last)
        assert "Error" not in refused.err


def _outcome(*matches: Match) -> SearchOutcome:
    key = DatabaseKey(WorkspaceId("local"), DatabaseName("parts"))
    info = DatabaseInfo(key, 9, datetime(2026, 11, 30, tzinfo=UTC))
    ranked = tuple(RankedMatch(rank, match, None) for rank, match in enumerate(matches, start=1))
    return SearchOutcome("inbox/1.jpg", SearchResult(info, ranked, 0, 0.1))


def _match(score: float, verdict: Verdict = Verdict.SIMILAR) -> Match:
    return Match(DataId("1"), EntityId("pump"), Note(""), score, verdict)


def test_scores_are_cut_so_that_none_passes_for_a_better_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    for score, shown in ((8.96, "8.9/10  similar"), (4.97, "4.9/10  unlikely"), (9.0, "9.0/10  similar")):
        show_outcome(_outcome(_match(score)))
        assert capsys.readouterr().out.lstrip().startswith(shown)


def test_what_is_only_similar_is_not_called_found(capsys: pytest.CaptureFixture[str]) -> None:
    copy, item = _match(9.5, Verdict.EDITED), _match(8.6, Verdict.SAME_ITEM)
    outcomes = [_outcome(copy, _match(7)), _outcome(item), _outcome(_match(7)), _outcome(_match(2)), _outcome()]
    show_summary(DatabaseKey(WorkspaceId("local"), DatabaseName("parts")), outcomes)
    assert capsys.readouterr().out == "Found 2 of 5 pictures in “parts”, 1 similar.\n"
