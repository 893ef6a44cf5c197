"""``vsearch db``: create, list and delete databases."""

from __future__ import annotations

from typing import Annotated

import typer

from bot.cli.session import ServiceSession, StorageSession, context_of
from bot.cli.terminal.exit_codes import NotConfirmed
from bot.cli.terminal.options import AsJson, Yes, ask
from bot.cli.terminal.output import counted, print_line, show_json, show_table, when
from bot.domain.catalogue import DatabaseInfo
from bot.domain.identifiers import DatabaseKey, DatabaseName

app = typer.Typer(help="Create, list and delete databases.", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Name of the database.", show_default=False)]


def _document(info: DatabaseInfo) -> dict[str, object]:
    return {"name": info.key.name, "images": info.images, "created_at": info.created_at.isoformat()}


@app.command()
def create(ctx: typer.Context, name: NameArgument, as_json: AsJson = False) -> None:
    """Create an empty database. Names have 2 to 64 characters: a-z, 0-9 and _."""
    checked = DatabaseName(name)

    async def work(services_session: ServiceSession) -> DatabaseInfo:
        return await services_session.services.databases.create(DatabaseKey(services_session.workspace, checked))

    info = context_of(ctx).run_with_services(work)
    if as_json:
        show_json(_document(info))
    else:
        print_line(f"Created “{info.key.name}”. Add pictures with “vsearch import FOLDER --in {info.key.name}”.")


@app.command("list")
def list_databases(ctx: typer.Context, as_json: AsJson = False) -> None:
    """List all databases with their number of images."""
    infos = context_of(ctx).run_with_storage(StorageSession.all_databases)
    if as_json:
        show_json({"databases": [_document(info) for info in infos]})
    elif infos:
        rows = [(info.key.name, f"{info.images:,}", when(info.created_at)) for info in infos]
        show_table(("Database", "Images", "Created"), rows, right=("Images",))
    else:
        print_line("There is no database yet. Create one with “vsearch db create NAME”.")


@app.command()
def delete(ctx: typer.Context, name: NameArgument, yes: Yes = False, as_json: AsJson = False) -> None:
    """Delete a database and all its images, after you type its name. You can't undo this."""
    checked = DatabaseName(name)
    context = context_of(ctx)

    async def find(storage_session: StorageSession) -> DatabaseInfo:
        return await storage_session.find(checked)

    async def work(services_session: ServiceSession) -> DatabaseInfo:
        return await services_session.services.databases.delete(DatabaseKey(services_session.workspace, checked))

    if not yes:
        info = context.run_with_storage(find)
        question = (
            f"This deletes {counted(info.images, 'image')} permanently. Type the name of the database to continue"
        )
        if ask(question, as_json=as_json) != checked:
            raise NotConfirmed("The name doesn't match. Nothing was deleted.")
    info = context.run_with_services(work)
    if as_json:
        show_json({"deleted": info.key.name, "images": info.images})
    else:
        print_line(f"Deleted “{info.key.name}” with {counted(info.images, 'image')}.")
