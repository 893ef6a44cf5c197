"""Changes of a database's images: add an image or an origin, correct ids and notes, and take images away.

Each change waits for the others in the same database, so that no image goes while it gets an origin.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    Connection,
    Executable,
    Row,
    ScalarSelect,
    bindparam,
    delete,
    insert,
    select,
    update,
)

from bot.domain.catalogue import ImageRecord, Origin, OriginScope, RemovedOrigins
from bot.domain.channels import ChannelKind
from bot.domain.errors import AlreadyAdded
from bot.domain.identifiers import DatabaseKey, DataId, EntityId, Note
from bot.storage.catalogue.origins import (
    delete_origins,
    give_entity,
    insert_origins,
    mark_imported,
    read_origins,
    read_records,
    rename_origins,
)
from bot.storage.catalogue.rows import bump_revision, columns_of, database_id_of, lock_in_back_ends
from bot.storage.catalogue.texts.origin_words import index_images, index_new_images
from bot.storage.catalogue.visibility import record_channels
from bot.storage.removals.rows import queue_pictures, queue_unused_uploads
from bot.storage.sql.dialect import in_batches
from bot.storage.sql.schema.tables import image_origins, images

# Every add runs these. Built once, they cost little more than the work of the driver.
_ENTITY_OF = select(images.c.entity).where(
    images.c.database_id == bindparam("database"), images.c.digest.in_(bindparam("some", expanding=True))
)
_NEW_IMAGES = insert(images).returning(images.c.id, images.c.data_id)


def add_images(connection: Connection, key: DatabaseKey, records: Sequence[ImageRecord]) -> None:
    """Record images of a database. Raises AlreadyAdded if it has one with the same ``digest``."""
    database_id = bump_revision(connection, key)
    for some in in_batches([record.digest for record in records]):
        if entity := connection.execute(_ENTITY_OF, {"database": database_id, "some": some}).scalar():
            raise AlreadyAdded(key.name, entity)
    # The first spelling of an id stays. Adds look for it before they call the back end, and here once more: another
    # process may have added the same id in the meantime. Each image may also bring the spelling of the next.
    spelled = _spellings_in(connection, database_id, list({record.entity.key: None for record in records}))
    rows = [
        {
            "database_id": database_id,
            **columns_of(record),
            "entity": str(spelled.setdefault(record.entity.key, record.entity)),
        }
        for record in records
    ]
    inserted = {data_id: image_id for image_id, data_id in connection.execute(_NEW_IMAGES, rows)}
    origins = {inserted[record.data_id]: record.origins for record in records}
    insert_origins(connection, origins)
    index_new_images(connection, list(origins))
    record_channels(connection, database_id, (origin for record in records for origin in record.origins))


def add_origin(connection: Connection, key: DatabaseKey, digest: str, origin: Origin) -> EntityId | None:
    """Add an origin to the image with exactly these pixels, unless it has this one.

    If the operator imports what came from Slack, the origin that is there becomes the operator's.

    Return the image's entity; None if there is no such image.
    """
    database_id = bump_revision(connection, key)
    wanted = (images.c.database_id == database_id) & (images.c.digest == digest)
    row = connection.execute(select(images.c.id, images.c.entity).where(wanted)).first()
    if row is None:
        return None
    known = [one for one in read_origins(connection, [row.id])[row.id] if origin.is_same_place(one)]
    if not known:
        insert_origins(connection, {row.id: [origin]})
        index_images(connection, [row.id])
        record_channels(connection, database_id, [origin])
    elif origin.is_operators and not any(one.is_operators for one in known):
        mark_imported(connection, row.id, origin)
    return EntityId(row.entity)


def remove_origins(
    connection: Connection, key: DatabaseKey, data_id: DataId, scope: OriginScope, now: datetime
) -> RemovedOrigins:
    """Take those of an image's origins away that are in the scope, and the image's record with the last one."""
    # The caller deletes the image in the back end afterwards.
    lock_in_back_ends(connection, key)
    database_id = bump_revision(connection, key)
    wanted = (images.c.database_id == database_id) & (images.c.data_id == data_id)
    image = connection.execute(select(images).where(wanted)).first()
    if image is None:
        return RemovedOrigins(0, 0)
    before = read_origins(connection, [image.id])[image.id]
    removed = delete_origins(connection, image.id, scope)
    after = read_origins(connection, [image.id])[image.id]
    if after:
        _keep_entity(connection, image, [one for one in before if one not in after], after)
    else:
        connection.execute(delete(images).where(images.c.id == image.id))
        queue_removals(connection, {image.digest}, now)
    return RemovedOrigins(removed, len(after), EntityId(image.entity))


def _keep_entity(connection: Connection, image: Row[Any], removed: Sequence[Origin], left: Sequence[Origin]) -> None:
    """Let the image keep its id if everybody could read where it was given, and nobody else gave it."""
    entity = EntityId(image.entity)
    was_public = any(one.gave(entity) and (not one.slack or one.slack.kind is ChannelKind.PUBLIC) for one in removed)
    if was_public and not any(one.gave(entity) for one in left):
        give_entity(connection, image.id, entity, automatic=image.named_automatically)
        index_images(connection, [image.id])


def remove_images(
    connection: Connection, key: DatabaseKey, entity: EntityId, data_id: DataId | None, now: datetime
) -> tuple[ImageRecord, ...]:
    """Delete the records of an entity's images, or of one of them. Return the deleted records."""
    database_id = database_id_of(connection, key, update_lock=True)
    wanted = [images.c.database_id == database_id, images.c.entity_key == entity.key]
    if data_id is not None:
        wanted.append(images.c.data_id == data_id)
    rows = connection.execute(select(images).where(*wanted).order_by(images.c.id)).all()
    records = read_records(connection, key, rows)
    if rows:
        connection.execute(delete(images).where(*wanted))
        bump_revision(connection, key)
        queue_removals(connection, {row.digest for row in rows}, now)
    return records


