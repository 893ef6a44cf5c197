"""The command line's output while a remote back end fails."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

import bot.app.services
from bot.app.services import Services
from bot.cli.terminal.exit_codes import ExitCode
from bot.config.settings import Settings
from bot.domain.errors import BackendDown, BackendLost, BackendQuota, ModelMismatch, PictureRefused
from bot.domain.matches import Caveat
from tests.fakes.failing_back_end import FaultySearch
from tests.fixtures.command_line import Vsearch, pictures, vsearch

__all__ = ["pictures", "vsearch"]

_build_services = bot.app.services.build_services


@pytest.fixture
def visual(vsearch: Vsearch, pictures: Path, monkeypatch: pytest.MonkeyPatch) -> FaultySearch:
    """The back end of the command line, with a database of one pump."""
    ailing = FaultySearch()

    @asynccontextmanager
    async def with_it(settings: Settings) -> AsyncIterator[Services]:
        async with _build_services(settings, visual=ailing) as services:
            yield services

    monkeypatch.setattr(bot.app.services, "build_services", with_it)
    assert vsearch("db", "create", "parts").code == ExitCode.OK
    assert vsearch("add", pictures / "pump.jpg").code == ExitCode.OK
    return ailing


def test_copies_only_result_says_so(vsearch: Vsearch, visual: FaultySearch, pictures: Path) -> None:
    visual.caveats = {Caveat.SAME_IMAGES_ONLY}
    known, unknown = vsearch("search", pictures / "pump.jpg"), vsearch("search", pictures / "hose.jpg")
    assert known.code == unknown.code == ExitCode.OK
    assert "same image" in known.out
    assert "No matches found in “parts”." in unknown.out
    for outcome in (known, unknown):
        assert "I could only check for copies of this image" in " ".join(outcome.err.split())
        assert "is similar" not in outcome.out


def test_json_output_has_the_caveat(vsearch: Vsearch, visual: FaultySearch, pictures: Path) -> None:
    assert vsearch("search", pictures / "pump.jpg", "--json").document["caveats"] == []
    visual.caveats = {Caveat.SAME_IMAGES_ONLY, Caveat.CROWDED_OUT}
    found = vsearch("search", pictures / "pump.jpg", "--json").document
    assert found["caveats"] == ["crowded out", "same images only"]


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (BackendDown("search: no answer"), "Search: no answer. Run “vsearch doctor” to find the cause."),
        (
            BackendQuota("search: -2 (HTTP 200, request R-1)"),
            "Search: -2 (HTTP 200, request R-1). Buy more calls for the account.",
        ),
        (
            BackendLost("it has no database."),
            "It has no database. Run “vsearch reconcile --mend” to add its images again.",
        ),
        (
            ModelMismatch("parts"),
            "“parts” was indexed with another model or version. Run “vsearch reindex parts”.",
        ),
        (PictureRefused("It can't be read."), "It can't be read."),
    ],
)
def test_error_says_what_to_do(
    vsearch: Vsearch, visual: FaultySearch, pictures: Path, error: Exception, sentence: str
) -> None:
    visual.error = error
    outcome = vsearch("search", pictures / "pump.jpg", "--json")
    assert (outcome.code, outcome.document["error"]) == (ExitCode.FAILED, sentence)
