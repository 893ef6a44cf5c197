"""``vsearch add``, ``images`` and ``delete``: add, list and delete images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import typer

from bot.cli.catalogue.picture_input import PictureArgument, read_picture_and_jpeg, with_name
from bot.cli.catalogue.records import details, image_of, location_of, show_indented, size, title
from bot.cli.session import ServiceSession, StorageSession, context_of
from bot.cli.terminal.exit_codes import ExitCode
from bot.cli.terminal.options import AsJson, InDatabase, Yes, confirm
from bot.cli.terminal.output import (
    counted,
    images_of_ids,
    is_terminal,
    print_line,
    print_remark,
    print_text,
    show_json,
    show_table,
    when,
)
from bot.cli.terminal.progress import ProgressLine
from bot.domain.catalogue import ImageRecord
from bot.domain.errors import AlreadyAdded, UnknownEntity, UserError
from bot.domain.identifiers import DatabaseKey, EntityId, Note
from bot.domain.matches import Match, Verdict
from bot.domain.pages import Order, Page, PageRequest
from bot.domain.pictures import Picture
from bot.services.images.deletion import Deletion
from bot.services.images.file_names import OWN_ID, entity_of_file

app = typer.Typer()


@dataclass(frozen=True, slots=True)
class _AddOutcome:
    """The outcome for one image: ``entity`` if it is in the database, ``error`` if it was refused.

    ``copy_of`` is the id of another image of which an added one is a copy, and ``is_edited`` says what kind.
    """

    image: str
    status: str
    entity: str | None = None
    data_id: str | None = None
    error: str | None = None
    typed: str | None = None
    copy_of: str | None = None
    is_edited: bool = False


@app.command()
def add(
    ctx: typer.Context,
    *,
    images: Annotated[list[str], typer.Argument(metavar="IMAGE", help="Files or http(s) addresses.")],
    database: InDatabase = None,
    entity: Annotated[
        str | None, typer.Option("--id", metavar="ID", help="Id of the images; by default, made from each file name.")
    ] = None,
    note: Annotated[str, typer.Option(metavar="TEXT", help="Note of up to 512 characters, shown with matches.")] = "",
    as_json: AsJson = False,
) -> None:
    """Add pictures to a database. Pictures that it already has stay unchanged."""
    shared = EntityId(entity) if entity is not None else None
    checked_note = Note(note)

    async def work(services_session: ServiceSession) -> tuple[DatabaseKey, list[_AddOutcome]]:
        key = await services_session.database(database)
        return key, [
            await _add(services_session, key, PictureArgument(image), shared, checked_note) for image in images
        ]

    key, outcomes = context_of(ctx).run_with_services(work)
    if as_json:
        show_json({"database": key.name, "images": [_outcome(outcome) for outcome in outcomes]})
    else:
        _print_report(outcomes, key)
    if any(outcome.error for outcome in outcomes):
        raise typer.Exit(ExitCode.FAILED)


async def _add(
    services_session: ServiceSession, key: DatabaseKey, named: PictureArgument, shared: EntityId | None, note: Note
) -> _AddOutcome:
    try:
        picture, jpeg = await read_picture_and_jpeg(services_session, named)
        entity = shared or entity_of_file(named.file_name, picture.source_digest[:OWN_ID])
        copy = await _find_copy(services_session, key, picture)
        record = await services_session.services.additions.add(
            key, picture, jpeg, entity, note, source_name=named.file_name, named_automatically=shared is None
        )
    except AlreadyAdded as error:
        return _AddOutcome(named.text, "already there", error.entity, typed=shared)
    except UserError as error:
        return _AddOutcome(named.text, "refused", error=str(error))
    return _AddOutcome(
        named.text,
        "added",
        record.entity,
        record.data_id,
        typed=shared,
        copy_of=None if copy is None else copy.entity,
        is_edited=copy is not None and copy.verdict is Verdict.EDITED,
    )


async def _find_copy(services_session: ServiceSession, key: DatabaseKey, picture: Picture) -> Match | None:
    """Return an image of which the picture is a copy. One with exactly its pixels doesn't count."""
    if await services_session.storage.catalogue.with_digest(key, picture.digest):
        return None
    copy = await services_session.services.copies.find(key, picture)
    return None if copy is None else copy.match


def _outcome(outcome: _AddOutcome) -> dict[str, str]:
    fields = ("image", "status", "entity", "data_id", "error", "copy_of")
    return {name: value for name in fields if (value := getattr(outcome, name)) is not None}


def _print_report(outcomes: Sequence[_AddOutcome], key: DatabaseKey) -> None:
    for outcome in outcomes:
        if outcome.error:
            print_remark(with_name(outcome.image, outcome.error), "red")
        elif outcome.data_id:
            typed = outcome.typed or ""
            spelling = "" if typed in {"", outcome.entity} else f" “{key.name}” writes “{typed}” this way."
            what = "an edited copy of" if outcome.is_edited else "the same image as"
            copy = f" Looks like {what} “{outcome.copy_of}”." if outcome.copy_of else ""
            print_line(f"Added {outcome.image} to “{key.name}” as “{outcome.entity}”.{spelling}{copy}")
        else:
            is_other = outcome.typed and not EntityId(outcome.typed).is_same(outcome.entity or "")
            instead = f", not as “{outcome.typed}”" if is_other else ""
            print_line(f"{outcome.image} is already in “{key.name}” as “{outcome.entity}”{instead}.")


