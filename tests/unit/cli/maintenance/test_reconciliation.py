"""Reconciliation, migration to another back end and its retirement on the command line."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bot.cli.terminal.exit_codes import ExitCode
from tests.fixtures.command_line import Vsearch, pictures, stocked, vsearch

__all__ = ["pictures", "stocked", "vsearch"]

HOSTED = {
    "VSEARCH_BACKEND": "showapi",
    "SHOWAPI_APP_KEY": "0123456789abcdef",
    "SHOWAPI_DS_ID": "7",
    "PUBLIC_BASE_URL": "https://vsearch.example.com",
}


@contextmanager
def rows(folder: Path) -> Iterator[sqlite3.Connection]:
    """A connection to the database, for tests that damage it."""
    connection = sqlite3.connect(folder / "data" / "vsearch.db")
    try:
        connection.execute("PRAGMA foreign_keys = ON")
        yield connection
        connection.commit()
    finally:
        connection.close()


@pytest.fixture
def inconsistent(stocked: Vsearch, tmp_path: Path) -> Vsearch:
    """A back end that lacks a valve and has a pump that the catalogue doesn't know."""
    with rows(tmp_path) as connection:
        connection.execute("DELETE FROM embedded_images WHERE entity = 'Valve 42'")
        connection.execute("DELETE FROM images WHERE entity = 'pump'")
    return stocked


@pytest.fixture
def hosted(stocked: Vsearch, monkeypatch: pytest.MonkeyPatch) -> Vsearch:
    """The hosted service is in use, so the embedded engine is the other back end."""
    for name, value in HOSTED.items():
        monkeypatch.setenv(name, value)
    return stocked


def test_consistent_data_says_so(stocked: Vsearch) -> None:
    outcome = stocked("reconcile")
    assert outcome.code == ExitCode.OK
    assert "agree" in outcome.out
    assert [line.split() for line in outcome.out.splitlines() if line.startswith("parts")] == [
        ["parts", "3", "3", "0", "0", "0"]
    ]


def test_without_a_database_there_is_nothing_to_repair(vsearch: Vsearch) -> None:
    outcome = vsearch("reconcile", "--json")
    assert outcome.code == ExitCode.OK
    assert outcome.document == {"databases": [], "leftovers": [], "agree": True, "interrupted": False}


def test_differences_are_shown_and_repaired_on_request(inconsistent: Vsearch, pictures: Path) -> None:
    for _ in range(2):
        seen = inconsistent("reconcile")
        assert seen.code == ExitCode.FAILED
        assert "--mend" in seen.out
        assert ["parts", "2", "2", "1", "1", "0"] in [line.split() for line in seen.out.splitlines()]
    mended = inconsistent("reconcile", "--mend")
    assert mended.code == ExitCode.OK
    assert "Added 1 image, deleted 1." in mended.out
    assert inconsistent("reconcile").code == ExitCode.OK
    best = inconsistent("search", pictures / "Valve 42.jpg", "--json").document["matches"][0]
    assert best["entity"] == "Valve 42"
    assert inconsistent("search", pictures / "pump.jpg", "--min", "9", "--json").document["matches"] == []


def test_json_output_is_one_document(inconsistent: Vsearch) -> None:
    outcome = inconsistent("reconcile", "--json")
    assert outcome.code == ExitCode.FAILED
    [found] = outcome.document["databases"]
    assert (found["workspace"], found["database"], found["where"]) == ("local", "parts", "both")
    assert (found["in_catalogue"], found["in_back_end"]) == (2, 2)
    assert [len(found[name]) for name in ("missing", "orphans", "unreadable")] == [1, 1, 0]
    mended = inconsistent("reconcile", "--mend", "--json")
    assert mended.code == ExitCode.OK
    assert mended.document["agree"] is True
    assert [(one["added"], one["deleted"]) for one in mended.document["databases"]] == [(1, 1)]


def test_one_database_can_be_checked(inconsistent: Vsearch) -> None:
    inconsistent("db", "create", "logos")
    assert inconsistent("reconcile", "--in", "logos").code == ExitCode.OK
    assert inconsistent("reconcile", "--in", "parts").code == ExitCode.FAILED
    gone = inconsistent("reconcile", "--in", "part", "--mend")
    assert gone.code == ExitCode.NOT_FOUND
    assert "Did you mean “parts”?" in gone.err


def test_all_workspaces_are_checked_unless_one_is_named(inconsistent: Vsearch) -> None:
    assert inconsistent("--workspace", "T2", "db", "create", "parts").code == ExitCode.OK
    both = inconsistent("reconcile")
    assert both.code == ExitCode.FAILED
    assert [line.split()[0] for line in both.out.splitlines()[1:3]] == ["T2/parts", "local/parts"]
    assert inconsistent("--workspace", "T2", "reconcile").code == ExitCode.OK
    assert inconsistent("--workspace", "local", "reconcile", "--mend").code == ExitCode.OK
    assert inconsistent("reconcile").code == ExitCode.OK


