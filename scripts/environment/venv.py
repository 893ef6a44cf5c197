"""The virtual environment: whether it can be used, how it is made, and which packages it has."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from scripts.environment.errors import SetupError
from scripts.environment.packages import INCLUDED, SETS, PackageSet
from scripts.environment.terminal import run_with_progress

STAMP = "vsearch.json"
ENDURED_S = 60

_FACTS = "import sys, sysconfig; print(*sys.version_info[:2], sep='.'); print(sysconfig.get_path('purelib'))"


@dataclass(frozen=True, slots=True)
class VirtualEnvironment:
    """A virtual environment in ``folder``, for the checkout in ``root``."""

    folder: Path
    root: Path

    @property
    def programs(self) -> Path:
        """Where its programs are."""
        return self.folder / "bin"

    @property
    def python(self) -> Path:
        """Its Python."""
        return self.programs / "python"

    def flaw(self, wanted_version: str | None = None) -> str | None:
        """Why this environment has to be made again; None if it can be used.

        Its programs name it by its absolute path, and its packages are for one version of Python.
        """
        settings = self._settings()
        if not settings:
            return "is incomplete"
        made_as = settings.get("command", "")
        if made_as and not made_as.endswith(f" {self.folder}"):
            return "was made in another folder"
        version = ".".join(settings.get("version", "").split(".")[:2])
        runs = self._facts()
        if not runs or runs[0] != version:
            return f"was made with Python {version}, which is not here any more"
        # Making it ends with pip, which writes RECORD last.
        if not list(Path(runs[1]).glob("pip-*.dist-info/RECORD")):
            return "is incomplete"
        if wanted_version and version != wanted_version:
            return f"was made with Python {version}, and you chose {wanted_version}"
        return None

    def create(self) -> None:
        """Make it afresh, with the Python that runs this. Raises SetupError."""
        if self.folder.exists():
            run_with_progress(["rm", "-rf", str(self.folder)], "removing the old one")
        command = [sys.executable, "-m", "venv", str(self.folder)]
        done = run_with_progress(command, "making a virtual environment")
        if done.returncode:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise SetupError(f"Python could not make a virtual environment:\n{done.stdout}{done.stderr}".rstrip())

    @property
    def site_packages(self) -> Path:
        """Where its packages are. Raises SetupError if its Python does not run."""
        facts = self._facts()
        if not facts:
            raise SetupError(f"{self.python} does not run.")
        return Path(facts[1])

    def has(self, packages: PackageSet) -> bool:
        """Whether these packages are installed, in these versions."""
        return self._stamp().get(packages.name) == packages.digest

    def add(self, name: str) -> None:
        """Remember that a set of packages is installed, and those that it includes."""
        stamp = {**self._stamp(), **{one: SETS[one].digest for one in INCLUDED[name]}}
        (self.folder / STAMP).write_text(json.dumps(stamp), encoding="utf-8")

    def add_project(self) -> None:
        """Let its Python import the checkout, and make the program ``vsearch``: an editable installation.

        pip would write into the checkout, which may be read-only.
        """
        # In ASCII: Python reads the file in the locale's encoding.
        path = f"import sys; sys.path.append({str(self.root)!a})\n"
        (self.site_packages / "vsearch.pth").write_text(path, encoding="ascii")
        program = self.programs / "vsearch"
        program.write_text(f'#!/bin/sh\nexec {shlex.quote(str(self.python))} -P -m bot "$@"\n', encoding="utf-8")
        program.chmod(0o755)

    def _settings(self) -> dict[str, str]:
        try:
            lines = (self.folder / "pyvenv.cfg").read_text(encoding="utf-8").splitlines()
        except OSError:
            return {}
        pairs = (line.partition("=") for line in lines)
        return {name.strip(): value.strip() for name, _, value in pairs}

    def _facts(self) -> list[str]:
        try:
            command = [str(self.python), "-I", "-c", _FACTS]
            done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=ENDURED_S)
        except (OSError, subprocess.SubprocessError):
            return []
        return done.stdout.splitlines() if done.returncode == 0 else []

    def _stamp(self) -> dict[str, str]:
        try:
            stamp = json.loads((self.folder / STAMP).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return dict(stamp)
