"""``vsearch explain``: the numbers behind an answer, and the comparison picture."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from bot.cli.terminal.exit_codes import ExitCode
from tests.fixtures.command_line import Vsearch, pictures, stocked, vsearch

__all__ = ["pictures", "stocked", "vsearch"]


def test_answer_is_explained_with_a_comparison(stocked: Vsearch, pictures: Path, tmp_path: Path) -> None:
    written = tmp_path / "why.jpg"
    outcome = stocked("explain", pictures / "pump.jpg", "--in", "parts", "--compare", written, "--json")
    document = outcome.document
    names = [stage["name"] for stage in document["stages"]]
    assert names == [
        "features",
        "candidates",
        "verification",
        "items",
        "parts",
        "search",
        "learned scores",
        "text",
    ]
    assert all(stage["seconds"] >= 0 for stage in document["stages"])
    assert len(document["candidates"]) == document["images"] == 3
    first = document["candidates"][0]
    assert (first["entity"], first["score"], first["verdict"]) == ("pump", 10.0, "same image")
    assert first["cosine"] > 0.99
    assert (document["answers"][0]["entity"], document["comparison"]) == ("pump", str(written))
    with Image.open(written) as image:
        assert image.format == "JPEG"
    shown = stocked("explain", pictures / "pump.jpg")
    assert "same image" in shown.out
    assert "comparison.jpg" in shown.err
    assert "Request " in shown.out


def test_answer_without_a_copy_has_nothing_to_compare(stocked: Vsearch, tmp_path: Path) -> None:
    strange = tmp_path / "strange.png"
    Image.effect_noise((320, 240), 120).save(strange)
    outcome = stocked("explain", strange, "--json")
    assert (outcome.code, outcome.document["comparison"]) == (ExitCode.OK, None)
    assert stocked("explain", "gone.jpg").err == "Error: There is no file gone.jpg.\n"


def test_debug_log_has_the_numbers_under_the_request(
    stocked: Vsearch, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VSEARCH_LOG_LEVEL", "debug")
    outcome = stocked("--debug", "explain", pictures / "pump.jpg", "--json")
    lines = [line for line in outcome.err.splitlines() if "services.search.explanation" in line]
    assert all(f" {outcome.document['request']} " in line for line in lines)
    assert sum(": candidate " in line for line in lines) == 3
    assert not any("pump" in line for line in lines)
