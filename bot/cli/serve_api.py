"""``vsearch serve-api``: our own server of the hosted service's API."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from bot.cli.session import context_of

app = typer.Typer()


@app.command("serve-api", rich_help_panel="The bot")
def serve_api(
    ctx: typer.Context,
    host: Annotated[str | None, typer.Option("--host", metavar="HOST", help="Where to listen (HOST).")] = None,
    port: Annotated[
        int | None, typer.Option("--port", metavar="PORT", min=0, max=65535, help="The same (PORT); 0: a free one.")
    ] = None,
) -> None:
    """Serve the hosted search's API from this machine, to those whose keys VSEARCH_API_KEYS has. See docs/api.md."""
    from bot.app.api_server import serve_api as serve  # noqa: PLC0415 - “--help” does not wait for it

    settings = context_of(ctx).settings()
    # A port alone opens nothing to the outside; PORT in the environment does, as platforms want it.
    given_host = host or settings.host or (settings.listen_address[0] if port is None else "127.0.0.1")
    serve(replace(settings, host=given_host, port=settings.listen_address[1] if port is None else port))
