"""The ``vsearch`` program: registers the commands and turns errors into messages and exit codes."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from bot.cli.commands import CommandGroup
from bot.cli.terminal.encoding import print_in_any_encoding
from bot.cli.terminal.exit_codes import SUMMARY, ExitCode
from bot.cli.terminal.interrupts import handled_interrupts

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
        from bot.config.version import installed_version  # noqa: PLC0415 - only this option needs it

        typer.echo(f"vsearch {installed_version()}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def begin(
    ctx: typer.Context,
    data_dir: Annotated[
        str | None,
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
    from bot.cli.context import GlobalOptions  # noqa: PLC0415 - --help reads no settings

    options = ctx.obj = GlobalOptions(None if data_dir is None else Path(data_dir), workspace, debug=debug)
    if ctx.invoked_subcommand is None:
        from bot.cli.serve import serve  # noqa: PLC0415 - the module of the command that runs

        serve(ctx)
    elif ctx.invoked_subcommand not in _REPORT_UNKNOWN_SETTINGS:
        options.print_unknown_settings()


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
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - all must end in a message and an exit code
        from bot.cli.failures import show_failure  # noqa: PLC0415 - most commands don't fail

        return show_failure(error, as_json=as_json, debug=debug)
    return result if isinstance(result, int) else ExitCode.OK
