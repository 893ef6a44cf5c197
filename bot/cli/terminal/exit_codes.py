"""Exit codes. Scripts rely on them; docs/commands.md documents them."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """The exit code of a command."""

    OK = 0
    FAILED = 1
    USAGE = 2
    SETTINGS = 3
    SLACK = 4
    NOT_FOUND = 5
    LISTEN = 6
    STORAGE = 7
    INTERRUPTED = 130


SUMMARY = (
    "Exit codes: 0 success, 1 something failed, 2 invalid command, 3 invalid settings, "
    "4 Slack can't be reached or refused the token, 5 no such database or id, "
    "6 can't listen on HOST and PORT, 7 can't open the storage or the search engine, 130 interrupted."
)
