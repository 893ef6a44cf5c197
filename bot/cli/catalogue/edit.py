"""``vsearch edit``: give images another id or note."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from bot.cli.catalogue.images import named_images
from bot.cli.session import ServiceSession, StorageSession, context_of
from bot.cli.terminal.options import AsJson, InDatabase, Yes, confirm
from bot.cli.terminal.output import counted, print_line, show_json
from bot.domain.errors import InvalidInput
from bot.domain.identifiers import DatabaseKey, EntityId, Note

app = typer.Typer()


@dataclass(frozen=True, slots=True)
class _Change:
    """What to change: all images of an entity, or one of them. None keeps a value."""

    entity: EntityId
    image: str | None
    new: EntityId | None
    note: Note | None


@app.command()
def edit(
    ctx: typer.Context,
    *,
    entity: Annotated[str, typer.Argument(metavar="ID", help="Id of the images.", show_default=False)],
    new: Annotated[
        str | None, typer.Option("--id", metavar="ID", help="New id. Images that have it become one with these.")
    ] = None,
    note: Annotated[str | None, typer.Option(metavar="TEXT", help="New note; empty removes it.")] = None,
    image: Annotated[
        str | None, typer.Option(metavar="DATA_ID", help="Change only this image of the id (the last 8 characters do).")
    ] = None,
    database: InDatabase = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Give the images of an id, or one of them, another id or note."""
    if new is None and note is None:
        raise InvalidInput("Say what to change: --id or --note.")
    change = _Change(
        EntityId(entity),
        image,
        None if new is None else EntityId(new),
        None if note is None else Note(note),
    )
    context = context_of(ctx)
    if change.new is not None and change.image is None and not yes:
        key, others = context.run_with_storage(lambda session: _count_others(session, database, change))
        if others:
            question = f"“{change.new}” has {counted(others, 'image')} in “{key.name}” already. Merge?"
            confirm(question, "Nothing was changed.", as_json=as_json)

    async def work(services_session: ServiceSession) -> tuple[DatabaseKey, int, EntityId]:
        key = await services_session.database(database)
        records = await named_images(services_session, key, change.entity, change.image)
        written = change.entity
        corrections = services_session.services.corrections
        if change.note is not None:
            await corrections.set_note(records, change.note)
        if change.new is not None:
            written = await corrections.rename(key, records, change.new)
        return key, len(records), written

    key, images, written = context.run_with_services(work)
    if as_json:
        show_json({"database": key.name, "entity": written, "changed": images})
    else:
        print_line(f"Changed {counted(images, 'image')} of “{written}” in “{key.name}”.")


async def _count_others(session: StorageSession, database: str | None, change: _Change) -> tuple[DatabaseKey, int]:
    key = await session.database(database)
    await named_images(session, key, change.entity, change.image)
    if change.new is None or change.new.is_same(change.entity):
        return key, 0
    return key, len(await session.storage.catalogue.of_entity(key, change.new))
