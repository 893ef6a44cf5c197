"""The mark of a data directory that a backup is being restored into."""

from __future__ import annotations

from pathlib import Path

from bot.domain.errors import BackendRefused

UNFINISHED = "restore-unfinished"
"""A folder that the data directory has meanwhile. The bot doesn't start then."""


def refuse_unfinished_restore(data_dir: Path) -> None:
    """Raise BackendRefused if a restore into this directory was interrupted, or is under way."""
    if (data_dir / UNFINISHED).exists():
        raise BackendRefused(
            f"A restore into {data_dir} was interrupted, so its data is incomplete. Run “vsearch restore” again."
        )
