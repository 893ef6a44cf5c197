"""The modes, databases, minimum scores and rules of channels, in SQL."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from bot.domain.channels import ChannelBinding, ChannelMode
from bot.domain.identifiers import DatabaseKey, DatabaseName, WorkspaceId
from bot.storage.catalogue.rows import database_id_of
from bot.storage.slack.moderation.rules_json import decode_rules, encode_rules
from bot.storage.sql.database import Database
from bot.storage.sql.locks.advisory import take_advisory_locks
from bot.storage.sql.schema.tables import channel_bindings, databases

_columns = channel_bindings.c
# A row without a mode only records that the channel was offered a database.
_SET = (
    select(channel_bindings, databases.c.name.label("database"))
    .join_from(channel_bindings, databases, isouter=True)
    .where(_columns.mode.is_not(None))
)


class SqlChannelBindings:
    """Implements ``storage.ports.slack.ChannelBindings``."""

    def __init__(self, database: Database, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._database = database
        self._clock = clock

    async def get(self, workspace: WorkspaceId, channel: str) -> ChannelBinding | None:
        """Return a channel's binding; None if no mode is set, even if a database was offered."""
        query = _SET.where(_columns.workspace == workspace, _columns.channel == channel)
        row = await self._database.read(lambda connection: connection.execute(query).first())
        return None if row is None else _binding_of(row)

    async def put(self, binding: ChannelBinding) -> None:
        """Set or replace a channel's binding. Raises UnknownDatabase."""

        def work(connection: Connection) -> None:
            database_id = None
            if binding.database is not None:
                key = DatabaseKey(binding.workspace, binding.database)
                database_id = database_id_of(connection, key, key_share_lock=True)
            values = {
                "mode": binding.mode,
                "database_id": database_id,
                "minimum": binding.minimum,
                "rules": encode_rules(binding.rules),
                "changed_by": binding.changed_by,
                # What was shared before is not for the new settings. ``changed_at`` says when they began.
                "seen_ts": "",
            }
            self._save(connection, binding.workspace, binding.channel, values)

        await self._database.write(work)

    async def all(self, workspace: WorkspaceId) -> tuple[ChannelBinding, ...]:
        """Return all bindings of a workspace, by channel. ``database`` is None if it was deleted since."""
        query = _SET.where(_columns.workspace == workspace)
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return tuple(sorted(map(_binding_of, rows), key=lambda binding: binding.channel))

    async def claim_offer(self, workspace: WorkspaceId, channel: str) -> bool:
        """Return True to the first caller only, because a channel is offered a database once."""
        offered = select(_columns.offered_at).where(_columns.workspace == workspace, _columns.channel == channel)

        def work(connection: Connection) -> bool:
            take_advisory_locks(connection, "channel", [f"{workspace} {channel}"])
            if connection.execute(offered).scalar() is not None:
                return False
            self._save(connection, workspace, channel, {"offered_at": self._clock()})
            return True

        return await self._database.write(work)

    async def forget_workspace(self, workspace: WorkspaceId) -> None:
        """Delete all bindings of a workspace."""

        def work(connection: Connection) -> None:
            connection.execute(delete(channel_bindings).where(_columns.workspace == workspace))

        await self._database.write(work)

    def _save(self, connection: Connection, workspace: WorkspaceId, channel: str, values: dict[str, Any]) -> None:
        row = (_columns.workspace == workspace) & (_columns.channel == channel)
        changed = {"changed_at": self._clock(), **values}
        take_advisory_locks(connection, "channel", [f"{workspace} {channel}"])
        if connection.execute(update(channel_bindings).where(row).values(changed)).rowcount == 0:
            new = {"workspace": workspace, "channel": channel, "changed_by": "", **changed}
            connection.execute(insert(channel_bindings).values(new))


def _binding_of(row: Row[Any]) -> ChannelBinding:
    return ChannelBinding(
        workspace=WorkspaceId(row.workspace),
        channel=row.channel,
        mode=ChannelMode(row.mode),
        database=None if row.database is None else DatabaseName(row.database),
        minimum=row.minimum,
        changed_by=row.changed_by,
        rules=decode_rules(row.rules),
    )
