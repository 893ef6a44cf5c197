"""Errors that end a command, as messages and exit codes."""

from __future__ import annotations

import sys
import traceback

import typer

from bot.cli.terminal.errors import NotConfirmed, code_for
from bot.cli.terminal.exit_codes import ExitCode
from bot.cli.terminal.output import show_error
from bot.cli.terminal.usage import usage_sentence
from bot.domain.errors import (
    BackendCannotFetch,
    BackendCredentials,
    BackendError,
    BackendLost,
    BackendQuota,
    BotError,
    ModelMismatch,
    SettingsError,
)
from bot.telemetry.redaction import redact


def show_failure(error: BaseException, *, as_json: bool, debug: bool) -> ExitCode:
    """Print why a command ended and return its exit code."""
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        show_error("Interrupted.", ExitCode.INTERRUPTED, as_json=as_json, label="")
        return ExitCode.INTERRUPTED
    if isinstance(error, NotConfirmed):
        show_error(str(error), ExitCode.FAILED, as_json=as_json, label="")
        return ExitCode.FAILED
    if isinstance(error, typer.TyperException):
        context = getattr(error, "ctx", None)
        program = context.command_path if context else "vsearch"
        message = usage_sentence(error)
        end = "" if message.endswith("?") else "."
        show_error(f"{message}{end} See “{program} --help”.", ExitCode.USAGE, as_json=as_json)
        return ExitCode.USAGE
    assert isinstance(error, Exception)
    if debug:
        sys.stderr.write(redact("".join(traceback.format_exception(error))))
    code = code_for(error)
    show_error(redact(sentence_for(error)), code, as_json=as_json)
    return code


DOCTOR = "Run “vsearch doctor” to find the cause."

_ADVICE: dict[type[BackendError], str] = {
    BackendLost: "Run “vsearch reconcile --mend” to add its images again.",
    BackendCredentials: "Check SHOWAPI_APP_KEY and SHOWAPI_DS_ID.",
    BackendQuota: "Buy more calls for the account.",
    BackendCannotFetch: "Check that PUBLIC_BASE_URL leads to HOST and PORT on this machine.",
}


def sentence_for(error: Exception) -> str:
    """Return the message for an error that ends a command: what happened and what to do."""
    if isinstance(error, SettingsError):
        return "\n".join(error.problems)
    if isinstance(error, BackendError):
        text = str(error).rstrip(".")
        advice = next((advice for kind, advice in _ADVICE.items() if isinstance(error, kind)), DOCTOR)
        return f"{text[:1].upper()}{text[1:]}. {advice}"
    if isinstance(error, ModelMismatch):
        return f"“{error.database}” was indexed with another model or version. Run “vsearch reindex {error.database}”."
    if isinstance(error, BotError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'A file'}: {error.strerror}."
    return f"Unexpected error ({type(error).__name__}: {error}). Run the command again with --debug to see where."
