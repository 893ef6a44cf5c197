"""Exit codes. Scripts rely on them; docs/commands.md documents them."""

from __future__ import annotations

from enum import IntEnum

from bot.domain.errors import (
    CannotListen,
    CannotStart,
    InvalidInput,
    SettingsError,
    SlackUnavailable,
    UnknownDatabase,
    UnknownEntity,
    UserError,
)


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


class WorkspaceIsEmpty(UserError):
    """The workspace has no database yet."""

    def __init__(self) -> None:
        super().__init__("There is no database yet. Create one with “vsearch db create NAME”.")


class NotConfirmed(UserError):
    """The person answered a confirmation with no."""


_CODES: dict[type[Exception], ExitCode] = {
    SettingsError: ExitCode.SETTINGS,
    SlackUnavailable: ExitCode.SLACK,
    UnknownDatabase: ExitCode.NOT_FOUND,
    UnknownEntity: ExitCode.NOT_FOUND,
    WorkspaceIsEmpty: ExitCode.NOT_FOUND,
    InvalidInput: ExitCode.USAGE,
    CannotListen: ExitCode.LISTEN,
    CannotStart: ExitCode.STORAGE,
}


def code_for(error: Exception) -> ExitCode:
    """Return the exit code for an error."""
    return next((code for kind, code in _CODES.items() if isinstance(error, kind)), ExitCode.FAILED)
