"""OAuth states, signed so that issuing one writes nothing. Only states that installed something are stored."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import struct
from collections.abc import Callable
from datetime import UTC, datetime

from sqlalchemy import Connection, delete, insert, select

from bot.storage.sql.database import Database
from bot.storage.sql.locks.advisory import take_advisory_locks
from bot.storage.sql.schema.tables import oauth_states

_columns = oauth_states.c
_EXPIRES = struct.Struct(">Q")
_NONCE_BYTES = 16
_PURPOSE = b"vsearch: OAuth state\0"
_LENGTH = 75
"""Characters of a state: 8 bytes of time, 16 random ones and 32 of HMAC, in Base64."""


class SignedOAuthStates:
    """Has the methods of Bolt's state store.

    A state has its time of expiry and an HMAC-SHA256 with ``key``, which all processes share. Anybody can request
    states, so issuing and checking one write nothing. A state is stored when an installation has used it up, until it
    expires.
    """

    def __init__(
        self,
        database: Database,
        key: bytes,
        expiration_seconds: int = 600,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database = database
        self._key = key
        self._lifetime_s = expiration_seconds
        self._clock = clock

    async def async_issue(self, *_: object, **__: object) -> str:
        """Create and return a state."""
        expires = int(self._clock().timestamp()) + self._lifetime_s
        content = _EXPIRES.pack(expires) + secrets.token_bytes(_NONCE_BYTES)
        return base64.urlsafe_b64encode(content + self._signature(content)).decode().rstrip("=")

    async def async_consume(self, state: str) -> bool:
        """Return whether a state was issued, is not expired and has not been used up. Writes nothing."""
        if self._expires_at(state) is None:
            return False
        query = select(_columns.state).where(_columns.state == state)
        return await self._database.read(lambda connection: connection.execute(query).scalar()) is None

    async def use_up(self, state: str) -> bool:
        """Store that an installation used this state. Return False if another one has used it already."""
        expires_at = self._expires_at(state)
        if expires_at is None:
            return False

        def work(connection: Connection) -> bool:
            take_advisory_locks(connection, "oauth_states", [state])
            connection.execute(delete(oauth_states).where(_columns.expires_at <= self._clock()))
            if connection.execute(select(_columns.state).where(_columns.state == state)).scalar() is not None:
                return False
            connection.execute(insert(oauth_states).values(state=state, expires_at=expires_at))
            return True

        return await self._database.write(work)

    def _expires_at(self, state: str) -> datetime | None:
        """Return when one of our states expires; None if it is not ours or has expired."""
        if len(state) != _LENGTH or not state.isascii():
            return None
        try:
            decoded = base64.b64decode(f"{state}=", altchars=b"-_", validate=True)
        except ValueError:
            return None
        content, signature = decoded[: _EXPIRES.size + _NONCE_BYTES], decoded[_EXPIRES.size + _NONCE_BYTES :]
        # Several Base64 texts decode to the same bytes. Only the one that was issued counts, so that it works once.
        is_canonical = base64.urlsafe_b64encode(decoded).decode().rstrip("=") == state
        if not is_canonical or not hmac.compare_digest(signature, self._signature(content)):
            return None
        expires_at = datetime.fromtimestamp(_EXPIRES.unpack_from(content)[0], UTC)
        return expires_at if expires_at > self._clock() else None

    def _signature(self, content: bytes) -> bytes:
        return hmac.new(self._key, _PURPOSE + content, hashlib.sha256).digest()
