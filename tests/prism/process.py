"""Run Prism as a process within a context."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.prism.download import ensure_prism

HOST = "127.0.0.1"
STARTS_WITHIN_S = 60
STOPS_WITHIN_S = 10
LISTENING = re.compile(rf"Prism is listening on (http://{re.escape(HOST)}:\d+)")


@contextmanager
def prism(document: Path, log: Path) -> Iterator[str]:
    """Yield the address of a Prism for this OpenAPI file. It answers invalid requests with 4xx."""
    command = [*ensure_prism(), "mock", "--errors", "--host", HOST, "--port", "0", str(document)]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
    try:
        yield _address(process, log)
    finally:
        process.terminate()
        try:
            process.wait(STOPS_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    end = time.monotonic() + STARTS_WITHIN_S
    while process.poll() is None and time.monotonic() < end:
        if found := LISTENING.search(log.read_text(encoding="utf-8")):
            return found[1]
        time.sleep(0.05)
    raise AssertionError(f"Prism does not listen:\n{log.read_text(encoding='utf-8')}")
