"""What the servers have in common as processes: log, event loop, and a callback on SIGINT or SIGTERM."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import Callable, Coroutine, Iterable, Iterator

from bot.config.settings import Check, Settings
from bot.domain.errors import BackendError, CannotStart, SettingsError
from bot.telemetry import logs

SWITCH_INTERVAL_S = 0.0005
"""How long a thread may run Python code while another one waits to. By Python's default of 5 ms, each step of the event
loop can wait that long for the threads that compute features, and a delivery takes tens of steps. At 0.5 ms, shares
were answered two to three times as fast on a busy machine."""

log = logging.getLogger(__name__)


def run_server(
    settings: Settings, check: Check, run: Callable[[Settings], Coroutine[None, None, None]], remarks: Iterable[str]
) -> None:
    """Set up the log and run a server until it ends. ``remarks`` about the settings are logged as warnings.

    Raises SettingsError with the problems that ``check`` finds, and CannotStart for a BackendError.
    """
    if missing := tuple(check(settings)):
        raise SettingsError(missing)
    logs.set_up(settings.log_format, settings.log_level, settings.secrets)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    for remark in remarks:
        log.warning("%s", remark)
    try:
        asyncio.run(run(settings))
    except BackendError as error:
        raise CannotStart(str(error)) from error


@contextlib.contextmanager
def on_stop_signal(stop: Callable[[], None]) -> Iterator[None]:
    """Call ``stop`` on SIGTERM and SIGINT (Ctrl-C) until the context exits."""
    loop = asyncio.get_running_loop()
    handled = []
    for number in (signal.SIGTERM, signal.SIGINT):
        # The event loop on Windows has no signal handlers. There, Ctrl-C ends the program at once.
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, stop)
            handled.append(number)
    try:
        yield
    finally:
        for number in handled:
            loop.remove_signal_handler(number)
