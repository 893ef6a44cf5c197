"""Install a set of packages with pip, and show the progress."""

from __future__ import annotations

import os
import queue
import shutil
import subprocess
import threading
from pathlib import Path
from typing import IO

from scripts.environment.errors import SetupError
from scripts.environment.packages import PackageSet
from scripts.environment.pip_output import PipProgress
from scripts.environment.terminal import POLL_S, ProgressLine, stop

OPTIONS = (
    "--disable-pip-version-check",
    "--no-input",
    "--progress-bar=off",
    # Modules are compiled when they are first imported. Most never are, and compiling all takes longer than everything
    # else.
    "--no-compile",
    # Building a package from source needs a compiler, and takes minutes.
    "--only-binary=:all:",
    "--require-hashes",
)


def install(python: Path, site_packages: Path, packages: PackageSet) -> None:
    """Install the packages that are missing. Raises SetupError."""
    print(
        f"Installing the packages for {packages.purpose}: {packages.download_mb} MB to download,"
        f" {packages.installed_mb} MB on disk. It takes about 1 min on a fast network,"
        f" {packages.download_mb / 60:.0f} min at 1 MB/s.",
        flush=True,
    )
    _remove_incomplete(site_packages)
    # pip's temporary files go to the disk whose free space was checked. Their size shows how much of a package was
    # downloaded.
    temporary = site_packages.parents[2] / ".downloads"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    line, progress = ProgressLine(), PipProgress(packages.count)
    command = [str(python), "-m", "pip", "install", *OPTIONS, "--requirement", str(packages.file)]
    try:
        with _started(command, temporary) as process:
            lines = PipLines(process)
            try:
                while not lines.ended:
                    lines.pass_on(progress)
                    line.show(progress.described(temporary, site_packages))
            except BaseException:
                stop(process)
                raise
    finally:
        line.finish()
        shutil.rmtree(temporary, ignore_errors=True)
    if process.returncode:
        raise SetupError(progress.failure())
    print(f"Installed in {line.seconds:.0f} s.", flush=True)


def _started(command: list[str], temporary: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "TMPDIR": str(temporary), "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


class PipLines:
    """Reads both output streams of pip while it runs."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._lines: queue.Queue[tuple[bool, str | None]] = queue.Queue()
        self._open = 2
        for stream, is_error in ((process.stdout, False), (process.stderr, True)):
            threading.Thread(target=self._read, args=(stream, is_error), daemon=True).start()

    @property
    def ended(self) -> bool:
        """Whether pip has closed both streams and all lines were passed on."""
        return not self._open

    def pass_on(self, progress: PipProgress) -> None:
        """Wait a moment, and pass on the lines that have arrived."""
        try:
            is_error, line = self._lines.get(timeout=POLL_S)
        except queue.Empty:
            return
        if line is None:
            self._open -= 1
        elif is_error:
            progress.feed_error(line)
        else:
            progress.feed(line)

    def _read(self, stream: IO[bytes], is_error: bool) -> None:
        for line in stream:
            self._lines.put((is_error, line.decode("utf-8", "replace").rstrip()))
        self._lines.put((is_error, None))


def _remove_incomplete(site_packages: Path) -> None:
    """Remove a half-installed package, so that pip installs it again.

    pip recognises an installed package by METADATA, and writes RECORD last.
    """
    for folder in site_packages.glob("*.dist-info"):
        if not (folder / "RECORD").exists():
            shutil.rmtree(folder)
