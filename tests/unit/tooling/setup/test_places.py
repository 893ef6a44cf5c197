"""Where generated files go."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from scripts.environment.places import cache_folder, create_private, home_folder, output_folder


@pytest.fixture
def read_only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Make a folder read-only, also for root, who ignores permissions."""
    folder = tmp_path / "read only"
    folder.mkdir()
    real = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != folder and real(path, mode))
    return folder


def test_writable_checkout_keeps_its_files(tmp_path: Path) -> None:
    assert output_folder(tmp_path, {}) == tmp_path


def test_each_read_only_checkout_has_a_folder_in_the_users_cache(read_only: Path, tmp_path: Path) -> None:
    output = output_folder(read_only, {"HOME": str(tmp_path)})
    assert output.parent == tmp_path / ".cache" / "vsearch"
    assert not output.exists()
    assert output == output_folder(read_only, {"HOME": str(tmp_path)})


def test_xdg_cache_home_is_used(tmp_path: Path) -> None:
    named = tmp_path / "not yet" / "here"
    assert cache_folder({"XDG_CACHE_HOME": str(named), "HOME": "/"}) == named / "vsearch"


def test_relative_cache_folder_is_ignored(tmp_path: Path) -> None:
    assert cache_folder({"XDG_CACHE_HOME": "here", "HOME": str(tmp_path)}) == tmp_path / ".cache" / "vsearch"


@pytest.mark.parametrize("home", ["/no/such/home", "/dev/null"])
def test_temporary_folder_is_used_without_a_home(home: str) -> None:
    assert home_folder({"HOME": home}) is None
    assert cache_folder({"HOME": home}) == Path(tempfile.gettempdir()) / f"vsearch-{os.getuid()}"


def test_read_only_home_counts_as_none(read_only: Path) -> None:
    assert home_folder({"HOME": str(read_only)}) is None


def test_folder_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    create_private(tmp_path / "vsearch" / "1")
    assert (tmp_path / "vsearch" / "1").stat().st_mode & 0o077 == 0
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(OSError, match="belongs to another user"):
        create_private(tmp_path / "vsearch" / "1")
