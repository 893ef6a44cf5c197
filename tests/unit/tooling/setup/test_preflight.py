"""Checks before an installation begins."""

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


def test_this_machine_passes_all_checks(tmp_path: Path) -> None:
    assert not list(preflight.obstacles(tmp_path / "new" / ".venv", RUN))


def test_incomplete_python_is_told_the_missing_package() -> None:
    told = preflight.python_is_complete(lambda name: None if name == "ensurepip" else object())
    assert told is not None
    assert "lacks ensurepip, needed for" in told
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
def test_unsupported_platform_is_named(system: str, machine: str, libc: tuple[str, str], told: str) -> None:
    said = preflight.platform_is_supported(system, machine, libc)
    assert said is None if told is None else told in str(said)


def test_full_disk_is_told_the_space_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: SimpleNamespace(free=5_000_000))
    told = preflight.disk_space_suffices(tmp_path / ".venv", RUN)
    assert told == f"The installation needs {RUN.disk_needed // 1_000_000} MB of disk space, but {tmp_path} has 5 MB."


def test_dev_packages_need_less_room_if_run_packages_are_installed() -> None:
    assert DEV.without(RUN).disk_needed == DEV.disk_needed - RUN.disk_needed


def test_file_in_place_of_the_folder_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert f"{tmp_path / 'file'} isn't writable" in str(preflight.folder_is_writable(tmp_path / "file" / ".venv"))


def test_failed_check_stops_before_anything_is_created(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: SimpleNamespace(free=0))
    with pytest.raises(SetupError, match="has 0 MB"):
        main.prepare(VirtualEnvironment(tmp_path / ".venv", tmp_path), RUN, chosen=False)
    assert not list(tmp_path.iterdir())


def test_old_python_can_parse_the_launcher_and_prints_the_required_version(monkeypatch: pytest.MonkeyPatch) -> None:
    # ASCII only, so that Python 2 gets as far as the message too.
    ast.parse(LAUNCHER.read_text(encoding="ascii"), feature_version=(3, 6))
    monkeypatch.setattr(sys, "version_info", (3, 9, 2))
    monkeypatch.setattr(sys, "argv", [str(LAUNCHER), "--chosen", "run"])
    with pytest.raises(SystemExit, match=r"needs Python 3\.11 or newer, and .* is 3\.9\. Name another: make PYTHON="):
        runpy.run_path(str(LAUNCHER))


def test_missing_python_is_named() -> None:
    done = subprocess.run(
        ["make", "run", "PYTHON=no-such-python"], cwd=ROOT, check=False, capture_output=True, text=True
    )
    assert done.returncode
    assert "there is no no-such-python here" in done.stderr
