"""Ctrl-C: the first one ends a command in order, a second one ends the program at once."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time

import pytest
import typer

from bot.cli.terminal import interrupts
from bot.cli.terminal.cancellation import cancelled_by_interrupt, stop_on_interrupt
from bot.cli.terminal.interrupts import handled_interrupts, raising_interrupts

BUSY = """
import os, signal, threading, time
{setup}
threading.Thread(target=time.sleep, args=(60,)).start()

async def work():
    os.kill(os.getpid(), signal.SIGINT)
    await asyncio.sleep(0.15)
    os.kill(os.getpid(), signal.SIGINT)
    await asyncio.sleep(60)
"""
COMMAND = """
import asyncio
from bot.cli.terminal.cancellation import stop_on_interrupt
from bot.cli.terminal.interrupts import handled_interrupts
async def main():
    with stop_on_interrupt():
        await work()
with handled_interrupts(as_json={as_json}):
    asyncio.run(main())
"""
SERVER = """
import asyncio, logging
from bot.app.server_process import on_stop_signal
logging.basicConfig(level="INFO")
async def main():
    with on_stop_signal(lambda: None):
        await work()
asyncio.run(main())
"""


def _interrupted_twice(program: str) -> subprocess.CompletedProcess[str]:
    code = f"{BUSY.format(setup='import asyncio')}\n{program}"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=30)


@pytest.mark.parametrize(
    ("program", "out", "err"),
    [
        (COMMAND.format(as_json=False), "", "press Ctrl-C again to stop at once)\nStopped at once."),
        (COMMAND.format(as_json=True), '"exit_code": 130', "press Ctrl-C again"),
        (SERVER, "", "stopped at once; work in progress continues at the next start"),
    ],
)
def test_second_interrupt_ends_the_program_at_once_with_a_sentence(program: str, out: str, err: str) -> None:
    done = _interrupted_twice(program)
    assert done.returncode == 130
    assert out in done.stdout
    assert err in done.stderr
    assert "Traceback" not in done.stderr


def _press() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_first_interrupt_cancels_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    before = signal.getsignal(signal.SIGINT)

    async def work() -> None:
        _press()
        await asyncio.sleep(30)

    with pytest.raises(typer.Abort), handled_interrupts(as_json=False):
        asyncio.run(cancelled_by_interrupt(work()))
    assert "Stopping" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGINT) is before


def test_first_interrupt_lets_work_in_progress_finish(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[bool] = []
    monkeypatch.setattr(interrupts, "stop_at_once", lambda *, as_json: ended.append(as_json))

    async def work() -> bool:
        with stop_on_interrupt() as stop:
            _press()
            # The terminal and a supervisor may both pass on one press.
            _press()
            await asyncio.wait_for(stop.wait(), 5)
        return True

    with handled_interrupts(as_json=True):
        assert asyncio.run(cancelled_by_interrupt(work()))
        assert ended == []
        time.sleep(0.11)
        _press()
    assert ended == [True]


def test_interrupt_ends_a_question_in_a_running_command() -> None:
    async def work() -> None:
        with raising_interrupts():
            _press()

    with pytest.raises(KeyboardInterrupt), handled_interrupts(as_json=False):
        asyncio.run(cancelled_by_interrupt(work()))
