"""``vsearch db``: databases."""

from __future__ import annotations

import typer

from bot.cli.session import ServiceSession, StorageSession, context_of
from bot.cli.terminal.exit_codes import NotConfirmed
from bot.cli.terminal.options import AsJson, Yes, ask
from bot.cli.terminal.output import counted, print_line, show_json, show_table, when
from bot.domain.catalogue import DatabaseInfo
from bot.domain.identifiers import DatabaseKey, DatabaseName

app = typer.Typer(help="Create, list and delete databases.", no_args_is_help=True)


def _document(info: DatabaseInfo) -> dict[str, object]:
    return {"name": info.key.name, "images": info.images, "created_at": info.created_at.isoformat()}


@app.command()
def create(ctx: typer.Context, name: str, as_json: AsJson = False) -> None:
    """Make an empty database. A name has 2 to 64 of a-z, 0-9 and _."""
    checked = DatabaseName(name)

    async def work(services_session: ServiceSession) -> DatabaseInfo:
        return await services_session.services.databases.create(DatabaseKey(services_session.workspace, checked))

    info = context_of(ctx).run_with_services(work)
    if as_json:
        show_json(_document(info))
    else:
        print_line(f"Created “{info.key.name}”. Fill it with “vsearch import FOLDER --in {info.key.name}”.")


@app.command("list")
def list_databases(ctx: typer.Context, as_json: AsJson = False) -> None:
    """List the databases and how many images each has."""
    infos = context_of(ctx).run_with_storage(StorageSession.all_databases)
    if as_json:
        show_json({"databases": [_document(info) for info in infos]})
    elif infos:
        rows = [(info.key.name, f"{info.images:,}", when(info.created_at)) for info in infos]
        show_table(("Database", "Images", "Created"), rows, right=("Images",))
    else:
        print_line("There is no database yet; make one with “vsearch db create NAME”.")


@app.command()
def delete(ctx: typer.Context, name: str, yes: Yes = False, as_json: AsJson = False) -> None:
    """Delete a database and all its images. This can't be undone, so its name has to be typed."""
    checked = DatabaseName(name)

    context = context_of(ctx)

    async def look(storage_session: StorageSession) -> DatabaseInfo:
        return await storage_session.find(checked)

    async def work(services_session: ServiceSession) -> DatabaseInfo:
        return await services_session.services.databases.delete(DatabaseKey(services_session.workspace, checked))

    if not yes:
        info = context.run_with_storage(look)
        question = f"This deletes {counted(info.images, 'image')} for ever. Type the database's name to go on"
        if ask(question, as_json=as_json) != checked:
            raise NotConfirmed("That is not its name; nothing was deleted.")
    info = context.run_with_services(work)
    if as_json:
        show_json({"deleted": info.key.name, "images": info.images})
    else:
        print_line(f"Deleted “{info.key.name}” with {counted(info.images, 'image')}.")
