"""Giving images another id or note on the command line."""

from __future__ import annotations

import io

import pytest

from bot.cli.terminal.exit_codes import ExitCode
from tests.fixtures.command_line import Vsearch, listed_ids, pictures, stocked, vsearch

__all__ = ["pictures", "stocked", "vsearch"]


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
    assert sorted(listed_ids(stocked)) == ["Valve 42", "hose", "pump"]
    assert stocked("edit", "pump", "--id", "Hose", "--yes", "--json").document["entity"] == "hose"
    assert sorted(listed_ids(stocked)) == ["Valve 42", "hose", "hose"]


def test_one_image_of_several_is_moved_and_deleted(stocked: Vsearch) -> None:
    stocked("edit", "pump", "--id", "hose", "--yes")
    first, second = [image["data_id"] for image in stocked("images", "--prefix", "HOSE", "--json").document["images"]]
    assert stocked("edit", "hose", "--image", first, "--id", "Pump").code == ExitCode.OK
    refused = stocked("delete", "hose", "--image", first, "--yes")
    assert refused.code != ExitCode.OK
    assert f"no image with the id “hose, image {first}”." in " ".join(refused.err.split())
    assert "Did you mean" not in refused.err
    assert stocked("delete", "hose", "--image", second, "--yes").code == ExitCode.OK
    assert sorted(listed_ids(stocked)) == ["Pump", "Valve 42"]
