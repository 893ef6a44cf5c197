"""What the servers have in common as processes: log, event loop, and a callback on SIGINT or SIGTERM."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import AbstractContextManager

from bot.config.settings import Check, Settings
from bot.domain.errors import BackendError, CannotStart, SettingsError
from bot.telemetry import logs

SWITCH_INTERVAL_S = 0.0005
"""How long a thread may run Python code while another one waits to. By Python's default of 5 ms, each step of the event
loop can wait that long for the threads that compute features, and a delivery takes tens of steps. At 0.5 ms, shares
were answered two to three times as fast on a busy machine."""

INTERRUPTED = 130
"""Exit code of a process that Ctrl-C ended at once."""

SAME_PRESS_S = 0.1
"""SIGINTs within this time are one press of Ctrl-C, which the terminal and a supervisor may both pass on."""

TRACES_MISSING = (
    "OTEL_EXPORTER_OTLP_ENDPOINT is set, but the packages for traces are missing: install vsearch[telemetry]"
)

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
        with _tracing(settings):
            asyncio.run(run(settings))
    except BackendError as error:
        raise CannotStart(str(error)) from error


def _tracing(settings: Settings) -> AbstractContextManager[None]:
    """Return a context that exports traces, if the settings say where to. Raises SettingsError."""
    if settings.otlp_endpoint is None:
        return contextlib.nullcontext()
    try:
        from bot.telemetry import open_telemetry  # noqa: PLC0415 - an optional extra
    except ModuleNotFoundError as error:
        raise SettingsError((TRACES_MISSING,)) from error
    return open_telemetry.exporting(f"{settings.otlp_endpoint.rstrip('/')}/v1/traces")


class _StopSignals:
    """Counts the presses of Ctrl-C.

    Platforms may send SIGTERM several times, and kill a process that takes too long. Only people press Ctrl-C again.
    """

    def __init__(self, stop: Callable[[], None]) -> None:
        self._stop = stop
        self._pressed_at: float | None = None

    def terminated(self) -> None:
        """Stop in order."""
        self._stop()

    def pressed(self) -> None:
        """Stop in order, or at once if Ctrl-C was pressed before."""
        now = time.monotonic()
        if self._pressed_at is None:
            self._pressed_at = now
            log.info("stopping; press Ctrl-C again to stop at once")
            self._stop()
        elif now - self._pressed_at > SAME_PRESS_S:
            log.warning("stopped at once; work in progress continues at the next start")
            os._exit(INTERRUPTED)


@contextlib.contextmanager
def on_stop_signal(stop: Callable[[], None]) -> Iterator[None]:
    """Call ``stop`` on SIGTERM and SIGINT (Ctrl-C) until the context exits. A second SIGINT ends the process at once.

    The inbox keeps what was accepted, as it does when the process is killed.
    """
    loop = asyncio.get_running_loop()
    signals = _StopSignals(stop)
    handled = []
    for number, handler in ((signal.SIGTERM, signals.terminated), (signal.SIGINT, signals.pressed)):
        # The event loop on Windows has no signal handlers. There, Ctrl-C ends the program at once.
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, handler)
            handled.append(number)
    try:
        yield
    finally:
        for number in handled:
            loop.remove_signal_handler(number)
