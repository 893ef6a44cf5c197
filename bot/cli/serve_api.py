"""``vsearch serve-api``: serve the visual search API to other programs.

``bot.app.api_server`` is imported when the command runs, so that ``--help`` need not load it (650 ms of CPU time).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from bot.cli.session import context_of
from bot.config.validation import missing_api_keys, unusable_model

app = typer.Typer()


@app.command("serve-api")
def serve_api(
    ctx: typer.Context,
    host: Annotated[
        str | None, typer.Option("--host", metavar="HOST", help="Address to listen on; overrides HOST.")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            "--port", metavar="PORT", min=0, max=65535, help="Port to listen on; overrides PORT; 0 picks a free port."
        ),
    ] = None,
) -> None:
    """Serve the visual search API to programs that have a key in VSEARCH_API_KEYS (docs/api.md)."""
    from bot.app.api_server import serve_api as serve  # noqa: PLC0415 - slow import

    context = context_of(ctx)
    settings = context.settings(missing_api_keys, unusable_model, creates=True)
    # --port alone listens on loopback only. PORT in the environment listens on all interfaces, as platforms expect.
    given_host = host or settings.host or (settings.listen_address[0] if port is None else "127.0.0.1")
    settings = replace(settings, host=given_host, port=settings.listen_address[1] if port is None else port)
    serve(settings, context.unknown_settings())