def test_missing_stored_picture_is_reported_and_kept_for_repair(inconsistent: Vsearch, tmp_path: Path) -> None:
    for picture in (tmp_path / "data" / "pictures").glob("*/*.jpg"):
        picture.unlink()
    for arguments in (("reconcile",), ("reconcile", "--mend")):
        outcome = inconsistent(*arguments)
        assert outcome.code == ExitCode.FAILED
        assert "Valve 42" in outcome.err
        assert "Its stored picture is gone." in outcome.err
    assert inconsistent("images", "--json").document["total"] == 2


def test_databases_migrate_to_another_back_end(
    hosted: Vsearch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with rows(tmp_path) as connection:
        known = connection.execute("SELECT data_id, entity, '' FROM images ORDER BY data_id").fetchall()
        connection.execute("DELETE FROM embedded_databases")
    moved = hosted("migrate", "--to", "embedded", "--json")
    assert moved.code == ExitCode.OK
    assert (moved.document["back_end"], moved.document["agree"]) == ("embedded", True)
    assert [(one["database"], one["where"], one["added"]) for one in moved.document["databases"]] == [
        ("parts", "catalogue only", 3)
    ]
    with rows(tmp_path) as connection:
        held = connection.execute("SELECT data_id, entity, note FROM embedded_images ORDER BY data_id").fetchall()
    assert held == known
    again = hosted("migrate", "--to", "embedded")
    assert again.code == ExitCode.OK
    assert "Added 0 images, deleted 0." in again.out
    for advice in ("VSEARCH_BACKEND=embedded", "vsearch reconcile --mend", "vsearch retire showapi"):
        assert advice in again.out
    monkeypatch.delenv("VSEARCH_BACKEND")
    assert hosted("reconcile").code == ExitCode.OK


def test_unused_back_end_is_retired(hosted: Vsearch, tmp_path: Path) -> None:
    outcome = hosted("retire", "embedded", "--json")
    assert outcome.code == ExitCode.USAGE
    assert "--yes" in outcome.document["error"]
    outcome = hosted("retire", "embedded", "--yes", "--json")
    assert outcome.code == ExitCode.OK
    assert outcome.document == {"back_end": "embedded", "deleted": 1}
    with rows(tmp_path) as connection:
        assert connection.execute("SELECT count(*) FROM embedded_images").fetchone() == (0,)
    assert hosted("images", "--json").document["total"] == 3
    assert "Deleted 0 databases" in hosted("retire", "embedded", "--yes").out


@pytest.mark.parametrize(("typed", "left"), [("y\n", 0), ("n\n", 3), ("\n", 3)])
def test_retiring_asks_for_confirmation(
    hosted: Vsearch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: str, left: int
) -> None:
    answers = tmp_path / "answers"
    answers.write_text(typed)
    with answers.open() as stream:
        monkeypatch.setattr("sys.stdin", stream)
        outcome = hosted("retire", "embedded")
    assert "This deletes 1 database with 3 images from the embedded back end." in outcome.err
    assert outcome.code == (ExitCode.FAILED if left else ExitCode.OK)
    with rows(tmp_path) as connection:
        assert connection.execute("SELECT count(*) FROM embedded_images").fetchone() == (left,)


@pytest.mark.parametrize("arguments", [("migrate", "--to", "embedded"), ("retire", "embedded", "--yes")])
def test_back_end_in_use_is_refused(stocked: Vsearch, arguments: tuple[str, ...]) -> None:
    outcome = stocked(*arguments)
    assert outcome.code == ExitCode.USAGE
    assert "back end is in use." in outcome.err
    assert stocked("reconcile").code == ExitCode.OK


@pytest.mark.parametrize("arguments", [("migrate", "--to", "showapi"), ("retire", "showapi", "--yes")])
def test_back_end_without_its_settings_is_refused(stocked: Vsearch, arguments: tuple[str, ...]) -> None:
    outcome = stocked(*arguments)
    assert outcome.code == ExitCode.SETTINGS
    told = " ".join(outcome.err.split())
    for name in ("SHOWAPI_APP_KEY", "SHOWAPI_DS_ID"):
        assert f"VSEARCH_BACKEND=showapi needs {name}" in told
    # Deletion needs no public address, since nothing is fetched.
    assert ("needs PUBLIC_BASE_URL" in told) == (arguments[0] == "migrate")


def test_unknown_back_end_is_refused(stocked: Vsearch) -> None:
    outcome = stocked("migrate", "--to", "magic")
    assert outcome.code == ExitCode.USAGE
    assert "There is no back end “magic”" in outcome.err
