"""Bolt's installation and OAuth state stores, in SQL. Tokens are encrypted.

There is one row for each workspace or organisation. No other module below the handlers imports Slack's SDK.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime

from slack_sdk.oauth.installation_store import Bot, Installation
from slack_sdk.oauth.installation_store.async_installation_store import AsyncInstallationStore
from sqlalchemy import ColumnElement, Connection, delete, false, insert, select, update

from bot.storage.slack.token_encryption import TokenCipher
from bot.storage.sql.database import Database
from bot.storage.sql.locks.advisory import take_advisory_locks
from bot.storage.sql.schema.tables import installations

_columns = installations.c
_ORGANISATION = ""
"""The workspace column of an organisation-wide install, for which Slack gives no workspace."""


class SqlInstallations(AsyncInstallationStore):
    """Bolt's installation store.

    It keeps only the newest install of a workspace, because the app requests no user scopes.
    """

    def __init__(
        self, database: Database, cipher: TokenCipher, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._database = database
        self._cipher = cipher
        self._clock = clock
        self._logger = logging.getLogger(__name__)

    @property
    def logger(self) -> logging.Logger:
        """The logger that Bolt uses for this store."""
        return self._logger

    async def async_save(self, installation: Installation) -> None:
        """Save an install. It replaces an earlier one."""
        await self._database.write(lambda connection: self._save(connection, installation))

    async def async_save_bot(self, bot: Bot) -> None:
        """Save a bot's new tokens. Slack's token rotation changes them twice a day."""

        def work(connection: Connection) -> None:
            _lock(connection)
            own = _installed_in(bot.enterprise_id, _workspace(bot.team_id, bot.is_enterprise_install))
            encrypted = connection.execute(select(_columns.sealed).where(own)).scalar()
            known = {"user_id": ""} if encrypted is None else self._decrypt(encrypted).to_dict_for_copying()
            self._save(connection, Installation(**{**known, **bot.to_dict_for_copying()}))

        await self._database.write(work)

    async def save_rotated(self, old: Bot, new: Bot) -> bool:
        """Replace the tokens that were rotated. Return False, and save nothing, if they aren't the stored ones.

        Then the app was uninstalled, or installed again, or another process has rotated the tokens.
        """

        def work(connection: Connection) -> bool:
            _lock(connection)
            own = _installed_in(old.enterprise_id, _workspace(old.team_id, old.is_enterprise_install))
            encrypted = connection.execute(select(_columns.sealed).where(own)).scalar()
            known = None if encrypted is None else self._decrypt(encrypted)
            if known is None or known.bot_refresh_token != old.bot_refresh_token:
                return False
            rotated = Installation(**{**known.to_dict_for_copying(), **new.to_dict_for_copying()})
            # The time of the installation stays, because uninstalls are compared with it.
            return connection.execute(update(installations).where(own).values(sealed=self._seal(rotated))).rowcount > 0

        return await self._database.write(work)

    async def installed_at(self, enterprise: str, workspace: str) -> datetime | None:
        """Return when the app was installed in a workspace, or else in its organisation; None if it is in neither."""
        wanted = _is_row(enterprise, _ORGANISATION) if enterprise else false()
        if workspace:
            wanted |= _columns.workspace == workspace
        query = select(_columns.installed_at).where(wanted).order_by((_columns.workspace == workspace).desc()).limit(1)
        return await self._database.read(lambda connection: connection.execute(query).scalar())

    async def delete_until(self, enterprise: str, workspace: str, moment: datetime) -> bool:
        """Delete an install made until a moment; without ``workspace``, the organisation-wide one.

        Return False if a newer one is there, which stays.
        """
        own = _installed_in(enterprise, workspace)

        def work(connection: Connection) -> bool:
            _lock(connection)
            connection.execute(delete(installations).where(own, _columns.installed_at <= moment))
            return connection.execute(select(_columns.workspace).where(own)).first() is None

        return await self._database.write(work)

    async def async_find_bot(
        self, *, enterprise_id: str | None, team_id: str | None, is_enterprise_install: bool | None = False
    ) -> Bot | None:
        """Return the bot of a workspace, or of its organisation if the app was installed organisation-wide."""
        found = await self._find(enterprise_id, team_id, is_enterprise_install)
        return found.to_bot() if found and found.bot_token else None

    async def async_find_installation(
        self,
        *,
        enterprise_id: str | None,
        team_id: str | None,
        user_id: str | None = None,
        is_enterprise_install: bool | None = False,
    ) -> Installation | None:
        """Return the newest install; with ``user_id``, only if this user made it."""
        found = await self._find(enterprise_id, team_id, is_enterprise_install)
        return found if found and user_id in (None, found.user_id) else None

    async def async_delete_bot(self, *, enterprise_id: str | None, team_id: str | None) -> None:
        """Delete a workspace's install; without ``team_id``, the organisation-wide one."""
        await self._forget(_installed_in(enterprise_id, team_id))

    async def async_delete_installation(
        self, *, enterprise_id: str | None, team_id: str | None, user_id: str | None = None
    ) -> None:
        """Delete a workspace's install; with ``user_id``, only that user's token, not the bot's."""
        wanted = _installed_in(enterprise_id, team_id)
        if user_id is None:
            await self._forget(wanted)
            return

        def work(connection: Connection) -> None:
            _lock(connection)
            for encrypted in connection.execute(select(_columns.sealed).where(wanted)).scalars().all():
                found = self._decrypt(encrypted)
                if found.user_id == user_id and found.user_token is not None:
                    found.user_token = found.user_refresh_token = found.user_token_expires_at = None
                    self._save(connection, found)

        await self._database.write(work)

    async def async_delete_all(self, *, enterprise_id: str | None, team_id: str | None) -> None:
        """Delete a workspace's install; without ``team_id``, the organisation-wide one."""
        await self._forget(_installed_in(enterprise_id, team_id))

    async def check(self) -> None:
        """Raise BackendRefused if the stored installs were encrypted with another secret."""
        query = select(_columns.sealed).limit(1)
        encrypted = await self._database.read(lambda connection: connection.execute(query).scalar())
        if encrypted is not None:
            self._cipher.decrypt(encrypted)

    async def workspaces(self) -> tuple[tuple[str, str], ...]:
        """Return enterprise and workspace of each install. The workspace is empty if it is organisation-wide."""
        query = select(_columns.enterprise, _columns.workspace).order_by(_columns.enterprise, _columns.workspace)
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return tuple((enterprise, workspace) for enterprise, workspace in rows)

    async def _find(self, enterprise: str | None, team: str | None, of_all: bool | None) -> Installation | None:
        workspace = _workspace(team, of_all)
        wanted: ColumnElement[bool] = false()
        if workspace:
            wanted |= _columns.workspace == workspace
        if enterprise:
            wanted |= _is_row(enterprise, _ORGANISATION)
        own_first = select(_columns.sealed).where(wanted).order_by((_columns.workspace == workspace).desc()).limit(1)
        encrypted = await self._database.read(lambda connection: connection.execute(own_first).scalar())
        return None if encrypted is None else self._decrypt(encrypted)

    async def _forget(self, wanted: ColumnElement[bool]) -> None:
        def work(connection: Connection) -> None:
            connection.execute(delete(installations).where(wanted))

        await self._database.write(work)

    def _save(self, connection: Connection, installation: Installation) -> None:
        enterprise = installation.enterprise_id or ""
        workspace = _workspace(installation.team_id, installation.is_enterprise_install)
        values = {"sealed": self._seal(installation), "installed_at": self._clock()}
        _lock(connection)
        # By team id alone, because the workspace may have joined an organisation since the last install.
        connection.execute(delete(installations).where(_installed_in(enterprise, workspace)))
        connection.execute(insert(installations).values(enterprise=enterprise, workspace=workspace, **values))

    def _seal(self, installation: Installation) -> bytes:
        content = json.dumps(installation.to_dict_for_copying(), default=datetime.isoformat)
        return self._cipher.encrypt(content.encode())

    def _decrypt(self, encrypted: bytes) -> Installation:
        content = json.loads(self._cipher.decrypt(encrypted))
        return Installation(**{"user_id": "", **{name: value for name, value in content.items() if value is not None}})


def _lock(connection: Connection) -> None:
    # One lock for all installs: an install may replace that of a workspace or of its organisation. They are rare.
    take_advisory_locks(connection, "installations")


def _workspace(team: str | None, of_all: bool | None) -> str:
    return _ORGANISATION if of_all else team or _ORGANISATION


def _is_row(enterprise: str, workspace: str) -> ColumnElement[bool]:
    return (_columns.enterprise == enterprise) & (_columns.workspace == workspace)


def _installed_in(enterprise: str | None, team: str | None) -> ColumnElement[bool]:
    return _columns.workspace == team if team else _is_row(enterprise or "", _ORGANISATION)
