"""Reading and finding text on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.cli.terminal.exit_codes import ExitCode
from bot.domain.pictures import Picture
from bot.domain.texts import PictureText
from tests.fakes.texts import FakeTextReader, text_of
from tests.fixtures.command_line import Vsearch, pictures, stocked, vsearch
from tests.fixtures.pictures import encoded, photo

__all__ = ["pictures", "stocked", "vsearch"]


class SameTextReader(FakeTextReader):
    """Reads the same text in every picture."""

    async def read(self, picture: Picture) -> PictureText:
        self.read_digests.append(picture.digest)
        return text_of("Pump 12.345-B", "500 ml")


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> FakeTextReader:
    """The reader of all commands."""
    reader = SameTextReader()
    monkeypatch.setattr("bot.app.services.open_text_reader", lambda *, enabled: reader)
    return reader


def test_stored_pictures_are_read_and_found(stocked: Vsearch, reader: FakeTextReader) -> None:
    assert "isn't read yet" in stocked("find", "pump").err
    done = stocked("read-text", "--json")
    assert done.document == {"images": 3, "read": 3, "unreadable": 0, "waiting": 0}
    assert stocked("read-text").out == "Read the text of 3 of 3 pictures.\n"
    assert len(reader.read_digests) == 3
    found = stocked("find", "12345b", "--top", "2", "--json").document
    assert [(match["words"], match["lines"]) for match in found["matches"]] == [
        ({"agreeing": 1, "of": 1}, ["Pump 12.345-B"])
    ] * 2
    assert "Valve 42.jpg" in stocked("find", "valve").out, "ids and file names are found too"
    table = stocked("find", "12345b", "--top", "2").out
    assert all(match["data_id"] in table for match in found["matches"]), "tells two images of one text apart"
    assert "No image in “parts” has these words." in stocked("find", "porcelain").out


def test_search_waits_for_the_text_unless_told_not_to(stocked: Vsearch, reader: FakeTextReader, tmp_path: Path) -> None:
    stocked("read-text")
    reader.read_digests.clear()
    query = tmp_path / "query.png"
    query.write_bytes(encoded(photo(96, 64, 9), "PNG"))
    without = stocked("search", query, "--no-text", "--min", "0", "--json").document["matches"]
    assert reader.read_digests == []
    assert {match["text"] for match in without} == {None}
    found = stocked("search", query, "--min", "0", "--json").document["matches"]
    assert len(reader.read_digests) == 1
    assert [match["text"] for match in found] == [{"agreeing": 5, "of": 5, "differs": False}] * 3
    assert "(text: 5 of 5 words agree)" in stocked("search", query, "--min", "0").out.replace("\n", " ")


def test_commands_say_that_nothing_is_read(stocked: Vsearch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VSEARCH_READ_TEXT", "off")
    refused = stocked("read-text")
    assert refused.code == ExitCode.SETTINGS
    assert "VSEARCH_READ_TEXT=on" in refused.err
