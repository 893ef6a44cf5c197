"""The two sets of packages: what running needs, and what testing adds."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

from scripts.environment.places import ROOT

MB = 1_000_000


@dataclass(frozen=True, slots=True)
class PackageSet:
    """Packages by version and hash, and their size on Linux x86-64 (docs/decisions/0017)."""

    name: str
    purpose: str
    file: Path
    download_mb: int
    installed_mb: int

    @property
    def digest(self) -> str:
        """Changes whenever the file does."""
        return hashlib.sha256(self.file.read_bytes()).hexdigest()

    @property
    def count(self) -> int:
        """How many lines name a package; some may be for other platforms."""
        return sum("==" in line for line in self.file.read_text(encoding="utf-8").splitlines())

    @property
    def room_needed(self) -> int:
        """Bytes of disk that installing takes: the packages, and the archives that they come in."""
        return (self.installed_mb + self.download_mb) * MB

    def without(self, other: PackageSet) -> PackageSet:
        """What is left to install where the other set is installed already."""
        return replace(
            self,
            download_mb=self.download_mb - other.download_mb,
            installed_mb=self.installed_mb - other.installed_mb,
        )


RUN = PackageSet("run", "running", ROOT / "requirements" / "run.txt", 170, 545)
DEV = PackageSet("dev", "testing", ROOT / "requirements" / "dev.txt", 360, 1060)
SETS = {one.name: one for one in (RUN, DEV)}

INCLUDED = {RUN.name: (RUN.name,), DEV.name: (RUN.name, DEV.name)}
"""The sets that are complete once one is installed: dev.txt has the same versions as run.txt, and more."""
