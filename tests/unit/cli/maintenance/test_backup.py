"""``vsearch backup`` and ``vsearch restore``."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bot.app.transfer.backup import back_up
from bot.cli.terminal.exit_codes import ExitCode
from bot.config.settings import Settings
from bot.storage.transfer import database_copy
from bot.storage.transfer.backup import BackupSource, write_backup
from bot.storage.transfer.backup_format import BackupRefused, BackupStopped, Pace
from tests.fixtures.command_line import Vsearch, listed_ids, pictures, stocked, vsearch

__all__ = ["pictures", "stocked", "vsearch"]

SECRET = "a secret that is 30 characters"


@pytest.fixture
def unpaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.app.transfer.backup.Pace", lambda **_: Pace(rest_s=0))


def rows(data_dir: Path) -> dict[str, list[tuple[Any, ...]]]:
    with closing(sqlite3.connect(data_dir / "vsearch.db")) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: sorted(connection.execute(f"SELECT * FROM {name}"), key=repr) for name in names}


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.jpg")}


@pytest.mark.usefixtures("unpaced")
@pytest.mark.parametrize("name", ["copy", "copy.tar"])
def test_restored_backup_equals_the_data(stocked: Vsearch, tmp_path: Path, name: str) -> None:
    written = stocked("backup", tmp_path / "backups" / name, "--json")
    assert (written.code, written.document["pictures"], written.document["missing_pictures"]) == (0, 3, [])
    assert _names(tmp_path / "backups") == [name]
    restored = stocked("--data-dir", "other", "restore", tmp_path / "backups" / name, "--json")
    assert (restored.code, restored.document["pictures"]) == (ExitCode.OK, 3)
    assert rows(tmp_path / "other") == rows(tmp_path / "data")
    assert files(tmp_path / "other") == files(tmp_path / "data")
    assert stocked("--data-dir", "other", "reconcile", "--json").document["agree"]
    assert listed_ids(stocked, "--prefix", "") == listed_ids(stocked)
    assert (tmp_path / "other").stat().st_mode & 0o777 == 0o700


@pytest.mark.usefixtures("unpaced")
def test_manifest_names_settings_and_has_none_of_their_values(
    stocked: Vsearch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SLACK_SIGNING_SECRET", "SLACK_STATE_SECRET"):
        monkeypatch.setenv(name, SECRET)
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-1-secret")
    assert stocked("backup", "copy").code == ExitCode.OK
    manifest = json.loads((tmp_path / "copy" / "manifest.json").read_text())
    assert manifest["settings"] == ["SLACK_BOT_TOKEN", "SLACK_SIGNING_SECRET", "SLACK_STATE_SECRET"]
    written = b"".join(path.read_bytes() for path in (tmp_path / "copy").rglob("*") if path.is_file())
    assert SECRET.encode() not in written
    assert b"xoxb-1-secret" not in written
    monkeypatch.delenv("SLACK_SIGNING_SECRET")
    restored = stocked("--data-dir", "other", "restore", "copy", "--json").document
    assert restored["unset_settings"] == ["SLACK_SIGNING_SECRET"]


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.chmod(0o600)
    path.unlink()
    path.write_bytes(content)


def _first_picture(folder: Path) -> Path:
    return next(folder.rglob("*.jpg"))


_DAMAGES: list[Callable[[Path], object]] = [
    lambda folder: _flip(folder / "vsearch.db"),
    lambda folder: _flip(_first_picture(folder)),
    lambda folder: _first_picture(folder).unlink(),
    lambda folder: _flip(folder / "SHA256SUMS"),
    lambda folder: (folder / "manifest.json").unlink(),
    lambda folder: (folder / "manifest.json").write_text("{}"),
]


@pytest.mark.usefixtures("unpaced")
def test_damaged_backup_is_refused_and_nothing_is_written(stocked: Vsearch, tmp_path: Path) -> None:
    assert stocked("backup", "copy").code == ExitCode.OK
    for damage in _DAMAGES:
        shutil.copytree(tmp_path / "copy", tmp_path / "damaged")
        damage(tmp_path / "damaged")
        refused = stocked("--data-dir", "other", "restore", "damaged")
        assert refused.code == ExitCode.FAILED
        assert "damaged" in refused.err or "no complete backup" in refused.err
        assert not (tmp_path / "other").exists()
        shutil.rmtree(tmp_path / "damaged")
    (tmp_path / "cut.tar").write_bytes(b"not a tar file" * 100)
    assert "no complete backup" in stocked("--data-dir", "other", "restore", "cut.tar").err
    assert "There is no backup" in stocked("--data-dir", "other", "restore", "nowhere").err


@pytest.mark.usefixtures("unpaced")
def test_restore_changes_no_place_that_has_anything(stocked: Vsearch, tmp_path: Path) -> None:
    assert stocked("backup", "copy").code == ExitCode.OK
    before = rows(tmp_path / "data")
    refused = stocked("restore", "copy")
    assert (refused.code, "empty place" in refused.err) == (ExitCode.FAILED, True)
    assert rows(tmp_path / "data") == before
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    assert stocked("--data-dir", "mine", "restore", "copy").code == ExitCode.FAILED
    assert _names(tmp_path / "mine") == ["notes.txt"]
    assert "already exists" in stocked("backup", "copy").err


def test_backup_of_nothing_creates_nothing(vsearch: Vsearch, tmp_path: Path) -> None:
    refused = vsearch("backup", "copy")
    assert (refused.code, "no vsearch data" in refused.err) == (ExitCode.FAILED, True)
    assert _names(tmp_path) == []


@pytest.mark.parametrize(
    ("environment", "commands"),
    [
        (
            {"DATABASE_URL": "postgresql://me:secret@db/bot"},
            ['pg_dump --format=custom --file=copy.dump "$DATABASE_URL"'],
        ),
        (
            {"VSEARCH_PICTURES": "bucket", "VSEARCH_BUCKET": "ours/bot", "AWS_REGION": "eu-central-1"},
            [".backup(", "aws s3 sync s3://ours/bot copy-pictures"],
        ),
    ],
    ids=["postgresql", "bucket"],
)
def test_other_storage_is_left_to_its_own_tools(
    vsearch: Vsearch, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], commands: list[str]
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    for verb in ("backup", "restore"):
        refused = vsearch(verb, "copy")
        assert refused.code == ExitCode.USAGE
        assert all(command in refused.err for command in commands)
        assert "secret" not in refused.err


@pytest.mark.usefixtures("unpaced")
def test_lost_picture_is_reported_and_the_rest_is_copied(stocked: Vsearch, tmp_path: Path) -> None:
    lost = _first_picture(tmp_path / "data")
    lost.unlink()
    written = stocked("backup", "copy", "--json")
    assert (written.code, written.document["missing_pictures"]) == (ExitCode.FAILED, [lost.stem])
    restored = stocked("--data-dir", "other", "restore", "copy", "--json")
    assert (restored.code, restored.document["missing_pictures"]) == (ExitCode.OK, [lost.stem])


def _source(tmp_path: Path) -> BackupSource:
    data = tmp_path / "data"
    return BackupSource(data, data / "vsearch.db", data / "pictures", "1", ())


def test_picture_deleted_meanwhile_is_in_neither_part_of_the_backup(stocked: Vsearch, tmp_path: Path) -> None:
    last = max(path.stem for path in (tmp_path / "data").rglob("*.jpg"))
    deleted: list[str] = []

    def delete(_done: int, _total: int) -> None:
        if not deleted:
            deleted.append(last)
            with closing(sqlite3.connect(tmp_path / "data" / "vsearch.db")) as connection:
                connection.execute("DELETE FROM images WHERE digest = ?", (last,))
                connection.commit()
            (tmp_path / "data" / "pictures" / last[:2] / f"{last}.jpg").unlink()

    report = write_backup(_source(tmp_path), tmp_path / "copy", Pace(rest_s=0), delete)
    assert (report.pictures, report.missing) == (2, ())
    assert last not in {path.stem for path in (tmp_path / "copy").rglob("*.jpg")}
    assert last not in {row[0] for row in _digests(tmp_path / "copy")}
    assert stocked("--data-dir", "other", "restore", "copy").code == ExitCode.OK


def _digests(folder: Path) -> list[tuple[str]]:
    with closing(sqlite3.connect(folder / "vsearch.db")) as connection:
        return list(connection.execute("SELECT digest FROM images"))


@pytest.mark.usefixtures("stocked")
def test_database_is_copied_as_it_was_at_one_moment_although_others_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_copy, "STEP_PAGES", 8)
    with closing(sqlite3.connect(tmp_path / "data" / "vsearch.db")) as connection:

        class Writing(Pace):
            writes = 0

            def rest(self) -> None:
                self.writes += 1
                connection.execute("UPDATE databases SET name = ?", (f"parts_{self.writes}",))
                connection.commit()

        pace = Writing()
        database_copy.copy_database(tmp_path / "data" / "vsearch.db", tmp_path / "copy.db", pace)
    assert pace.writes > 3
    with closing(sqlite3.connect(tmp_path / "copy.db")) as copied:
        assert list(copied.execute("SELECT name FROM databases")) == [("parts",)]
        assert list(copied.execute("PRAGMA integrity_check")) == [("ok",)]


@pytest.mark.usefixtures("stocked")
def test_pictures_on_another_disk_are_shared_with_the_earlier_backup(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = os.link

    def no_link_from_the_data(source: Path, target: Path) -> None:
        if source.is_relative_to(tmp_path / "data"):
            raise OSError(18, "Invalid cross-device link")
        link(source, target)

    monkeypatch.setattr(os, "link", no_link_from_the_data)
    pace = Pace(rest_s=0)
    write_backup(_source(tmp_path), tmp_path / "one", pace, lambda *_: None)
    damaged, *others = sorted((tmp_path / "one").rglob("*.jpg"))
    _flip(damaged)
    write_backup(_source(tmp_path), tmp_path / "two", pace, lambda *_: None, tmp_path / "one")
    assert files(tmp_path / "two" / "pictures") == files(tmp_path / "data" / "pictures")
    assert all(path.stat().st_nlink == 2 for path in others)
    assert damaged.stat().st_nlink == 1


@pytest.mark.usefixtures("stocked")
def test_only_one_backup_is_made_at_a_time(tmp_path: Path) -> None:
    def another(_done: int, _total: int) -> None:
        with pytest.raises(BackupRefused, match="Another backup"):
            write_backup(_source(tmp_path), tmp_path / "two", Pace(rest_s=0), lambda *_: None)

    assert write_backup(_source(tmp_path), tmp_path / "one", Pace(rest_s=0), another).pictures == 3


@pytest.mark.usefixtures("stocked")
async def test_cancelled_backup_leaves_nothing(tmp_path: Path) -> None:
    loop, begun = asyncio.get_running_loop(), asyncio.Event()

    def begin(_done: int, _total: int) -> None:
        loop.call_soon_threadsafe(begun.set)

    settings = Settings(data_dir=tmp_path / "data")
    task = asyncio.create_task(back_up(settings, tmp_path / "copies" / "copy", begin))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert _names(tmp_path / "copies") == []


@pytest.mark.usefixtures("unpaced")
def test_data_of_an_older_version_can_be_backed_up_but_not_of_a_newer_one(stocked: Vsearch, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "data" / "vsearch.db")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0021'")
        connection.commit()
        assert stocked("backup", "older").code == ExitCode.OK
        assert json.loads((tmp_path / "older" / "manifest.json").read_text())["schema"] == "0021"
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    assert "newer vsearch" in stocked("backup", "newer").err
    manifest = tmp_path / "older" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"0021"', '"9999"'))
    assert "newer vsearch" in stocked("--data-dir", "other", "restore", "older").err


@pytest.mark.usefixtures("unpaced")
def test_pictures_in_the_database_go_with_it(stocked: Vsearch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VSEARCH_PICTURES", "database")
    assert stocked("backup", "copy", "--json").document["pictures"] == 0
    assert _names(tmp_path / "copy") == ["SHA256SUMS", "manifest.json", "vsearch.db"]
    monkeypatch.delenv("VSEARCH_PICTURES")
    assert "VSEARCH_PICTURES=database" in stocked("--data-dir", "other", "restore", "copy").err
    assert not (tmp_path / "other").exists()
    monkeypatch.setenv("VSEARCH_PICTURES", "database")
    assert stocked("--data-dir", "other", "restore", "copy").code == ExitCode.OK
    assert rows(tmp_path / "other") == rows(tmp_path / "data")


@pytest.mark.usefixtures("stocked")
def test_stopped_check_of_the_copy_ends_soon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.storage.sql.sqlite.PROGRESS_STEPS", 1)
    pace = Pace(rest_s=0)
    pace.stop()
    with pytest.raises(BackupStopped):
        database_copy.check_integrity(tmp_path / "data" / "vsearch.db", pace)
