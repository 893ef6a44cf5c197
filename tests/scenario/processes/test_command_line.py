"""The command line as a process: Ctrl-C, kill, pipes, and what a quick command loads."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bot.storage.sql_storage import SqlStorage
from tests.fixtures.pictures import encoded, photo

PICTURES = 120
"""Enough for seconds of work, so that signals arrive in the middle of the import."""
DEADLINE_S = 60


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    for seed in range(PICTURES):
        (folder / f"{seed:03}.jpg").write_bytes(encoded(photo(160, 120, seed), "JPEG"))
    return folder


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("VSEARCH_", "SLACK_"))}
    return {**kept, "PYTHONPATH": str(Path(__file__).parents[3]), "VSEARCH_THREADS": "1"}


def _start(tmp_path: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "bot", *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=tmp_path, env=_environment(), stdout=pipe, stderr=pipe, text=True)


def _vsearch(tmp_path: Path, *arguments: str) -> tuple[int, str, str]:
    with _start(tmp_path, *arguments) as process:
        out, err = process.communicate(timeout=DEADLINE_S)
    return process.returncode, out, err


def _images(tmp_path: Path) -> int:
    try:
        connection = sqlite3.connect(f"file:{tmp_path}/data/vsearch.db?mode=ro", uri=True)
        try:
            return int(connection.execute("SELECT count(*) FROM images").fetchone()[0])
        finally:
            connection.close()
    except sqlite3.Error:
        return 0


def _wait_for_images(tmp_path: Path, count: int) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while _images(tmp_path) < count:
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_import_loses_nothing_and_resumes(tmp_path: Path, folder: Path, how: signal.Signals) -> None:
    with _start(tmp_path, "import", str(folder), "--in", "parts", "--create", "--json") as process:
        _wait_for_images(tmp_path, 5)
        process.send_signal(how)
        out, err = process.communicate(timeout=DEADLINE_S)
    report = json.loads(out)
    assert process.returncode == 130
    assert report["interrupted"] is True
    assert "Traceback" not in err
    assert 5 <= report["added"] == _images(tmp_path) < PICTURES

    code, out, _ = _vsearch(tmp_path, "import", str(folder), "--in", "parts", "--json")
    again = json.loads(out)
    assert (code, again["skipped"], again["added"]) == (0, report["added"], PICTURES - report["added"])


def test_killed_import_resumes(tmp_path: Path, folder: Path) -> None:
    with _start(tmp_path, "import", str(folder), "--in", "parts", "--create") as process:
        _wait_for_images(tmp_path, 5)
        process.kill()
        process.communicate(timeout=DEADLINE_S)
    left = _images(tmp_path)
    code, out, _ = _vsearch(tmp_path, "import", str(folder), "--in", "parts", "--json")
    report = json.loads(out)
    assert (code, report["skipped"], report["added"]) == (0, left, PICTURES - left)
    code, out, _ = _vsearch(tmp_path, "search", str(folder / "007.jpg"), "--json")
    assert json.loads(out)["matches"][0]["entity"] == "in/007"


def test_bot_without_credentials_says_what_to_set(tmp_path: Path) -> None:
    code, out, err = _vsearch(tmp_path)
    assert (code, out) == (3, "")
    assert "SLACK_APP_TOKEN" in err
    assert "make run" in err
    assert "Traceback" not in err


def test_closed_output_pipe_is_no_error(tmp_path: Path) -> None:
    _vsearch(tmp_path, "db", "create", "parts")
    with _start(tmp_path, "doctor", "--json") as process:
        assert process.stdout is not None
        process.stdout.close()
        process.wait(timeout=DEADLINE_S)
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()


_SLOW = {"onnxruntime", "faiss", "cv2", "slack_sdk", "slack_bolt", "PIL"}
_SLOW_WITHOUT_PICTURES = _SLOW | {"numpy", "alembic", "pydantic", "psycopg", "obstore", "httpx", "aiohttp", "starlette"}
_SLOW_TO_PRINT = {"sqlalchemy", "asyncio", "dotenv", "markdown_it", "pygments"}


@pytest.mark.parametrize(
    ("arguments", "heavy", "packages"),
    [
        (["--help"], _SLOW_WITHOUT_PICTURES | _SLOW_TO_PRINT, {"cli", "__main__"}),
        (["--version"], _SLOW_WITHOUT_PICTURES | _SLOW_TO_PRINT | {"rich.console"}, {"cli", "__main__", "config"}),
        (["db", "list"], _SLOW_WITHOUT_PICTURES, {"cli", "__main__", "adapters", "config", "domain", "storage"}),
        (["images", "--in", "parts"], _SLOW, None),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
async def test_quick_command_loads_only_what_it_needs(
    tmp_path: Path, arguments: list[str], heavy: set[str], packages: set[str] | None
) -> None:
    await (await SqlStorage.open(tmp_path / "data")).close()
    program = "import sys; from bot.cli.main import run; run(sys.argv[1:]); print(); print(*sys.modules)"
    command = [sys.executable, "-c", program, *arguments]
    done = await asyncio.to_thread(
        subprocess.run, command, cwd=tmp_path, env=_environment(), capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.splitlines()[-1].split())
    assert not heavy & loaded
    ours = {name for name in loaded if name.startswith(("bot.", "handlers"))}
    if packages is not None:
        assert {name.split(".")[1] for name in ours} <= packages
        # Each takes 0.5 to 2 ms.
        assert len(ours) <= (50 if "domain" in packages else 12), sorted(ours)


def test_output_is_plain_and_utf8_in_any_locale(tmp_path: Path) -> None:
    environment = {**_environment(), "LC_ALL": "C", "PYTHONIOENCODING": "ascii", "NO_COLOR": "1"}
    command = [sys.executable, "-m", "bot", "db", "list"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, check=False)
    assert done.returncode == 0
    assert b"vsearch db create" in done.stdout
    command.append("--json")
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, check=False)
    assert json.loads(done.stdout) == {"databases": []}
