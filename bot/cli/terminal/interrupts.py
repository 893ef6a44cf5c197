"""Ctrl-C: the first one ends a command in order, and a second one ends the program at once."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from contextvars import ContextVar
from types import FrameType
from typing import NoReturn

from bot.cli.terminal.exit_codes import ExitCode

AGAIN = "(press Ctrl-C again to stop at once)"
STOPPED_AT_ONCE = "Stopped at once. What was reported as done is kept."

_SAME_PRESS_S = 0.1
"""Signals within this time are one press of Ctrl-C: terminals, shells and supervisors may each send one."""

_SHOW_CURSOR = b"\r\x1b[K\x1b[?25h"
"""Clears the line of a progress bar, which hides the cursor."""


class Interrupts:
    """What signals do while a command runs.

    The first one calls the action of the innermost ``first``; without one, it raises KeyboardInterrupt.
    """

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._received_at: float | None = None
        self._actions: list[Callable[[], object] | None] = []

    def receive(self, _number: int, _frame: FrameType | None) -> None:
        """Handle a signal. Python calls this in the main thread, between any two instructions."""
        now = time.monotonic()
        if self._received_at is not None:
            if now - self._received_at > _SAME_PRESS_S:
                stop_at_once(as_json=self._as_json)
            return
        self._received_at = now
        if not self._actions or (innermost := self._actions[-1]) is None:
            raise KeyboardInterrupt
        innermost()

    @contextmanager
    def first(self, action: Callable[[], object]) -> Iterator[None]:
        """Call ``action`` when the first signal arrives, in the signal's handler."""
        self._actions.append(action)
        try:
            yield
        finally:
            self._actions.pop()

    @contextmanager
    def raising(self) -> Iterator[None]:
        """Raise KeyboardInterrupt when the first signal arrives, even while the event loop is blocked."""
        self._actions.append(None)
        try:
            yield
        finally:
            self._actions.pop()

    @property
    def as_json(self) -> bool:
        """Whether the command prints a JSON document."""
        return self._as_json

    @property
    def received(self) -> bool:
        """Whether a signal has arrived."""
        return self._received_at is not None


_NOBODY = Interrupts(as_json=False)
_current: ContextVar[Interrupts] = ContextVar("interrupts", default=_NOBODY)


@contextmanager
def handled_interrupts(*, as_json: bool) -> Iterator[None]:
    """Handle Ctrl-C until the context exits. With ``as_json``, a second one prints a JSON document."""
    interrupts = Interrupts(as_json=as_json)
    token = _current.set(interrupts)
    try:
        with signal_handler(signal.SIGINT, interrupts):
            yield
    finally:
        _current.reset(token)


def current_interrupts() -> Interrupts:
    """Return what signals do in the running command."""
    return _current.get()


def is_json_wanted() -> bool:
    """Return whether the running command prints a JSON document, and nothing else unless it has to."""
    return _current.get().as_json


def raising_interrupts() -> AbstractContextManager[None]:
    """Raise KeyboardInterrupt on Ctrl-C until the context exits: a question blocks the event loop."""
    return _current.get().raising()


@contextmanager
def signal_handler(number: signal.Signals, interrupts: Interrupts) -> Iterator[None]:
    """Handle a signal, in the main thread: Python allows it nowhere else."""
    with ExitStack() as restored:
        with suppress(ValueError):
            restored.callback(signal.signal, number, signal.signal(number, interrupts.receive))
        yield


def stop_at_once(*, as_json: bool) -> NoReturn:
    """End the program without waiting for any work, such as threads that compute."""
    # The buffered streams may be in use, since a signal arrives at any time.
    if sys.stderr.isatty():
        os.write(2, _SHOW_CURSOR)
    if as_json:
        document = {"error": STOPPED_AT_ONCE, "exit_code": int(ExitCode.INTERRUPTED)}
        os.write(1, json.dumps(document, indent=2).encode() + b"\n")
    else:
        os.write(2, f"{STOPPED_AT_ONCE}\n".encode())
    os._exit(ExitCode.INTERRUPTED)