@app.command("images")
def list_images(
    ctx: typer.Context,
    *,
    database: InDatabase = None,
    prefix: Annotated[str, typer.Option(metavar="PREFIX", help="Show only ids that begin with this.")] = "",
    order: Annotated[
        Order, typer.Option(metavar="desc|asc|id", help="desc: newest first; asc: oldest first; id: by id.")
    ] = Order.NEWEST_FIRST,
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=1000, help="Maximum number of images to show.")] = 20,
    everything: Annotated[bool, typer.Option("--all", help="Show all images.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the images of a database."""

    async def work(session: StorageSession) -> tuple[DatabaseKey, Page[ImageRecord], list[str], int]:
        key = await session.database(database)
        if everything:
            records = tuple([record async for record in session.listings.all_records(key, order, prefix)])
            page = Page(records, len(records))
        else:
            request = PageRequest(limit=limit, order=order, entity_prefix=prefix)
            page = await session.listings.page(key, request)
        locations = [location_of(session.storage, record) for record in page.items]
        return key, page, locations, await session.storage.catalogue.count_entities(key, prefix)

    key, page, locations, ids = context_of(ctx).run_with_storage(work)
    if as_json:
        images = [document(record, location) for record, location in zip(page.items, locations, strict=True)]
        show_json({"database": key.name, "total": page.total, "ids": ids, "images": images})
        return
    _show_images(page.items, locations)
    shown = f"{len(page.items):,} of " if len(page.items) < page.total else ""
    more = " (--all shows all)" if shown else ""
    print_remark(f"{shown}{images_of_ids(page.total, ids)} in “{key.name}”{more}", "dim")


def _show_images(records: Sequence[ImageRecord], locations: Sequence[str]) -> None:
    """Print an entry of a few lines for each image on a terminal, and a row for each elsewhere."""
    if is_terminal():
        for record, location in zip(records, locations, strict=True):
            print_text(title(record))
            show_indented((record.note, details(record, location)), 2)
    elif records:
        rows = [
            (title(record), record.note, record.source_name, size(record), when(record.added_at), record.data_id)
            for record in records
        ]
        show_table(("Id", "Note", "File", "Size", "Added", "Image"), rows)


def document(record: ImageRecord, location: str | None = None) -> dict[str, object]:
    """Return the JSON document of an image, with the path or address of its stored picture if that is given."""
    stored = {} if location is None else {"location": location or None}
    return {
        "data_id": record.data_id,
        "entity": record.entity,
        "named_automatically": record.named_automatically,
        "note": record.note,
        "file": record.source_name,
        "width": record.width,
        "height": record.height,
        "added_at": record.added_at.isoformat(),
        "added_by": record.added_by,
        "picture": record.digest,
    } | stored


@app.command()
def delete(
    ctx: typer.Context,
    *,
    entity: Annotated[str, typer.Argument(metavar="ID", help="Id of the images.", show_default=False)],
    database: InDatabase = None,
    image: Annotated[
        str | None, typer.Option(metavar="DATA_ID", help="Delete only this image of the id (the last 8 characters do).")
    ] = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Delete every image with an id, or one of them."""
    checked = EntityId(entity)
    context = context_of(ctx)

    async def work(services_session: ServiceSession) -> tuple[DatabaseKey, Deletion]:
        key = await services_session.database(database)
        named = () if image is None else await named_images(services_session, key, checked, image)
        try:
            with ProgressLine("Deleting") as line:
                return key, await services_session.services.deletions.delete(
                    key,
                    checked,
                    named[0].data_id if named else None,
                    mark="" if image is not None else mark,
                    on_progress=lambda done: line.update(done, None),
                )
        except UnknownEntity:
            raise await _unknown_entity(services_session, key, checked, image) from None

    mark = ""
    if not yes:
        key, images, mark = context.run_with_storage(lambda session: _count(session, database, checked, image))
        question = f"This deletes {counted(images, 'image')} of “{checked}” from “{key.name}”. Continue?"
        confirm(question, "Nothing was deleted.", as_json=as_json)
    key, deletion = context.run_with_services(work)
    if as_json:
        show_json({"database": key.name, "entity": checked, "deleted": deletion.images})
    else:
        print_line(f"Deleted {counted(deletion.images, 'image')} of “{checked}” from “{key.name}”.")


async def _count(
    session: StorageSession, database: str | None, entity: EntityId, image: str | None
) -> tuple[DatabaseKey, int, str]:
    """Return the database, how many images a deletion takes, and a mark of the present images."""
    key = await session.database(database)
    # Before the images are counted, so that no image is deleted that was not counted.
    mark = await session.storage.catalogue.mark(key)
    return key, len(await named_images(session, key, entity, image)), mark


async def named_images(
    session: StorageSession, key: DatabaseKey, entity: EntityId, image: str | None
) -> tuple[ImageRecord, ...]:
    """Return the images of an id, or the one of them that ``--image`` names.

    Raises UnknownEntity, and InvalidInput if ``image`` fits several of them.
    """
    records = await session.storage.catalogue.of_entity(key, entity)
    data_id = None if image is None else image_of(records, image)
    named = tuple(record for record in records if data_id in {None, record.data_id})
    if not named:
        raise await _unknown_entity(session, key, entity, image)
    return named


async def _unknown_entity(
    session: StorageSession, key: DatabaseKey, entity: EntityId, image: str | None = None
) -> UnknownEntity:
    """Return the error for an id without images, with the id that was probably meant; or for one without ``image``."""
    if image is not None and await session.storage.catalogue.of_entity(key, entity):
        return UnknownEntity(f"{entity}, image {image}", key.name)
    info = await session.storage.catalogue.database(key)
    near = await session.listings.similar_entities(info, entity)
    # Here an image has the id that it has, wherever it was given another one.
    ids = (record.entity for key, records in near.items() for record in records if record.entity.key == key)
    return UnknownEntity(entity, key.name, next(ids, ""))
