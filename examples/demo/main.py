"""``make run`` without an account: the demo in the terminal, until Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from rich.console import Console

from examples.demo.errors import DemoError
from examples.demo.fetching import ensure_stand_in
from examples.demo.running import Demo, Plan, demo, forget
from examples.samples import ensure_samples
from scripts.environment.places import output_folder
from scripts.environment.terminal import POLL_S, ProgressLine

INTERRUPTED = 130

READY = """
The demo is ready. Open

    [bold]{address}[/bold]

and try three things there:

  1. In [bold]#lookup[/bold], attach a picture from {pictures}, or any of your own:
     its best matches come in its thread.
  2. In a message box, type [bold]/vsearch list in:samples[/bold], or [bold]/vsearch help[/bold] for all that there is.
  3. Share [bold]planet_flipped.jpg[/bold] from that folder in [bold]#reposts[/bold]: the bot says where it was first.

{reach}
Ctrl-C stops it. “make run” goes on where you were; “make run RESET=1” starts afresh.
"""
ALONE = "Only this machine reaches it."
OPEN = (
    "[yellow]The stand-in for Slack listens on all of this machine's interfaces, and asks nobody who they are:"
    " run it where you trust the network.[/yellow]"
)


def directory_of(environment: Mapping[str, str]) -> Path:
    """Where the demo keeps what is its own, below the directory for data."""
    return Path(environment.get("VSEARCH_DATA_DIR") or output_folder() / "data").expanduser().absolute() / "demo"


def main() -> int:
    """Run it until told to stop; the code to exit with."""
    console = Console(highlight=False)
    directory = directory_of(os.environ)
    try:
        with _only_one(directory):
            if os.environ.get("RESET", "") not in {"", "0"}:
                forget(directory)
            program = ensure_stand_in()
            console.print("Starting the demo; it needs no account, and nothing leaves this machine …")
            table = ensure_samples(directory / "samples")
            asyncio.run(_until_stopped(Plan(program, directory, table), console))
    except (DemoError, OSError) as error:
        Console(stderr=True).print(str(error), style="red", markup=False, highlight=False)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


async def _until_stopped(plan: Plan, console: Console) -> None:
    this, ready = asyncio.current_task(), asyncio.Event()
    stopped = asyncio.Event()
    assert this is not None

    def stop() -> None:
        stopped.set()
        if not ready.is_set():
            this.cancel()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop)
    progress = asyncio.create_task(_show_progress("starting the bot and importing the samples"))
    try:
        async with demo(plan) as running:
            ready.set()
            await _cancelled(progress)
            _say(console, plan, running)
            await _over(running, stopped, plan)
            console.print("\nStopping …")
    except asyncio.CancelledError:
        if not stopped.is_set():
            raise
    finally:
        await _cancelled(progress)
    console.print("Stopped; what was said is kept.")


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


def _say(console: Console, plan: Plan, running: Demo) -> None:
    pictures = plan.pictures_to_try
    shown = pictures.relative_to(Path.cwd()) if pictures.is_relative_to(Path.cwd()) else pictures
    reach = ALONE if running.alone else OPEN
    console.print(READY.format(address=running.stand_in.address, pictures=shown, reach=reach), soft_wrap=True)


async def _over(running: Demo, stopped: asyncio.Event, plan: Plan) -> None:
    """Wait until it is to end. Raises Failed if the bot ended by itself."""
    waits = [asyncio.create_task(stopped.wait()), asyncio.create_task(running.bot.ended())]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
    if not stopped.is_set():
        raise DemoError(f"The bot ended by itself; its log is {plan.directory / 'bot.log'}.")


@contextlib.contextmanager
def _only_one(directory: Path) -> Iterator[None]:
    """Two demos would write over each other. Raises Failed if there is another."""
    import fcntl  # noqa: PLC0415 - not on every platform

    directory.mkdir(parents=True, exist_ok=True)
    with (directory.parent / "demo.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise DemoError(f"The demo is running already: {directory} is in use.") from None
        yield


if __name__ == "__main__":
    sys.exit(main())
