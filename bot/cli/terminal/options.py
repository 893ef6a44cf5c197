"""Options that several commands share, and the prompt for confirmations."""

from __future__ import annotations

from typing import Annotated

import typer

from bot.domain.errors import InvalidInput

InDatabase = Annotated[
    str | None,
    typer.Option("--in", metavar="DB", help="Name of the database; optional if there is only one."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask for confirmation.")]


def ask(question: str, *, as_json: bool) -> str:
    """Prompt for an answer and return it. Raises InvalidInput with ``--json``, which never prompts."""
    if as_json:
        raise InvalidInput("--json can't ask for confirmation. Add --yes to confirm.")
    return str(typer.prompt(question, default="", show_default=False, err=True)).strip()
