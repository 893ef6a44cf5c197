"""The virtual environment: whether it is usable, how it is created, and which packages it has."""

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
TIMEOUT_S = 60

_FACTS = "import sys, sysconfig; print(*sys.version_info[:2], sep='.'); print(sysconfig.get_path('purelib'))"


@dataclass(frozen=True, slots=True)
class VirtualEnvironment:
    """A virtual environment in ``folder``, for the checkout in ``root``."""

    folder: Path
    root: Path

    @property
    def programs(self) -> Path:
        """The folder of its programs."""
        return self.folder / "bin"

    @property
    def python(self) -> Path:
        """Its Python interpreter."""
        return self.programs / "python"

    def problem(self, wanted_version: str | None = None) -> str | None:
        """Return why the environment must be created anew, or None if it is usable.

        Its programs contain its absolute path, and its packages are for one version of Python.
        """
        settings = self._settings()
        if not settings:
            return "is incomplete"
        made_as = settings.get("command", "")
        if made_as and not made_as.endswith(f" {self.folder}"):
            return "was created in another folder"
        version = ".".join(settings.get("version", "").split(".")[:2])
        runs = self._facts()
        if not runs or runs[0] != version:
            return f"was created with Python {version}, which is no longer installed"
        # Creation ends with pip, which writes RECORD last.
        if not list(Path(runs[1]).glob("pip-*.dist-info/RECORD")):
            return "is incomplete"
        if wanted_version and version != wanted_version:
            return f"was created with Python {version}, and you chose {wanted_version}"
        return None

    def create(self) -> None:
        """Create it anew with the Python that runs this. Raises SetupError."""
        if self.folder.exists():
            run_with_progress(["rm", "-rf", str(self.folder)], "removing the old one")
        command = [sys.executable, "-m", "venv", str(self.folder)]
        done = run_with_progress(command, "creating a virtual environment")
        if done.returncode:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise SetupError(f"Python couldn't create the virtual environment:\n{done.stdout}{done.stderr}".rstrip())

    @property
    def site_packages(self) -> Path:
        """Return the folder of its packages. Raises SetupError if its Python does not run."""
        facts = self._facts()
        if not facts:
            raise SetupError(f"{self.python} doesn't run. Delete {self.folder} and try again.")
        return Path(facts[1])

    def has(self, packages: PackageSet) -> bool:
        """Return whether these packages are installed in these versions."""
        return self._stamp().get(packages.name) == packages.digest

    def add(self, name: str) -> None:
        """Record that a set of packages is installed, and the sets that it contains."""
        stamp = {**self._stamp(), **{one: SETS[one].digest for one in INCLUDED[name]}}
        (self.folder / STAMP).write_text(json.dumps(stamp), encoding="utf-8")

    def add_project(self) -> None:
        """Let its Python import the checkout, and create the program ``vsearch`` (an editable installation).

        pip would write into the checkout, which may be read-only.
        """
        # ASCII only, because Python reads the file in the locale's encoding.
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
            done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=TIMEOUT_S)
        except (OSError, subprocess.SubprocessError):
            return []
        return done.stdout.splitlines() if done.returncode == 0 else []

    def _stamp(self) -> dict[str, str]:
        try:
            stamp = json.loads((self.folder / STAMP).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return dict(stamp)
