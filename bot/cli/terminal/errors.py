"""Errors of the command line itself, and the exit code of each error."""

from __future__ import annotations

from bot.cli.terminal.exit_codes import ExitCode
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
