"""The result of a check."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from bot.cli.terminal.exit_codes import ExitCode
from bot.config.settings import Settings


class CheckStatus(StrEnum):
    """The outcome of a check; only ``WRONG`` is a problem."""

    OK = "ok"
    NOTE = "note"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What a check found; ``remedy`` says what to do, ``code`` is the doctor's exit code for this problem."""

    check: str
    state: CheckStatus
    found: str
    remedy: str = ""
    code: ExitCode = ExitCode.FAILED


DoctorCheck = Callable[[Settings], Iterator[CheckResult]]
