"""Where generated files go: the checkout, or the user's cache folder if the checkout is read-only.

``python -m scripts.environment.places`` prints the folder.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def output_folder(root: Path = ROOT, environment: Mapping[str, str] = os.environ) -> Path:
    """Return the folder for generated files. It need not exist yet."""
    if os.access(root, os.W_OK):
        return root
    # One folder per checkout, since two checkouts may need different packages.
    return cache_folder(environment) / hashlib.sha256(os.fsencode(root)).hexdigest()[:12]


def cache_folder(environment: Mapping[str, str]) -> Path:
    """Return the user's cache folder for vsearch, or a private temporary folder if the user has no home."""
    named = environment.get("XDG_CACHE_HOME", "")
    if Path(named).is_absolute() and writable(Path(named)):  # the XDG standard ignores relative paths
        return Path(named) / "vsearch"
    home = home_folder(environment)
    if home is not None and writable(home / ".cache"):
        return home / ".cache" / "vsearch"
    return Path(tempfile.gettempdir()) / f"vsearch-{os.getuid()}"


def home_folder(environment: Mapping[str, str]) -> Path | None:
    """Return the user's home, if it exists and is writable."""
    home = Path(environment.get("HOME") or os.path.expanduser("~"))  # noqa: PTH111 - Path.home raises without a home
    return home if home.is_dir() and os.access(home, os.W_OK) else None


def writable(folder: Path) -> bool:
    """Return whether files can be created below this folder, which need not exist."""
    existing = nearest(folder)
    return existing.is_dir() and os.access(existing, os.W_OK)


def nearest(folder: Path) -> Path:
    """Return the folder itself, or its closest parent that exists."""
    return next(path for path in (folder, *folder.parents) if path.exists())


def create_private(folder: Path) -> None:
    """Create a private folder for programs.

    Raises OSError if the folder belongs to another user, who could put programs into it.
    """
    folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.mkdir(exist_ok=True, mode=0o700)
    for path in (folder.parent, folder):
        if path.stat().st_uid != os.geteuid():
            raise OSError(f"{path} belongs to another user")


if __name__ == "__main__":
    print(output_folder())
