"""``vsearch db``: create, give and delete databases, and set their links."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.session import ServiceSession, StorageSession, context_of, find_or_list
from bot.cli.terminal.errors import NotConfirmed
from bot.cli.terminal.options import AsJson, Yes, ask, confirm
from bot.cli.terminal.output import counted, print_line, show_json
from bot.cli.terminal.progress import ProgressLine
from bot.domain.catalogue import DatabaseInfo
from bot.domain.errors import InvalidInput, UnknownDatabase
from bot.domain.identifiers import LOCAL_WORKSPACE, DatabaseKey, DatabaseName, WorkspaceId
from bot.domain.links import EXAMPLE, validate_template

if TYPE_CHECKING:
    from bot.app.services import Services
    from bot.storage.sql_storage import SqlStorage

app = typer.Typer()

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Name of the database.", show_default=False)]


def _document(info: DatabaseInfo) -> dict[str, object]:
    return {"name": info.key.name, "images": info.images, "created_at": info.created_at.isoformat()}


@app.command()
def create(ctx: typer.Context, name: NameArgument, as_json: AsJson = False) -> None:
    """Create an empty database. Names have 2 to 64 characters: a-z, 0-9 and _."""
    checked = DatabaseName(name)

    async def work(services_session: ServiceSession) -> DatabaseInfo:
        return await services_session.services.databases.create(DatabaseKey(services_session.workspace, checked))

    info = context_of(ctx).run_with_services(work, creates=True)
    if as_json:
        show_json(_document(info))
    else:
        print_line(f"Created “{info.key.name}”. Add pictures with “vsearch import FOLDER --in {info.key.name}”.")


@app.command("delete-unused-api")
def delete_unused_api(ctx: typer.Context, yes: Yes = False, as_json: AsJson = False) -> None:
    """Delete the databases of API keys that are no longer in VSEARCH_API_KEYS. You can't undo this."""
    context = context_of(ctx)

    async def work(services: Services) -> list[DatabaseKey]:
        from bot.app.services import unused_api_databases  # noqa: PLC0415 - slow import

        keys = await unused_api_databases(services.settings, services.storage)
        if keys and not yes:
            names = ", ".join(f"{key.name} of {key.workspace}" for key in keys)
            question = f"This deletes {counted(len(keys), 'database')} permanently: {names}. Continue?"
            confirm(question, "Nothing was deleted.", as_json=as_json)
        deleted = []
        for key in keys:
            # A database of another back end than the one in use stays.
            with contextlib.suppress(UnknownDatabase):
                await services.visual.delete_database(key)
                deleted.append(key)
            await services.storage.api_images.forget_database(key)
        with ProgressLine("Deleting") as line:
            await services.databases.finish_deletions(line.update)
        return deleted

    deleted = context.run_with_services_for_all(work)
    if as_json:
        show_json({"deleted": [{"workspace": key.workspace, "name": key.name} for key in deleted]})
    else:
        print_line(f"Deleted {counted(len(deleted), 'database')} of API keys that were taken away.")


@app.command()
def give(
    ctx: typer.Context,
    name: NameArgument,
    workspace: Annotated[
        str, typer.Argument(metavar="WORKSPACE", help="Id of a connected Slack workspace.", show_default=False)
    ],
    as_json: AsJson = False,
) -> None:
    """Give a database of the workspace “local” to a Slack workspace, whose members can then search it."""
    checked = DatabaseName(name)

    async def work(storage: SqlStorage) -> None:
        connected = [known for known, _ in await storage.catalogue.connected()]
        if workspace not in connected:
            raise InvalidInput(
                f"No connected workspace has the id “{workspace}”. Connected: {', '.join(connected) or 'none'}."
            )
        try:
            await storage.catalogue.give_local(checked, WorkspaceId(workspace))
        except UnknownDatabase:
            # Name the local databases.
            await find_or_list(storage.catalogue, DatabaseKey(LOCAL_WORKSPACE, checked))
            raise

    context_of(ctx).run_with_storage_for_all(work)
    if as_json:
        show_json({"database": checked, "workspace": workspace})
    else:
        print_line(f"“{checked}” now belongs to the workspace {workspace}.")


@app.command()
def link(
    ctx: typer.Context,
    name: NameArgument,
    template: Annotated[
        str | None,
        typer.Argument(metavar="TEMPLATE", help=f"Such as {EXAMPLE}; “off” for none.", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show or set the link that each match gets. {id} stands for the id."""
    checked = DatabaseName(name)
    wanted = None if template is None else validate_template("" if template.lower() == "off" else template)

    async def work(session: StorageSession) -> str:
        info = await session.find(checked)
        if wanted is None:
            return info.link
        await session.storage.catalogue.set_link(info.key, wanted)
        return wanted

    stored = context_of(ctx).run_with_storage(work)
    if as_json:
        show_json({"database": checked, "link": stored or None})
    else:
        print_line(f"Ids of “{checked}” link to {stored}." if stored else f"Ids of “{checked}” have no link.")


@app.command()
def delete(ctx: typer.Context, name: NameArgument, yes: Yes = False, as_json: AsJson = False) -> None:
    """Delete a database and all its images, after you type its name. You can't undo this."""
    checked = DatabaseName(name)
    context = context_of(ctx)

    async def find(storage_session: StorageSession) -> tuple[DatabaseInfo, str]:
        key = (await storage_session.find(checked)).key
        # Before the images are counted, so that no image is deleted that was not counted.
        mark = await storage_session.storage.catalogue.mark(key)
        return await storage_session.find(checked), mark

    async def work(services_session: ServiceSession) -> DatabaseInfo:
        key = (await services_session.find(checked)).key
        with ProgressLine("Deleting") as line:
            return await services_session.services.databases.delete(key, mark, line.update)

    mark = ""
    if not yes:
        info, mark = context.run_with_storage(find)
        question = (
            f"This deletes {counted(info.images, 'image')} permanently. Type the name of the database to continue:"
        )
        if ask(question, as_json=as_json) != checked:
            raise NotConfirmed("The name doesn't match. Nothing was deleted.")
    info = context.run_with_services(work)
    if as_json:
        show_json({"deleted": info.key.name, "images": info.images})
    else:
        print_line(f"Deleted “{info.key.name}” with {counted(info.images, 'image')}.")
