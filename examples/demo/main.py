"""``make run`` without credentials: run the demo in the terminal until Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TextIO

from rich.console import Console

from examples.demo.download import ensure_stand_in
from examples.demo.errors import DemoError
from examples.demo.lifecycle import Demo, Plan, demo, forget
from examples.samples import ensure_samples
from scripts.environment.places import output_folder
from scripts.environment.terminal import POLL_S, ProgressLine

INTERRUPTED = 130

READY = """
The demo is ready. Open

    [bold]{address}[/bold]

and try three things:

  1. In [bold]#lookup[/bold], attach a picture from {pictures}, or one of your own.
     The bot answers in the thread with the best matches.
  2. In a message box, type [bold]/vsearch list in:samples[/bold], or [bold]/vsearch help[/bold] for all commands.
  3. Share [bold]planet_flipped.jpg[/bold] from that folder in [bold]#reposts[/bold].
     The bot says where it was shared first.

{reach}
Press Ctrl-C to stop. “make run” continues where you left off; “make run RESET=1” starts afresh.
"""
ISOLATED = "Only this machine can reach it."
REACHABLE = (
    "[yellow]The stand-in for Slack listens on all network interfaces and has no password."
    " Run it only on a network that you trust.[/yellow]"
)


def directory_of(environment: Mapping[str, str]) -> Path:
    """Return the demo's own folder in the data directory."""
    return Path(environment.get("VSEARCH_DATA_DIR") or output_folder() / "data").expanduser().absolute() / "demo"


def main() -> int:
    """Run the demo until it is stopped, and return the exit code."""
    console = Console(highlight=False)
    directory = directory_of(os.environ)
    try:
        with _single_instance(directory) as lock:
            if os.environ.get("RESET", "") not in {"", "0"}:
                forget(directory)
            program = ensure_stand_in()
            console.print("Starting the demo. It needs no account, and your data stays on this machine …")
            table = ensure_samples(directory / "samples")
            return asyncio.run(_until_stopped(Plan(program, directory, table), console, lock))
    except (DemoError, OSError) as error:
        Console(stderr=True).print(str(error), style="red", markup=False, highlight=False)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED


async def _until_stopped(plan: Plan, console: Console, lock: _Lock) -> int:
    """Run the demo until a signal, and return the exit code. A second Ctrl-C kills the bot and the stand-in."""
    this, ready = asyncio.current_task(), asyncio.Event()
    stopped, at_once = asyncio.Event(), asyncio.Event()
    assert this is not None

    def stop() -> None:
        stopped.set()
        if not ready.is_set():
            this.cancel()

    def press() -> None:
        if not stopped.is_set():
            stop()
        elif not at_once.is_set():
            at_once.set()
            console.print("Stopping at once …")
            this.cancel()

    loop = asyncio.get_running_loop()
    for number, handler in ((signal.SIGINT, press), (signal.SIGTERM, stop), (signal.SIGHUP, stop)):
        loop.add_signal_handler(number, handler)
    progress = asyncio.create_task(_show_progress("starting the bot and importing the samples"))
    try:
        async with demo(plan) as running:
            ready.set()
            await _cancelled(progress)
            lock.publish(running.stand_in.address)
            _print_instructions(console, plan, running)
            await _wait_for_end(running, stopped, plan)
            console.print("\nStopping … (press Ctrl-C again to stop at once)")
    except asyncio.CancelledError:
        if not stopped.is_set():
            raise
    finally:
        await _cancelled(progress)
    if at_once.is_set():
        console.print("Stopped at once. The newest messages may be missing at the next start.")
        return INTERRUPTED
    console.print("Stopped. The messages are saved.")
    return 0


async def _show_progress(doing: str) -> None:
    line = ProgressLine()
    try:
        while True:
            line.show(doing)
            await asyncio.sleep(POLL_S)
    finally:
        line.finish()


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _print_instructions(console: Console, plan: Plan, running: Demo) -> None:
    pictures = plan.pictures_to_try
    shown = pictures.relative_to(Path.cwd()) if pictures.is_relative_to(Path.cwd()) else pictures
    reach = ISOLATED if running.alone else REACHABLE
    console.print(READY.format(address=running.stand_in.address, pictures=shown, reach=reach), soft_wrap=True)


async def _wait_for_end(running: Demo, stopped: asyncio.Event, plan: Plan) -> None:
    """Wait until the demo is stopped. Raises DemoError if the bot ends by itself."""
    waits = [asyncio.create_task(stopped.wait()), asyncio.create_task(running.bot.ended())]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
    if not stopped.is_set():
        raise DemoError(f"The bot stopped unexpectedly. See its log, {plan.directory / 'bot.log'}.")


class _Lock:
    """The lock of a running demo. Its file says where the demo is."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def publish(self, address: str) -> None:
        """Write where the demo is, for whoever starts another one."""
        self._file.truncate(0)
        self._file.write(f"{os.getpid()} {address}")
        self._file.flush()


@contextlib.contextmanager
def _single_instance(directory: Path) -> Iterator[_Lock]:
    """Hold a lock, since two demos would overwrite each other's files. Raises DemoError if one runs already."""
    import fcntl  # noqa: PLC0415 - not on every platform

    directory.mkdir(parents=True, exist_ok=True)
    with (directory.parent / "demo.lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            raise DemoError(_already_running(directory, file.read())) from None
        file.truncate(0)
        yield _Lock(file)


def _already_running(directory: Path, published: str) -> str:
    """Return where the running demo is and how to stop it, from what it published."""
    number, _, address = published.partition(" ")
    if not (number.isdecimal() and address):
        return f"The demo is already running in {directory}. It is still starting; its terminal will say where it is."
    return (
        f"The demo is already running. Open {address}\nTo stop it, press Ctrl-C in its terminal, or type: kill {number}"
    )


if __name__ == "__main__":
    sys.exit(main())