# A condition for each id, because one for all would read every image of an id that thousands of images have.
@lru_cache
def _first_spellings(number: int) -> Executable:
    def first(key: str) -> ScalarSelect[str]:
        wanted = (images.c.database_id == bindparam("in_database")) & (images.c.entity_key == bindparam(key))
        return select(images.c.entity).where(wanted).order_by(images.c.id).limit(1).scalar_subquery()

    return select(*(first(f"key_{place}") for place in range(number)))


def read_spellings(connection: Connection, key: DatabaseKey, keys: Sequence[str]) -> dict[str, EntityId]:
    """Return how the database writes ids, by their keys. Of several spellings, the first counts."""
    return _spellings_in(connection, database_id_of(connection, key), keys)


def _spellings_in(connection: Connection, database_id: int, keys: Sequence[str]) -> dict[str, EntityId]:
    found: dict[str, EntityId] = {}
    for some in in_batches(keys):
        # Building a statement costs as much as running it a hundred times, so there is one for each power of two.
        number = 1 << (len(some) - 1).bit_length()
        values = {f"key_{place}": some[min(place, len(some) - 1)] for place in range(number)}
        row = connection.execute(_first_spellings(number), {"in_database": database_id, **values}).one()
        found.update((one, EntityId(first)) for one, first in zip(some, row, strict=False) if first is not None)
    return found


def rename_images(connection: Connection, records: Sequence[ImageRecord], entity: EntityId) -> int:
    """Change the id that these records show, which are of one database, to one that a person chose.

    Those of their origins that gave it have the new one from then on, and the image if it was its id. Origins that a
    record leaves out keep what they gave. Return how many images have any change.
    """
    if not records:
        return 0
    shown = {record.data_id: record.entity for record in records}
    database_id, changed = bump_revision(connection, records[0].database), set[DataId]()
    values = {"entity": str(entity), "entity_key": entity.key, "named_automatically": False}
    for chosen, others in _origin_rows(connection, database_id, records):
        given = [row for row in chosen if (row.entity_key or row.of_image) == shown[row.data_id].key]
        renamed = {row.data_id: row.image_id for row in given if row.of_image == shown[row.data_id].key}
        for row in others:
            if row.entity_key is None and row.data_id in renamed:
                # It stands for the id that the image had.
                rename_origins(connection, [row.id], EntityId(row.image_entity))
        rename_origins(connection, [row.id for row in given], entity)
        for some in in_batches(list(renamed.values())):
            connection.execute(update(images).where(images.c.id.in_(some)).values(values))
        index_images(connection, sorted({row.image_id for row in (*given, *others)}))
        changed.update(row.data_id for row in given)
    return len(changed)


def set_note(connection: Connection, records: Sequence[ImageRecord], note: Note) -> int:
    """Give the origins of these records, which are of one database, a note. Return how many images have any."""
    if not records:
        return 0
    database_id, changed = bump_revision(connection, records[0].database), set[DataId]()
    for chosen, _ in _origin_rows(connection, database_id, records):
        changed.update(row.data_id for row in chosen)
        for ids in in_batches([row.id for row in chosen]):
            connection.execute(update(image_origins).where(image_origins.c.id.in_(ids)).values(note=str(note)))
        index_images(connection, sorted({row.image_id for row in chosen}))
    return len(changed)


def _origin_rows(
    connection: Connection, database_id: int, records: Sequence[ImageRecord]
) -> Iterator[tuple[list[Row[Any]], list[Row[Any]]]]:
    """Yield rows of origins in batches: those that the records have, and the further ones of their images."""
    places = {record.data_id: frozenset(map(_place, record.origins)) for record in records}
    of_image = (images.c.data_id, images.c.entity.label("image_entity"), images.c.entity_key.label("of_image"))
    rows_of_images = select(image_origins, *of_image).join(images).where(images.c.database_id == database_id)
    for some in in_batches(list(places)):
        rows = connection.execute(rows_of_images.where(images.c.data_id.in_(some))).all()
        chosen = [row for row in rows if _place_of(row) in places[row.data_id]]
        yield chosen, [row for row in rows if _place_of(row) not in places[row.data_id]]


def _place(origin: Origin) -> tuple[object, ...]:
    return origin.source, origin.author, origin.source_name, origin.slack and origin.slack.place


def _place_of(row: Row[Any]) -> tuple[object, ...]:
    # An empty one is that of an address, which was given in a closed conversation.
    has_place = row.slack_file is not None
    in_slack = (row.slack_file, row.slack_channel or "", row.slack_message or "") if has_place else None
    return row.source, row.author, row.source_name, in_slack


def queue_removals(connection: Connection, digests: Collection[str], now: datetime) -> None:
    """Queue the removal of what deleted images leave outside SQL."""
    queue_pictures(connection, digests, now)
    queue_unused_uploads(connection, digests, now)
