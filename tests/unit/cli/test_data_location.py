"""Where commands look for their data, and that none that reads creates any."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.cli import data_location
from bot.cli.terminal.exit_codes import ExitCode
from bot.config.settings import Settings
from bot.config.validation import database_file
from tests.fixtures.command_line import Vsearch, pictures, stocked, vsearch

__all__ = ["pictures", "stocked", "vsearch"]

READS = (
    ("db", "list"),
    ("images",),
    ("find", "valve"),
    ("search", "pictures/pump.jpg"),
    ("explain", "pictures/pump.jpg"),
    ("export", "out"),
    ("reconcile",),
    ("reindex", "--all"),
    ("read-text",),
    ("calibrate", "--preview"),
    ("feedback",),
    ("add", "pictures/pump.jpg"),
    ("import", "pictures", "--in", "parts"),
    ("import", "pictures", "--in", "parts", "--create", "--dry-run"),
    ("delete", "pump", "--yes"),
    ("edit", "pump", "--note", "x"),
    ("history", "C0123456789"),
    ("doctor",),
    ("backup", "copy"),
)


@pytest.mark.usefixtures("pictures")
def test_no_read_creates_a_data_folder_and_each_says_where_it_looked(vsearch: Vsearch, tmp_path: Path) -> None:
    before = sorted(tmp_path.iterdir())
    for arguments in READS:
        outcome = vsearch(*arguments)
        assert sorted(tmp_path.iterdir()) == before, arguments
        assert str(tmp_path / "data") in outcome.err + outcome.out, arguments
    assert vsearch("db", "list", "--json").document == {"databases": []}


def test_missing_directory_that_was_named_is_said_and_not_created(
    vsearch: Vsearch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert str(tmp_path / "a") in vsearch("--data-dir", tmp_path / "a", "db", "list").err
    monkeypatch.setenv("VSEARCH_DATA_DIR", str(tmp_path / "b"))
    assert str(tmp_path / "b") in vsearch("db", "list").err
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/c/my.db")
    assert str(tmp_path / "c") in vsearch("db", "list").err
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "checkout"
    folder.mkdir()
    (folder / "pyproject.toml").touch()
    monkeypatch.setattr(data_location, "PROGRAM_FOLDER", folder)
    return folder


def test_data_of_the_checkout_is_found_from_anywhere(
    vsearch: Vsearch, checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert f"{tmp_path / 'elsewhere' / 'data'} and {checkout / 'data'}" in vsearch("db", "list").err
    assert vsearch("--data-dir", checkout / "data", "db", "create", "parts").code == ExitCode.OK
    outcome = vsearch("db", "list", "--json")
    assert ([one["name"] for one in outcome.document["databases"]], outcome.err) == (["parts"], "")
    assert list((tmp_path / "elsewhere").iterdir()) == []
    # A folder of its own comes first, from the command on that creates it.
    assert vsearch("db", "create", "own").code == ExitCode.OK
    assert [one["name"] for one in vsearch("db", "list", "--json").document["databases"]] == ["own"]


def test_env_file_of_the_checkout_counts_from_anywhere_with_its_relative_paths(
    vsearch: Vsearch, checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (checkout / ".env").write_text("VSEARCH_DATA_DIR=store\n", "utf-8")
    monkeypatch.chdir(checkout)
    assert vsearch("db", "create", "parts").code == ExitCode.OK
    monkeypatch.chdir(tmp_path)
    assert [one["name"] for one in vsearch("db", "list", "--json").document["databases"]] == ["parts"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkout"]


def test_relative_paths_belong_to_the_folder_of_the_env_file(tmp_path: Path) -> None:
    settings = Settings(data_dir=Path("store"), database_url="sqlite:///db/my.db", model_path=Path("/models/m.onnx"))
    moved = data_location.beside(tmp_path, settings)
    assert (moved.data_dir, moved.model_path) == (tmp_path / "store", Path("/models/m.onnx"))
    assert database_file(moved) == tmp_path / "db" / "my.db"
