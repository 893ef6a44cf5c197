"""``vsearch serve``: start the Slack bot."""

from __future__ import annotations

import typer

from bot.cli.session import context_of

app = typer.Typer()


@app.command()
def serve(ctx: typer.Context) -> None:
    """Start the Slack bot (the default without a command)."""
    context_of(ctx).serve()
