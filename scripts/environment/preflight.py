"""Checks before anything is installed. Each returns a sentence about the problem, or None."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from scripts.environment.packages import MB, PackageSet
from scripts.environment.places import nearest

OLDEST_GLIBC = (2, 28)
MACHINES = {"linux": ("x86_64", "amd64", "aarch64", "arm64"), "darwin": ("arm64",)}
REQUIRED_MODULES = ("venv", "ensurepip")

Find = Callable[[str], object]


def obstacles(folder: Path, packages: PackageSet) -> Iterator[str]:
    """Yield every problem that prevents installing these packages into an environment in this folder."""
    checks: Iterable[str | None] = (
        python_is_complete(),
        platform_is_supported(sys.platform, platform.machine(), platform.libc_ver()),
        folder_is_writable(folder),
        disk_space_suffices(folder, packages),
    )
    return filter(None, checks)


def python_is_complete(find: Find = importlib.util.find_spec) -> str | None:
    """Check for the modules that Debian packages separately from Python."""
    missing = [name for name in REQUIRED_MODULES if find(name) is None]
    if not missing:
        return None
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    return (
        f"Python {version} lacks {' and '.join(missing)}, needed for virtual environments."
        f" On Debian and Ubuntu, install python{version}-venv."
    )


def platform_is_supported(system: str, machine: str, libc: tuple[str, str]) -> str | None:
    """Check that there are compiled packages for this platform."""
    if machine.lower() not in MACHINES.get(system, ()):
        return f"vsearch runs on Linux (x86-64, ARM64) and macOS (ARM64). Some packages lack {system} {machine}."
    if system != "linux":
        return None
    name, version = libc
    if name != "glibc":
        return "vsearch needs a Linux with glibc. Some of its packages don't support musl, which Alpine uses."
    if tuple(map(int, version.split(".")[:2])) < OLDEST_GLIBC:
        return f"vsearch needs glibc 2.28 or newer (Debian 10, Ubuntu 20.04, RHEL 8), and this system has {version}."
    return None


def folder_is_writable(folder: Path) -> str | None:
    """Check that the folder can be created or written to."""
    existing = nearest(folder)
    if existing.is_dir() and os.access(existing, os.W_OK | os.X_OK):
        return None
    return f"{existing} isn't writable. Set XDG_CACHE_HOME or TMPDIR to a folder that is."


def disk_space_suffices(folder: Path, packages: PackageSet) -> str | None:
    """Check the free disk space. An interrupted installation needs as much as a new one."""
    needed = packages.disk_needed
    free = shutil.disk_usage(nearest(folder)).free
    if free >= needed:
        return None
    return f"The installation needs {needed // MB} MB of disk space, but {nearest(folder)} has {free // MB} MB."
