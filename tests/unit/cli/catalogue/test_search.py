"""Searching on the command line: the match, its part, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from bot.cli.terminal.exit_codes import ExitCode
from bot.domain.matches import PictureRegion
from tests.fakes.features import FakeFeatureExtractor
from tests.fixtures.command_line import Vsearch, pictures, stocked, vsearch
from tests.fixtures.pictures import encoded, photo

__all__ = ["pictures", "stocked", "vsearch"]


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
