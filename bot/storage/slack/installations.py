"""Who installed the app, for Bolt: tokens lie sealed, one row a workspace or organisation.

The only room below the handlers that knows Slack's SDK.
"""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from slack_sdk.oauth.installation_store import Bot, Installation
from slack_sdk.oauth.installation_store.async_installation_store import AsyncInstallationStore
from slack_sdk.oauth.state_store.async_state_store import AsyncOAuthStateStore
from sqlalchemy import ColumnElement, Connection, delete, false, insert, select

from bot.storage.slack.token_encryption import TokenCipher
from bot.storage.sql.advisory_locks import take_advisory_locks
from bot.storage.sql.database import Database
from bot.storage.sql.schema.tables import installations, oauth_states

_columns = installations.c
_ORGANISATION = ""
"""The workspace of an Enterprise Grid organisation's own row: Slack gives it none."""


class SqlInstallations(AsyncInstallationStore):
    """Bolt's installation store. The app asks for no user's scopes, so a workspace's newest install says it all."""

    def __init__(
        self, database: Database, cipher: TokenCipher, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._database = database
        self._cipher = cipher
        self._clock = clock
        self._logger = logging.getLogger(__name__)

    @property
    def logger(self) -> logging.Logger:
        """Where Bolt writes about this store."""
        return self._logger

    async def async_save(self, installation: Installation) -> None:
        """Keep an install, in place of an earlier one."""
        await self._database.write(lambda connection: self._save(connection, installation))

    async def async_save_bot(self, bot: Bot) -> None:
        """Keep a bot's new tokens; Slack's token rotation changes them twice a day."""

        def work(connection: Connection) -> None:
            _lock(connection)
            own = _installed_in(bot.enterprise_id, _workspace(bot.team_id, bot.is_enterprise_install))
            encrypted = connection.execute(select(_columns.sealed).where(own)).scalar()
            known = {"user_id": ""} if encrypted is None else self._decrypt(encrypted).to_dict_for_copying()
            self._save(connection, Installation(**{**known, **bot.to_dict_for_copying()}))

        await self._database.write(work)

    async def async_find_bot(
        self, *, enterprise_id: str | None, team_id: str | None, is_enterprise_install: bool | None = False
    ) -> Bot | None:
        """The bot of a workspace; of its organisation, if that installed the app for all."""
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
        """The newest install; with a user, only if it is theirs."""
        found = await self._find(enterprise_id, team_id, is_enterprise_install)
        return found if found and user_id in (None, found.user_id) else None

    async def async_delete_bot(self, *, enterprise_id: str | None, team_id: str | None) -> None:
        """Forget a workspace's tokens, or with no workspace those of the organisation's own install."""
        await self._forget(_installed_in(enterprise_id, team_id))

    async def async_delete_installation(
        self, *, enterprise_id: str | None, team_id: str | None, user_id: str | None = None
    ) -> None:
        """The same; with a user only their own token: the bot's stays."""
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
        """Forget all of a workspace (or of an organisation's own install)."""
        await self._forget(_installed_in(enterprise_id, team_id))

    async def check(self) -> None:
        """Raises BackendRefused if what is kept was sealed with another secret."""
        query = select(_columns.sealed).limit(1)
        encrypted = await self._database.read(lambda connection: connection.execute(query).scalar())
        if encrypted is not None:
            self._cipher.decrypt(encrypted)

    async def workspaces(self) -> tuple[tuple[str, str], ...]:
        """Enterprise and workspace of each install; the second is empty for an organisation's own."""
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
        content = json.dumps(installation.to_dict_for_copying(), default=datetime.isoformat)
        values = {"sealed": self._cipher.encrypt(content.encode()), "installed_at": self._clock()}
        _lock(connection)
        # A team id is one workspace's wherever it is: it may have joined an organisation since the last install.
        connection.execute(delete(installations).where(_installed_in(enterprise, workspace)))
        connection.execute(insert(installations).values(enterprise=enterprise, workspace=workspace, **values))

    def _decrypt(self, encrypted: bytes) -> Installation:
        content = json.loads(self._cipher.decrypt(encrypted))
        return Installation(**{"user_id": "", **{name: value for name, value in content.items() if value is not None}})


class SqlOAuthStates(AsyncOAuthStateStore):
    """Bolt's state store: what Slack has to bring back from the page where the app is installed."""

    def __init__(
        self,
        database: Database,
        expiration_seconds: int = 600,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database = database
        self._life = timedelta(seconds=expiration_seconds)
        self._clock = clock
        self._logger = logging.getLogger(__name__)

    @property
    def logger(self) -> logging.Logger:
        """Where Bolt writes about this store."""
        return self._logger

    async def async_issue(self, *_: object, **__: object) -> str:
        """A new state, good for one use."""
        state = secrets.token_urlsafe(32)
        now = self._clock()

        def work(connection: Connection) -> None:
            connection.execute(delete(oauth_states).where(oauth_states.c.expires_at <= now))
            connection.execute(insert(oauth_states).values(state=state, expires_at=now + self._life))

        await self._database.write(work)
        return state

    async def async_consume(self, state: str) -> bool:
        """Whether the state is one of ours, not used and not too old; it is used now."""
        used = delete(oauth_states).where(oauth_states.c.state == state).returning(oauth_states.c.expires_at)
        expires_at = await self._database.write(lambda connection: connection.execute(used).scalar())
        return expires_at is not None and expires_at > self._clock()


def _lock(connection: Connection) -> None:
    # All installs together: one may take the place of a workspace's own, or of its organisation's. They are rare.
    take_advisory_locks(connection, "installations")


def _workspace(team: str | None, of_all: bool | None) -> str:
    return _ORGANISATION if of_all else team or _ORGANISATION


def _is_row(enterprise: str, workspace: str) -> ColumnElement[bool]:
    return (_columns.enterprise == enterprise) & (_columns.workspace == workspace)


def _installed_in(enterprise: str | None, team: str | None) -> ColumnElement[bool]:
    return _columns.workspace == team if team else _is_row(enterprise or "", _ORGANISATION)
