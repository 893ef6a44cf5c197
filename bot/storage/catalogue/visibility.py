"""Queries for what readers may see: counts, pages and hidden images by the conversations that origins came from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, bindparam, exists, func, insert, literal, or_, select

from bot.domain.catalogue import Origin
from bot.domain.channels import ChannelKind, VisibleOrigins
from bot.domain.identifiers import entity_key
from bot.storage.sql.paging import has_prefix
from bot.storage.sql.schema.tables import database_channels, image_origins, images

_origins, _channels = image_origins.c, database_channels.c

# Every add runs it. Built once, it costs little more than the work of the driver.
_RECORD_CHANNEL = insert(database_channels).from_select(
    ["database_id", "channel", "kind"],
    select(
        bindparam("of", type_=_channels.database_id.type),
        bindparam("called", type_=_channels.channel.type),
        bindparam("of_kind", type_=_channels.kind.type),
    ).where(
        ~exists().where(
            _channels.database_id == bindparam("of", type_=_channels.database_id.type),
            _channels.channel == bindparam("called", type_=_channels.channel.type),
            _channels.kind == bindparam("of_kind", type_=_channels.kind.type),
        )
    ),
)


def record_channels(connection: Connection, database_id: int, origins: Iterable[Origin]) -> None:
    """Record the conversations of origins that are added to a database. Its row must be locked."""
    found = {
        (origin.slack.channel, str(origin.slack.kind)) if origin.slack else ("", str(ChannelKind.PUBLIC))
        for origin in origins
    }
    for channel, kind in sorted(found):
        connection.execute(_RECORD_CHANNEL, {"of": database_id, "called": channel, "of_kind": kind})


def read_channels(connection: Connection, database_id: int) -> tuple[tuple[str, ChannelKind], ...]:
    """Return the conversations that images of a database came from, at some time, with the kinds they had.

    An empty id stands for images from no conversation.
    """
    query = select(_channels.channel, _channels.kind).where(_channels.database_id == database_id)
    rows = connection.execute(query.order_by(_channels.channel, _channels.kind))
    return tuple((row.channel, ChannelKind(row.kind)) for row in rows)


def count_hidden(connection: Connection, database_id: int, visible: VisibleOrigins) -> int:
    """Return how many images of a database have no visible origin."""
    closed = closed_channels(connection, database_id, visible)
    if not closed:
        return 0
    query = _hidden_images(database_id, closed, visible).subquery()
    return connection.execute(select(func.count()).select_from(query)).scalar_one()


def hidden_data_ids(connection: Connection, database_id: int, visible: VisibleOrigins, limit: int) -> frozenset[str]:
    """Return the data ids of up to ``limit`` images of a database that have no visible origin."""
    closed = closed_channels(connection, database_id, visible)
    if not closed:
        return frozenset()
    query = _hidden_images(database_id, closed, visible).limit(limit)
    return frozenset(str(row.data_id) for row in connection.execute(query))


def has_visible_origin(connection: Connection, database_id: int, visible: VisibleOrigins) -> list[ColumnElement[bool]]:
    """Return the conditions on images that readers may see; none if they may see all."""
    if not closed_channels(connection, database_id, visible):
        return []
    return [exists().where(_origins.image_id == images.c.id, is_visible(visible))]


def has_prefix_seen(prefix: str, visible: VisibleOrigins) -> ColumnElement[bool]:
    """Return the condition on images that those who see these origins see under an id with the prefix."""
    key = entity_key(prefix)
    given = func.coalesce(_origins.entity_key, images.c.entity_key)
    seen = exists().where(_origins.image_id == images.c.id, is_visible(visible))
    keeps_id = seen.where(given == images.c.entity_key)
    return or_(
        and_(keeps_id, *has_prefix(images.c.entity_key, key)), and_(~keeps_id, seen.where(*has_prefix(given, key)))
    )


def closed_channels(connection: Connection, database_id: int, visible: VisibleOrigins) -> list[str]:
    """Return the conversations of a database that readers may not see; an empty id stands for none."""
    closed = [
        channel
        for channel, kind in read_channels(connection, database_id)
        if not (channel in visible.channels if channel else visible.without_channel and kind is ChannelKind.PUBLIC)
    ]
    return list(dict.fromkeys(closed))


def _hidden_images(database_id: int, closed: list[str], visible: VisibleOrigins) -> Select[tuple[str]]:
    return select(images.c.data_id).where(images.c.database_id == database_id, is_hidden(closed, visible))


def is_hidden(closed: list[str], visible: VisibleOrigins) -> ColumnElement[bool]:
    """Return the condition on images without a visible origin, of databases with these closed conversations."""
    seen = image_origins.alias()
    # Only images with an origin in a closed conversation can be hidden. Usually these are few.
    # SQLite would look up the conversations again for each image, if they weren't a list: 34 s for 500 of 50,000.
    return and_(
        images.c.id.in_(select(_origins.image_id).where(_is_in(closed))),
        ~exists().where(seen.c.image_id == images.c.id, is_visible(visible, seen.c)),
    )


def _is_in(channels: list[str]) -> ColumnElement[bool]:
    named = _origins.slack_channel.in_([channel for channel in channels if channel])
    return or_(named, _is_without_channel(_origins)) if "" in channels else named


def _is_without_channel(origins: Any) -> ColumnElement[bool]:
    column = origins.slack_channel
    return or_(column.is_(None), column == "")


def is_visible(visible: VisibleOrigins, origins: Any = _origins) -> ColumnElement[bool]:
    """Return the condition on origins that readers may see."""
    column, kind, author = origins.slack_channel, origins.slack_kind, origins.author
    file = origins.slack_file
    without_channel = _is_without_channel(origins)
    choices: list[ColumnElement[bool]] = [column.in_(sorted(visible.channels))]
    if visible.without_channel:
        # Rows without a kind are from the first versions, which didn't store from where a form was opened.
        choices.append(and_(without_channel, or_(file.is_(None), kind == str(ChannelKind.PUBLIC))))
    if visible.user:
        choices.append(and_(author == visible.user, or_(without_channel, kind == str(ChannelKind.DIRECT))))
    return or_(literal(False), *choices)
