"""``make run`` in a terminal: start, stop with Ctrl-C, restart, and reset."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from examples.demo.download import ROOT
from examples.demo.stand_in import Message, StandIn
from examples.demo.workspace import CATALOGUE, LOOKUP, REPOSTS, YOU

START_WITHIN_S = 60
STOP_WITHIN_S = 10


@asynccontextmanager
async def make_run(data_dir: Path, *, presses: int = 1, **more: str) -> AsyncIterator[StandIn]:
    """Run the demo as a program, and stop it with Ctrl-C. After two presses it stops at once."""
    # The drawn samples need no download. None of the user's settings may reach the demo.
    theirs = {"DATABASE_URL": "sqlite:////nowhere/at/all.db", "VSEARCH_MODEL_PATH": "/nowhere/model.onnx", "PORT": "1"}
    theirs |= dict.fromkeys(("http_proxy", "https_proxy", "all_proxy"), "http://127.0.0.1:9")
    environment = {**os.environ, **theirs, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "", "VSEARCH_DATA_DIR": str(data_dir)}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "examples",
        cwd=ROOT,
        env={**environment, **more},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout is not None
    output = ""
    try:
        async with asyncio.timeout(START_WITHIN_S):
            while "Ctrl-C to stop" not in output:
                line = (await process.stdout.readline()).decode()
                assert line, f"it ended too early:\n{output}"
                output += line
        found = re.search(r"http://127\.0\.0\.1:\d+", output)
        assert found
        async with aiohttp.ClientSession() as session:
            yield StandIn(found[0], session)
        for press in range(presses):
            await asyncio.sleep(0.2 * press)
            process.send_signal(signal.SIGINT)
        rest, _ = await asyncio.wait_for(process.communicate(), STOP_WITHIN_S)
        assert process.returncode == (0 if presses == 1 else 130)
        assert ("Stopped at once." if presses > 1 else "The messages are saved.") in rest.decode().splitlines()[-1]
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def everything(slack: StandIn) -> list[Message]:
    return [message for channel in (CATALOGUE, LOOKUP, REPOSTS) for message in await slack.messages(channel)]


def without_times(messages: list[Message]) -> list[tuple[object, ...]]:
    """Return author, text, files and reactions of the messages, but nothing that depends on time."""
    return [
        (
            one["user"],
            one["text"],
            [file["name"] for file in one.get("files", ())],
            bool(one.get("thread_ts")),
            one.get("reactions"),
            len(one.get("blocks", ())),
        )
        for one in messages
    ]


async def test_messages_survive_a_restart_until_reset(tmp_path: Path) -> None:
    async with make_run(tmp_path) as slack:
        picture = (tmp_path / "demo" / "try" / "part_on_the_bench.jpg").read_bytes()
        mine = await slack.share(LOOKUP, YOU, [("mine.jpg", picture)], "what is this?")
        await slack.seen(LOOKUP, lambda one: one.get("thread_ts") == mine["ts"], 20)
        before = await everything(slack)
    async with make_run(tmp_path) as slack:
        after = await everything(slack)
        assert without_times(after) == without_times(before)
        text = str(after)
        for old in before:
            assert old["ts"] not in text
            assert old["ts"].replace(".", "") not in text
        await pictures_load(slack, after)
        await slack.command(LOOKUP, YOU, "search last")
        found = await slack.seen(LOOKUP, lambda one: "gear_24t" in one["text"] and "ephemeral_to" in one, 20)
        assert found["ephemeral_to"] == YOU
        [original] = [one for one in after if one["text"] == "Fog over the firs"]
        [report] = [one for one in after if "*Posted before*" in str(one.get("blocks"))]
        assert f"/archives/{REPOSTS}/p{original['ts'].replace('.', '')}" in str(report["blocks"])
    async with make_run(tmp_path, presses=2, RESET="1") as slack:
        assert "what is this?" not in {one["text"] for one in await everything(slack)}


async def pictures_load(slack: StandIn, messages: list[Message]) -> None:
    addresses = set(re.findall(r"http://127\.0\.0\.1:\d+/media/[^'\"\\ ]+", str(messages)))
    files = [file for message in messages for file in message.get("files", ())]
    addresses |= {file["permalink"] for file in files}
    assert len(addresses) > 8
    async with aiohttp.ClientSession() as session:
        for address in addresses:
            async with session.get(address) as response:
                assert response.status == 200
                assert response.content_type.startswith("image/")


async def test_refuses_a_second_demo_while_one_runs(tmp_path: Path) -> None:
    with (tmp_path / "demo.lock").open("w") as lock:
        fcntl = pytest.importorskip("fcntl")
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(AssertionError, match="already running"):
            async with make_run(tmp_path):
                pass
