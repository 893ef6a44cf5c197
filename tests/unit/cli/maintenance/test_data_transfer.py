"""``vsearch migrate --from`` on the command line: output and errors."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from bot.cli.terminal.exit_codes import ExitCode
from bot.storage.inbox.worker_registry import FileWorkerRegistry
from tests.fixtures.command_line import Outcome, Vsearch, pictures, stocked, vsearch

__all__ = ["pictures", "stocked", "vsearch"]


@pytest.fixture
def moving(stocked: Vsearch, monkeypatch: pytest.MonkeyPatch, postgres_address: str) -> Vsearch:
    """A data directory with images in ``data``, and settings for PostgreSQL."""
    monkeypatch.setenv("DATABASE_URL", postgres_address)
    monkeypatch.setenv("VSEARCH_DATA_DIR", "new")
    return stocked


def said(outcome: Outcome) -> str:
    """Return an error message on one line."""
    assert outcome.code in {ExitCode.FAILED, ExitCode.USAGE}
    assert outcome.out == ""
    return " ".join(outcome.err.split())


def test_transfer_reports_success_and_the_next_steps(moving: Vsearch) -> None:
    outcome = moving("migrate", "--from", "data")
    assert outcome.code == ExitCode.OK, outcome.err
    told = [line.split() for line in outcome.out.splitlines()]
    assert ["images", "3"] in told
    assert ["embedded", "vectors", "3"] in told
    assert "and 3 pictures." in outcome.out
    assert "Start the bot with these settings" in outcome.out
    listed = moving("db", "list", "--json").document["databases"]
    assert [(info["name"], info["images"]) for info in listed] == [("parts", 3)]
    exported = moving("export", "exported", "--in", "parts", "--json")
    assert exported.code == ExitCode.OK, exported.err


def test_json_output_has_the_numbers(moving: Vsearch, tmp_path: Path) -> None:
    first = moving("migrate", "--from", f"sqlite:///{tmp_path}/data/vsearch.db", "--json").document
    assert (first["pictures"], first["missing_pictures"], first["interrupted"]) == (3, [], False)
    assert first["tables"]["images"] == 3
    assert sum(first["tables"].values()) == first["rows"]
    # Each way to name the source gives the same result.
    again = moving("migrate", "--from", "data", "--json").document
    assert (again["moved_earlier"], again["rows"], again["pictures"]) == (True, 0, 0)


def test_password_is_not_shown(moving: Vsearch, monkeypatch: pytest.MonkeyPatch, postgres_address: str) -> None:
    assert moving("migrate", "--from", "data").code == ExitCode.OK
    monkeypatch.delenv("DATABASE_URL")
    # The server does not ask for one.
    source = postgres_address.replace("@", ":hidden-password@")
    for arguments in (("--json",), ()):
        back = moving("migrate", "--from", source, *arguments)
        assert back.code == ExitCode.OK, back.err
        assert postgres_address.rpartition("?")[0].rpartition("/")[2] in back.out
        assert "hidden" not in back.out + back.err


def test_missing_pictures_are_reported(moving: Vsearch, tmp_path: Path) -> None:
    next((tmp_path / "data" / "pictures").rglob("*.jpg")).unlink()
    outcome = moving("migrate", "--from", "data")
    assert outcome.code == ExitCode.FAILED
    assert "1 picture not found in data" in outcome.err
    assert moving("db", "list").code == ExitCode.OK


@pytest.mark.parametrize("arguments", [(), ("--to", "embedded", "--from", "data")])
def test_exactly_one_of_the_two_options_is_required(moving: Vsearch, arguments: tuple[str, ...]) -> None:
    assert "either --to with a back end, or --from" in said(moving("migrate", *arguments))


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("nowhere", "There is no vsearch data in nowhere"),
        ("pictures", "There is no vsearch data in pictures"),
        ("mysql://x/y", "--from must be a data directory or an address such as sqlite:///"),
    ],
)
def test_invalid_source_is_refused(moving: Vsearch, source: str, told: str) -> None:
    assert told in said(moving("migrate", "--from", source))


def test_transfer_to_itself_is_refused(moving: Vsearch, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path}/data/vsearch.db"
    monkeypatch.setenv("DATABASE_URL", address)
    for source in ("data", address, "data/vsearch.db"):
        assert "The settings still point to" in said(moving("migrate", "--from", source))


def test_database_without_our_tables_is_refused(moving: Vsearch, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "other.db")) as connection:
        connection.execute("CREATE TABLE something (id INTEGER)")
    assert "There is no vsearch data in" in said(moving("migrate", "--from", "other.db"))


@pytest.mark.parametrize(
    ("revision", "told"), [("0003", "To upgrade it, run “vsearch db list”"), ("9999", "A newer vsearch")]
)
def test_source_of_another_version_is_refused(moving: Vsearch, tmp_path: Path, revision: str, told: str) -> None:
    with closing(sqlite3.connect(tmp_path / "data" / "vsearch.db")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", [revision])
        connection.commit()
    assert told in said(moving("migrate", "--from", "data"))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no flock, so processes can't register there")
def test_source_in_use_by_a_bot_is_refused(moving: Vsearch, tmp_path: Path) -> None:
    presence = FileWorkerRegistry(tmp_path / "data" / "workers")
    presence.register("bot")
    assert "vsearch is still running on data. Stop it" in said(moving("migrate", "--from", "data"))
    presence.unregister("bot")
    assert moving("migrate", "--from", "data").code == ExitCode.OK


@pytest.fixture
def somebody_connected(postgres_address: str) -> Iterator[None]:
    with psycopg.connect(postgres_address, application_name="vsearch"):
        yield


@pytest.mark.usefixtures("somebody_connected")
def test_target_in_use_by_a_bot_is_refused(moving: Vsearch) -> None:
    assert "vsearch is already running on the storage in the settings" in said(moving("migrate", "--from", "data"))


def test_target_with_data_is_refused(moving: Vsearch, postgres_address: str) -> None:
    with psycopg.connect(postgres_address) as connection:
        connection.execute("INSERT INTO databases VALUES (1, 'T1', 'other', now(), '', 0, false)")
    told = said(moving("migrate", "--from", "data"))
    assert "The database in the settings already has data (databases: 1" in told
