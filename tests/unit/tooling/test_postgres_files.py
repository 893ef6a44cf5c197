"""The tests' PostgreSQL starts with any checkout folder, TMPDIR and umask."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from bot.storage.sql import postgres as bot_postgres
from tests.fixtures import postgres, postgres_files, temporary
from tests.fixtures.postgres import SOCKET, Cluster
from tests.fixtures.postgres_files import NEEDED, programs, readable_programs
from tests.fixtures.temporary import SOCKET_PATH_BYTES, socket_folder

SITE_PACKAGES = postgres._site_packages()


@pytest.fixture
def strict_umask() -> Iterator[None]:
    """New files and folders are readable by their owner only."""
    before = os.umask(0o077)
    yield
    os.umask(before)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every account can reach, with blanks and non-ASCII letters in its path."""
    with tempfile.TemporaryDirectory(prefix="Größe & Maß ", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture
def closed(tmp_path: Path, strict_umask: None) -> Path:
    """Site-packages with the package installed under umask 077, in a folder that others can't reach."""
    site_packages = tmp_path / "closed" / "Größe & Maß" / "site-packages"
    for name in NEEDED:
        target = site_packages / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (SITE_PACKAGES / name).is_dir():
            shutil.copytree(SITE_PACKAGES / name, target)
        else:
            shutil.copy(SITE_PACKAGES / name, target)
    for path in (site_packages.parent.parent, *site_packages.parent.parent.rglob("*")):
        path.chmod(path.stat().st_mode & 0o700)
    return site_packages


def run(bin_folder: Path, program: str) -> str:
    return subprocess.run([bin_folder / program, "--version"], check=True, capture_output=True, text=True).stdout


def test_unreadable_programs_are_copied_with_their_dependencies(closed: Path, tmp_path: Path) -> None:
    copied = readable_programs(closed, tmp_path / "server")

    assert copied == programs(tmp_path / "server" / "installed")
    # The copy uses nothing of the original.
    shutil.rmtree(closed)
    assert "PostgreSQL" in run(copied, "postgres")
    assert "PostgreSQL" in run(copied, "initdb")


def test_copies_are_readable_by_others_under_umask_077(closed: Path, tmp_path: Path) -> None:
    readable_programs(closed, tmp_path / "server")

    copy = tmp_path / "server" / "installed"
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (copy, *copy.rglob("*"))}
    assert len(modes) > len(NEEDED)
    assert set(modes.values()) == {0o755}


@pytest.mark.parametrize(
    "part", ["bin/postgres", "lib/postgresql/plpgsql.so", "share/postgresql/postgres.bki", "share", "../../{}.libs"]
)
def test_one_unreadable_part_is_enough_to_copy(closed: Path, open_folder: Path, part: str) -> None:
    site_packages = open_folder / "site-packages"
    shutil.copytree(closed, site_packages)
    for path in (site_packages, *site_packages.rglob("*")):
        path.chmod(0o755)
    assert readable_programs(site_packages, open_folder / "first") == programs(site_packages)
    assert not (open_folder / "first").exists()

    unreadable = programs(site_packages).parent / part.format(postgres_files.PACKAGE)
    unreadable.chmod(0o700)

    assert readable_programs(site_packages, open_folder / "second") == programs(open_folder / "second" / "installed")


def test_server_starts_from_a_closed_checkout_with_blanks_in_tmpdir(
    closed: Path, open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "_site_packages", lambda: closed)
    monkeypatch.setattr(tempfile, "tempdir", str(open_folder))

    with postgres.running() as cluster:
        address = cluster.address(cluster.database())
        assert str(cluster._folder).startswith(str(open_folder))
        with psycopg.connect(address) as connection:
            # A library and data files of the package.
            connection.execute("CREATE EXTENSION vector")
            assert connection.execute("SELECT '[1,2]'::vector <-> '[1,2]'").fetchone() == (0.0,)
        engine = bot_postgres.create(bot_postgres.address(address), 1)
        with engine.connect():
            pass
        engine.dispose()


@pytest.mark.parametrize("name", ["plain", "two words", "Größe", "100%25", "a+b&c=d?e#f", "co:lon"])
def test_address_works_with_any_folder_name(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()

    address = Cluster(folder).address("vsearch")

    assert conninfo_to_dict(address)["host"] == str(folder)
    assert bot_postgres.connect_arguments(bot_postgres.address(address))["host"] == str(folder)


@pytest.mark.parametrize("name", ["long " * 20, "com,ma"], ids=["too long for a socket", "with a comma"])
def test_unsuitable_tmpdir_is_skipped(open_folder: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    (open_folder / name).mkdir(mode=0o755)
    monkeypatch.setattr(tempfile, "tempdir", str(open_folder / name))

    with socket_folder(SOCKET, for_others=True) as folder:
        assert not folder.is_relative_to(open_folder)
        assert len(os.fsencode(folder / SOCKET)) <= SOCKET_PATH_BYTES
        assert temporary.others_can_reach(folder.parent)
    assert not folder.exists()


def test_tmpdir_closed_to_others_is_skipped_only_for_others(open_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = open_folder / "closed"
    closed.mkdir(mode=0o700)
    monkeypatch.setattr(tempfile, "tempdir", str(closed))

    with socket_folder(SOCKET, for_others=True) as folder:
        assert folder.parent != closed
    with socket_folder(SOCKET, for_others=False) as folder:
        assert folder.parent == closed


def test_error_says_why_no_folder_is_suitable_and_what_to_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = tmp_path / "missing"
    monkeypatch.setattr(tempfile, "tempdir", str(missing))
    monkeypatch.setattr(temporary, "ALTERNATIVES", ())

    with (
        pytest.raises(RuntimeError, match=r"missing can't be written to\. Set TMPDIR"),
        socket_folder(SOCKET, for_others=True),
    ):
        pass
