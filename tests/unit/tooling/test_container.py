"""The container file copies what exists, and nothing else."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

ROOT = Path(__file__).parents[3]
LINES = (ROOT / "Dockerfile").read_text().replace("\\\n", " ").splitlines()


def _words(instruction: str) -> list[list[str]]:
    return [shlex.split(line)[1:] for line in LINES if line.startswith(f"{instruction} ")]


def test_copied_files_are_in_the_repository_and_not_ignored() -> None:
    let_through = {
        line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text().splitlines() if line[0] == "!"
    }
    copied = {source for source, _ in (words for words in _words("COPY") if not words[0].startswith("--"))}
    assert copied == let_through
    assert all((ROOT / source).exists() for source in copied)


def test_packages_are_installed_by_hash() -> None:
    installs = [line for line in LINES if "pip install" in line]
    assert installs
    assert all("--require-hashes" in line for line in installs)


def test_bot_is_not_root_and_receives_signals() -> None:
    user = next(line for line in LINES if line.startswith("USER ")).split()[1]
    assert user != "root"
    assert LINES.index(f"USER {user}") < next(n for n, line in enumerate(LINES) if line.startswith("ENTRYPOINT"))
    assert re.search(r'^ENTRYPOINT \["python", "-m", "bot"\]$', "\n".join(LINES), re.MULTILINE)
