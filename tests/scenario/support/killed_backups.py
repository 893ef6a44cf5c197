"""Kills backups and restores with SIGKILL, in a process of its own: before each write to the disk, one after the other.

``python -m tests.scenario.support.killed_backups <data folder> <empty folder>`` prints how often it killed each.
"""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from bot.domain.errors import BackendRefused
from bot.storage.opened_database import open_sqlite
from bot.storage.transfer.backup import BackupSource, write_backup
from bot.storage.transfer.backup_format import Pace
from bot.storage.transfer.restore import RestorePlace, restore_backup


def _kill_before(number: int) -> None:
    """Let this process die before its ``number``-th write to the disk."""
    numbers, sync = itertools.count(1), os.fsync

    def fsync(descriptor: Any) -> None:
        if next(numbers) == number:
            os.kill(os.getpid(), signal.SIGKILL)
        sync(descriptor)

    vars(os)["fsync"] = fsync


def kills(work: Callable[[], object], check: Callable[[], None]) -> int:
    """Run work until it isn't killed any more, and check what is left after each kill. Return how often it was."""
    for number in itertools.count(1):
        child = os.fork()
        if child == 0:
            _kill_before(number)
            try:
                work()
            except BaseException as error:  # noqa: BLE001 - the parent must see it, and this process must end
                sys.stderr.write(f"{error!r}\n")
                os._exit(1)
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        if not os.WIFSIGNALED(status):
            assert os.waitstatus_to_exitcode(status) == 0
            return number - 1
        check()
    raise AssertionError


def main(data: Path, folder: Path) -> None:
    source = BackupSource(data, data / "vsearch.db", data / "pictures", "1", ())
    pace = Pace(rest_s=0)
    for name in ("backup", "backup.tar"):
        target = folder / name

        def is_not_there(target: Path = target) -> None:
            # A kill after the rename, when all is on the disk, leaves a whole one.
            if target.exists():
                restore_backup(target, RestorePlace(folder / "r", folder / "r" / "vsearch.db", "files"), pace, _ignore)
                shutil.rmtree(folder / "r")
                target.unlink() if target.is_file() else shutil.rmtree(target)

        killed = kills(partial(write_backup, source, target, pace, _ignore), is_not_there)
        sys.stdout.write(f"{killed}\n")
        assert sorted(path.name for path in folder.iterdir() if path.name.startswith(".")) == []
    restored = folder / "restored"
    place = RestorePlace(restored, restored / "vsearch.db", "files")

    def bot_refuses_to_start() -> None:
        try:
            open_sqlite(restored, None)
        except BackendRefused:
            return
        if (restored / "vsearch.db").exists():
            shutil.rmtree(restored)
            return
        raise AssertionError("A bot would have started on half of a backup.")

    killed = kills(lambda: restore_backup(folder / "backup", place, pace, _ignore), bot_refuses_to_start)
    sys.stdout.write(f"{killed}\n")


def _ignore(_done: int, _total: int) -> None:
    """Show no progress."""


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
