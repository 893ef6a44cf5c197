"""``vsearch db list``: opens only the file of the database, since it is asked for often and needs little."""

from __future__ import annotations

from collections.abc import Sequence

import typer

from bot.adapters.embedded.calibration.stored import describe
from bot.cli.context import GlobalOptions, options_of
from bot.cli.terminal.options import AsJson
from bot.cli.terminal.output import print_line, show_json, show_table, when
from bot.domain.identifiers import WorkspaceId
from bot.storage.database_list import ListedDatabase, read_sqlite

app = typer.Typer()


@app.command("list")
def list_databases(ctx: typer.Context, as_json: AsJson = False) -> None:
    """List all databases with their numbers of images and ids."""
    databases = _read(ctx, options_of(ctx))
    if as_json:
        show_json({"databases": [_document(database) for database in databases]})
    elif databases:
        rows = [
            (one.name, f"{one.images:,}", f"{one.ids:,}", when(one.created_at), _scores(one) or "of the back end")
            for one in databases
        ]
        show_table(("Database", "Images", "Ids", "Created", "Scores"), rows, right=("Images", "Ids"))
    else:
        print_line("There is no database yet. Create one with “vsearch db create NAME”.")


def _document(database: ListedDatabase) -> dict[str, object]:
    return {
        "name": database.name,
        "images": database.images,
        "created_at": database.created_at.isoformat(),
        "ids": database.ids,
        "scores": _scores(database),
    }


def _scores(database: ListedDatabase) -> str | None:
    """Return how the scores are calibrated; None if the back end has scores of its own."""
    return describe(database.calibration) if database.is_embedded else None


def _read(ctx: typer.Context, options: GlobalOptions) -> Sequence[ListedDatabase]:
    settings = options.settings()

    def choose(known: Sequence[WorkspaceId]) -> WorkspaceId:
        return options.choose_workspace(settings, known)

    databases = None if options.debug else read_sqlite(settings.data_dir, settings.database_url, choose)
    if databases is not None:
        return databases
    from bot.cli.session import context_of  # noqa: PLC0415 - only for what must be created, migrated or explained

    return context_of(ctx).run_with_storage_for_all(lambda storage: storage.list_databases(choose))
