"""Options that several commands share, and the prompt for confirmations."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from bot.cli.terminal.errors import NotConfirmed
from bot.cli.terminal.interrupts import raising_interrupts
from bot.cli.terminal.output import print_remark
from bot.domain.errors import InvalidInput

InDatabase = Annotated[
    str | None,
    typer.Option("--in", metavar="DB", help="Name of the database; optional if there is only one."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask for confirmation.")]


def ask(question: str, *, as_json: bool) -> str:
    """Ask a question on standard error and return the answer, without spaces around it.

    Raises InvalidInput with ``--json``, which never asks, and NotConfirmed if the input ends without an answer.
    """
    if as_json:
        raise InvalidInput("--json can't ask for confirmation. Add --yes to confirm.")
    print_remark(question, end=" ")
    try:
        with raising_interrupts():
            answer = sys.stdin.readline()
    except KeyboardInterrupt:
        print_remark("")
        raise
    if not (answer and sys.stdin.isatty()):
        # Nobody pressed Return.
        print_remark("")
    if not answer:
        raise NotConfirmed("Nobody answered, so nothing was changed. To confirm without a question, add --yes.")
    return answer.strip()


def confirm(question: str, if_not: str, *, as_json: bool) -> None:
    """Ask whether to continue. Raises NotConfirmed with ``if_not`` after a no, and what ``ask`` raises."""
    if ask(f"{question} [y/N]", as_json=as_json).lower() not in {"y", "yes"}:
        raise NotConfirmed(if_not)
