"""What Ctrl-C does to a command's event loop: it cancels the work, or asks it to stop."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TypeVar

import typer

from bot.cli.terminal.interrupts import AGAIN, current_interrupts, signal_handler
from bot.cli.terminal.output import print_remark

T = TypeVar("T")


async def cancelled_by_interrupt(work: Coroutine[None, None, T]) -> T:
    """Return the result of ``work``. The first Ctrl-C cancels it; then this raises typer.Abort."""
    task, interrupts = asyncio.current_task(), current_interrupts()
    assert task is not None

    def cancel() -> None:
        print_remark(f"Stopping … {AGAIN}")
        task.cancel()

    with interrupts.first(_in_this_loop(cancel)):
        try:
            return await work
        except asyncio.CancelledError:
            if interrupts.received:
                raise typer.Abort from None
            raise


@contextmanager
def stop_on_interrupt() -> Iterator[asyncio.Event]:
    """Yield an event that the first SIGINT or SIGTERM sets; a second one ends the program at once."""
    stop, interrupts = asyncio.Event(), current_interrupts()

    def interrupted() -> None:
        stop.set()
        print_remark(f"Finishing the work in progress … {AGAIN}")

    with ExitStack() as handlers:
        handlers.enter_context(interrupts.first(_in_this_loop(interrupted)))
        handlers.enter_context(signal_handler(signal.SIGTERM, interrupts))
        yield stop


def _in_this_loop(action: Callable[[], object]) -> Callable[[], object]:
    """Return ``action`` as a signal's handler may call it: it runs in the event loop that runs now."""
    return partial(asyncio.get_running_loop().call_soon_threadsafe, action)
