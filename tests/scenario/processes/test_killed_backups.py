"""kill -9 in the middle of a backup or of a restore leaves nothing that looks whole, and the next one succeeds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.fixtures.command_line import Vsearch, pictures, stocked, vsearch

__all__ = ["pictures", "stocked", "vsearch"]

ROOT = Path(__file__).parents[3]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork")
def test_killed_backup_or_restore_is_never_taken_for_a_whole_one(stocked: Vsearch, tmp_path: Path) -> None:
    (tmp_path / "copies").mkdir()
    command = [sys.executable, "-m", "tests.scenario.support.killed_backups"]
    command += [str(tmp_path / "data"), str(tmp_path / "copies")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stderr
    assert [int(line) > 8 for line in done.stdout.split()] == [True] * 3
    assert stocked("--data-dir", tmp_path / "copies" / "restored", "reconcile", "--json").document["agree"]
