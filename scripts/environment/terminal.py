"""Progress on a terminal or in a log, every few seconds while a program runs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, TextIO

EVERY_S = 5.0
POLL_S = 0.5


class ProgressLine:
    """A line that changes in place on a terminal. In a log, it prints a new line every few seconds.

    All instances share this pace, so that several short tasks in a row don't add up to a long silence.
    """

    _last = time.monotonic()

    def __init__(self, stream: TextIO | None = None, every_s: float = EVERY_S) -> None:
        self._stream = sys.stdout if stream is None else stream
        self._in_place = self._stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self._every_s = every_s
        self._started = time.monotonic()
        self._shown = False

    def show(self, text: str) -> None:
        """Show what is being done, with the seconds since the start."""
        now = time.monotonic()
        line = f"  {text}, {now - self._started:.0f} s"
        if self._in_place:
            self._write("\r\x1b[2K" + line[: shutil.get_terminal_size().columns - 1])
            self._shown = True
        elif now - ProgressLine._last >= self._every_s:
            ProgressLine._last = now
            self._write(line + "\n")

    def finish(self, text: str = "") -> None:
        """Clear the line, and print a last one if there is text."""
        if self._shown:
            self._write("\r\x1b[2K")
            self._shown = False
        if text:
            self._write(text + "\n")

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._started

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


def run_with_progress(
    command: Sequence[str],
    doing: str,
    *,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
    timeout_s: float | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end with a progress line, and capture its output.

    Raises subprocess.TimeoutExpired. Stops the program if this function is left early.
    """
    line = ProgressLine()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = subprocess.Popen(command, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        try:
            while _still_running(process):
                line.show(doing)
                if timeout_s is not None and line.seconds > timeout_s:
                    raise subprocess.TimeoutExpired(command, timeout_s)
        finally:
            stop(process)
            line.finish()
        return subprocess.CompletedProcess(command, process.returncode, _text(out), _text(err))


def stop(process: subprocess.Popen[bytes], within_s: float = 10) -> None:
    """Stop a program if it is still running."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(within_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _still_running(process: subprocess.Popen[bytes]) -> bool:
    try:
        process.wait(POLL_S)
    except subprocess.TimeoutExpired:
        return True
    return False


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode("utf-8", "replace")
