"""Exit codes: an interface for scripts, described in docs/commands.md."""

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
    """What a command ends with."""

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
    "Exit codes: 0 all went well, 1 something failed, 2 the command was not understood, 3 the settings don't fit, "
    "4 Slack can't be reached or refused the token, 5 there is no such database or entity, "
    "6 the address can't be listened on, 7 the bot's storage or engine can't be opened, 130 interrupted."
)


class WorkspaceIsEmpty(UserError):
    """The workspace has none yet."""

    def __init__(self) -> None:
        super().__init__("There is no database yet; make one with “vsearch db create NAME”.")


class NotConfirmed(UserError):
    """The question was answered with a no."""


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
    """The code that an error ends the command with."""
    return next((code for kind, code in _CODES.items() if isinstance(error, kind)), ExitCode.FAILED)
