"""Options that several commands share, and the question that some ask."""

from __future__ import annotations

from typing import Annotated

import typer

from bot.domain.errors import InvalidInput

InDatabase = Annotated[
    str | None,
    typer.Option("--in", metavar="DB", help="The database; may be left out when there is exactly one."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document, for scripts.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask, for scripts.")]


def ask(question: str, *, as_json: bool) -> str:
    """What the person typed. Raises InvalidInput where nobody can be asked."""
    if as_json:
        raise InvalidInput("With --json nothing can be asked; add --yes.")
    return str(typer.prompt(question, default="", show_default=False, err=True)).strip()
