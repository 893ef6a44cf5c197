"""What stands in the way of an installation is said before it begins."""

from __future__ import annotations

import ast
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from scripts.environment import main, preflight
from scripts.environment.errors import SetupError
from scripts.environment.packages import DEV, RUN
from scripts.environment.places import ROOT
from scripts.environment.venv import VirtualEnvironment

LAUNCHER = ROOT / "scripts" / "in_venv.py"


def test_this_machine_has_what_it_takes(tmp_path: Path) -> None:
    assert not list(preflight.obstacles(tmp_path / "new" / ".venv", RUN))


def test_a_python_in_parts_is_told_which_is_missing() -> None:
    told = preflight.python_is_complete(lambda name: None if name == "ensurepip" else object())
    assert told is not None
    assert "lacks its module ensurepip" in told
    assert f"python3.{sys.version_info[1]}-venv" in told


@pytest.mark.parametrize(
    ("system", "machine", "libc", "told"),
    [
        ("linux", "x86_64", ("glibc", "2.28"), None),
        ("linux", "aarch64", ("glibc", "2.41"), None),
        ("darwin", "arm64", ("", ""), None),
        ("darwin", "x86_64", ("", ""), "darwin x86_64"),
        ("linux", "armv7l", ("glibc", "2.41"), "linux armv7l"),
        ("linux", "x86_64", ("", ""), "musl"),
        ("linux", "x86_64", ("glibc", "2.17"), "this system has 2.17"),
        ("freebsd14", "amd64", ("", ""), "freebsd14 amd64"),
    ],
)
def test_platforms_without_packages_are_named(system: str, machine: str, libc: tuple[str, str], told: str) -> None:
    said = preflight.platform_is_supported(system, machine, libc)
    assert said is None if told is None else told in str(said)


def test_a_full_disk_is_told_how_much_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: SimpleNamespace(free=5_000_000))
    told = preflight.disk_has_room(tmp_path / ".venv", RUN)
    assert told == f"Installing needs {RUN.room_needed // 1_000_000} MB of disk, and {tmp_path} has 5 MB left."


def test_testing_needs_less_room_where_running_is_installed() -> None:
    assert DEV.without(RUN).room_needed == DEV.room_needed - RUN.room_needed


def test_a_folder_that_is_a_file_is_not_written_to(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert f"{tmp_path / 'file'} can't be written to" in str(preflight.folder_is_writable(tmp_path / "file" / ".venv"))


def test_an_obstacle_stops_before_anything_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: SimpleNamespace(free=0))
    with pytest.raises(SetupError, match="has 0 MB left"):
        main.prepare(VirtualEnvironment(tmp_path / ".venv", tmp_path), RUN, chosen=False)
    assert not list(tmp_path.iterdir())


def test_an_old_python_can_read_the_launcher_and_is_told_what_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    # In ASCII, so that Python 2 gets as far as the sentence too.
    ast.parse(LAUNCHER.read_text(encoding="ascii"), feature_version=(3, 6))
    monkeypatch.setattr(sys, "version_info", (3, 9, 2))
    monkeypatch.setattr(sys, "argv", [str(LAUNCHER), "--chosen", "run"])
    with pytest.raises(
        SystemExit, match=r"needs Python 3\.11 or newer, and .* is 3\.9; name another with make PYTHON="
    ):
        runpy.run_path(str(LAUNCHER))


def test_a_python_that_is_not_there_is_named() -> None:
    done = subprocess.run(
        ["make", "run", "PYTHON=no-such-python"], cwd=ROOT, check=False, capture_output=True, text=True
    )
    assert done.returncode
    assert "there is no no-such-python here" in done.stderr
