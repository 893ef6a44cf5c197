"""The two sets of packages: for running, and for running and testing."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

from scripts.environment.places import ROOT

MB = 1_000_000


@dataclass(frozen=True, slots=True)
class PackageSet:
    """Packages pinned by version and hash, and their size on Linux x86-64 (docs/decisions/0017)."""

    name: str
    purpose: str
    file: Path
    download_mb: int
    installed_mb: int

    @property
    def digest(self) -> str:
        """A hash of the requirements file."""
        return hashlib.sha256(self.file.read_bytes()).hexdigest()

    @property
    def count(self) -> int:
        """Number of lines that name a package. Some may be for other platforms."""
        return sum("==" in line for line in self.file.read_text(encoding="utf-8").splitlines())

    @property
    def disk_needed(self) -> int:
        """Disk space that the installation needs, in bytes: the packages and their archives."""
        return (self.installed_mb + self.download_mb) * MB

    def without(self, other: PackageSet) -> PackageSet:
        """Return the packages that remain to be installed if the other set is installed already."""
        return replace(
            self,
            download_mb=self.download_mb - other.download_mb,
            installed_mb=self.installed_mb - other.installed_mb,
        )


RUN = PackageSet("run", "running", ROOT / "requirements" / "run.txt", 201, 597)
DEV = PackageSet("dev", "testing", ROOT / "requirements" / "dev.txt", 391, 1110)
SETS = {one.name: one for one in (RUN, DEV)}

INCLUDED = {RUN.name: (RUN.name,), DEV.name: (RUN.name, DEV.name)}
"""Sets that are complete once one is installed. dev.txt contains all of run.txt in the same versions."""
