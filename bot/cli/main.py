"""The ``vsearch`` program: registers the commands and turns errors into messages and exit codes."""

from __future__ import annotations

import io
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from bot.cli.commands import CommandGroup
from bot.cli.terminal.encoding import print_in_any_encoding
from bot.cli.terminal.exit_codes import SUMMARY, ExitCode, NotConfirmed, code_for
from bot.cli.terminal.interrupts import handled_interrupts
from bot.cli.terminal.output import print_line, print_remark, show_error
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

app = typer.Typer(
    name="vsearch",
    cls=CommandGroup,
    help="Search images by picture. Without a command, start the Slack bot.",
    epilog=SUMMARY,
    no_args_is_help=False,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


_REPORT_UNKNOWN_SETTINGS = ("serve", "serve-api", "doctor")
"""Commands that report unknown settings themselves: in the log, or as a result."""


def _print_version(wanted: bool) -> None:
    if wanted:
        print_line(f"vsearch {installed_version()}")
        raise typer.Exit


def installed_version() -> str:
    """Return the version of this program."""
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - 20 ms that no command needs

    try:
        return version("vsearch")
    except PackageNotFoundError:
        # Run from a checkout that isn't installed.
        import tomllib  # noqa: PLC0415 - rarely needed

        text = (Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8")
        return str(tomllib.loads(text)["project"]["version"])


@app.callback(invoke_without_command=True)
def begin(
    ctx: typer.Context,
    data_dir: Annotated[
        Path | None,
        typer.Option("--data-dir", metavar="DIR", help="Directory for all data; overrides VSEARCH_DATA_DIR."),
    ] = None,
    workspace: Annotated[
        str | None,
        typer.Option("--workspace", metavar="ID", help="Id of the Slack workspace; optional if there is only one."),
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Log everything and print the traceback of an error.")] = False,
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Keep the global options for the command; without a command, start the bot."""
    from bot.cli.session import CommandContext  # noqa: PLC0415 - --help needs no settings: 50 ms

    context = ctx.obj = CommandContext(data_dir, workspace, debug=debug)
    if ctx.invoked_subcommand is None:
        context.serve()
    elif ctx.invoked_subcommand not in _REPORT_UNKNOWN_SETTINGS:
        for remark in context.unknown_settings():
            print_remark(remark, "yellow")


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            print_in_any_encoding(stream)
    as_json, debug = "--json" in arguments, "--debug" in arguments
    try:
        with handled_interrupts(as_json=as_json):
            result = app(args=list(arguments), prog_name="vsearch", standalone_mode=False)
    except BrokenPipeError:
        # The reader of our output closed the pipe early, as `| head` does.
        sys.stderr.close()
        return ExitCode.FAILED
    except (KeyboardInterrupt, typer.Abort):
        show_error("Interrupted.", ExitCode.INTERRUPTED, as_json=as_json, label="")
        return ExitCode.INTERRUPTED
    except NotConfirmed as answer:
        show_error(str(answer), ExitCode.FAILED, as_json=as_json, label="")
        return ExitCode.FAILED
    except typer.TyperException as error:
        context = getattr(error, "ctx", None)
        program = context.command_path if context else "vsearch"
        message = usage_sentence(error)
        end = "" if message.endswith("?") else "."
        show_error(f"{message}{end} See “{program} --help”.", ExitCode.USAGE, as_json=as_json)
        return ExitCode.USAGE
    except Exception as error:  # noqa: BLE001 - every error must end in a message and an exit code
        if debug:
            sys.stderr.write(redact(traceback.format_exc()))
        code = code_for(error)
        show_error(redact(sentence_for(error)), code, as_json=as_json)
        return code
    return result if isinstance(result, int) else ExitCode.OK


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
