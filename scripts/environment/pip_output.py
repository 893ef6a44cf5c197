"""Parse pip's output: progress and errors."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

NOISE = re.compile(r"WARNING: (Location |The directory |Running pip as|Value for|Target directory)|\[notice\]|^\s*$")
RETRY = re.compile(r"WARNING: Retrying")

_COLLECTING = re.compile(r"(?:Collecting |Requirement already satisfied: |Processing (?:\S*/)?)([A-Za-z0-9._-]+)")
_DOWNLOADING = re.compile(r"\s+Downloading (\S+\.whl)(?:\.metadata)? \(([\d.]+ [kM]B)\)")
_INSTALLING = "Installing collected packages: "


@dataclass
class PipProgress:
    """pip's progress, from the lines that it has printed. ``total``: the number of packages in its requirements."""

    total: int
    collected: int = 0
    name: str = ""
    wheel: str = ""
    size: str = ""
    installing: tuple[str, ...] = ()
    errors: list[str] = field(default_factory=list)
    retrying: bool = False

    def feed(self, line: str) -> None:
        """Read a line of pip's standard output."""
        self.retrying = False
        if line.startswith("Ignoring "):  # a package for another platform
            self.total -= 1
        elif found := _COLLECTING.match(line):
            self.collected, self.wheel, self.size = self.collected + 1, "", ""
            # A wheel on this machine is named by its file.
            self.name = found[1].partition("-")[0] if found[1].endswith(".whl") else found[1]
        elif found := _DOWNLOADING.match(line):
            self.wheel, self.size = found[1], found[2]
        elif line.startswith(_INSTALLING):
            self.installing = tuple(line.removeprefix(_INSTALLING).strip().split(", "))

    def feed_error(self, line: str) -> None:
        """Read a line of pip's standard error."""
        self.retrying = bool(RETRY.match(line))
        if self.retrying:
            # Every attempt fails with the same message, so keep the last.
            self.errors = [error for error in self.errors if not RETRY.match(error)]
        if not NOISE.search(line):
            self.errors.append(line)

    def described(self, temporary: Path, site_packages: Path) -> str:
        """Describe the progress.

        Uses folder sizes too, since pip prints nothing while it downloads or unpacks a package.
        """
        if self.retrying:
            return "the package registry doesn't answer, trying again"
        if self.installing:
            done = installed(site_packages)
            waiting = [name for name in self.installing if _normal(name) not in done]
            now = len(self.installing) - len(waiting)
            return f"installing {now + 1} of {len(self.installing)}: {waiting[0]}" if waiting else "finishing"
        if not self.collected:
            return "asking the package registry"
        return f"downloading {self.collected} of {max(self.total, self.collected)}: {self.name}" + self._how_much(
            temporary
        )

    def _how_much(self, temporary: Path) -> str:
        if not self.size.endswith("MB"):
            return ""
        arrived = max((path.stat().st_size for path in temporary.rglob(self.wheel)), default=0)
        return f" ({arrived / 1e6:.0f} of {self.size})" if arrived else f" ({self.size})"

    def failure(self) -> str:
        """Describe the failure: a sentence, then pip's own message."""
        unreachable = any(map(RETRY.match, self.errors))
        described = "The package registry can't be reached" if unreachable else "The packages couldn't be installed"
        return "\n".join([f"{described}. pip says:", *(self.errors or ["nothing."])])


def installed(site_packages: Path) -> set[str]:
    """Return the names of completely installed packages. pip writes RECORD last."""
    return {_normal(record.parent.name.partition("-")[0]) for record in site_packages.glob("*.dist-info/RECORD")}


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
