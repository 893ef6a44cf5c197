"""Signed, expiring links to pictures: who holds one may see that picture, and learns nothing else from it."""

from __future__ import annotations

import base64
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx
from cryptography.fernet import Fernet, InvalidToken

from bot.domain.errors import SettingsError, UserError
from bot.domain.identifiers import WorkspaceId

PATH = "/media/"

RELAY_TTL_S = 300
"""Life of a link through which the hosted service fetches a picture; it does so within seconds."""

_HEAD = struct.Struct(">BQ")
_STORED, _RELAYED = 1, 2
_DIGEST_BYTES, _RELAY_ID_BYTES = 32, 16
_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,1000}", re.ASCII)


class LinkRefused(UserError):
    """Not a link that this bot made."""

    def __init__(self) -> None:
        super().__init__("There is no picture here.")


class LinkExpired(UserError):
    """The link was good once."""

    def __init__(self) -> None:
        super().__init__("This link has expired. Search again for a new one.")


@dataclass(frozen=True, slots=True)
class MediaClaim:
    """A stored picture. Whether the workspace still has it is to be asked of the catalogue."""

    workspace: WorkspaceId
    digest: str


@dataclass(frozen=True, slots=True)
class RelayClaim:
    """A picture that was put there for one to fetch (``RelayedPictures``)."""

    relay_id: str


class MediaLinks:
    """Makes the links, in plain ASCII, and reads them back. ``key``: 32 bytes, the same in all processes (``Keyring``).

    Raises SettingsError for a base URL whose host can't be written in ASCII.
    """

    def __init__(
        self, base_url: str, key: bytes, ttl_s: int, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._base_url = _ascii_url(base_url).rstrip("/")
        self._fernet = Fernet(base64.urlsafe_b64encode(key))
        self._ttl_s = ttl_s
        self._clock = clock

    @property
    def path(self) -> str:
        """Where the links lead on this host, up to the token."""
        return httpx.URL(self._base_url).path.rstrip("/") + PATH

    def url(self, workspace: WorkspaceId, digest: str) -> str:
        """A link to the stored picture of that digest (64 hex digits)."""
        content = bytes.fromhex(digest) + workspace.encode()
        return self._url(_STORED, self._ttl_s, content)

    def relay_url(self, relay_id: str) -> str:
        """A link to a relayed picture (32 hex digits), good for RELAY_TTL_S."""
        return self._url(_RELAYED, RELAY_TTL_S, bytes.fromhex(relay_id))

    def read(self, token: str) -> MediaClaim | RelayClaim:
        """What the token stands for. Raises LinkRefused, LinkExpired."""
        expires, claim = self._decrypt(token)
        if self._clock().timestamp() >= expires:
            raise LinkExpired
        return claim

    def _url(self, kind: int, ttl_s: int, content: bytes) -> str:
        now = int(self._clock().timestamp())
        # Without its padding: chat programs leave a trailing “=” out of links.
        token = self._fernet.encrypt_at_time(_HEAD.pack(kind, now + ttl_s) + content, now).decode().rstrip("=")
        return f"{self._base_url}{PATH}{token}"

    def _decrypt(self, token: str) -> tuple[int, MediaClaim | RelayClaim]:
        if not _TOKEN.fullmatch(token):
            raise LinkRefused
        padded = token + "=" * (-len(token) % 4)
        try:
            # Base64 can be written in several ways; ours is one of them.
            if base64.urlsafe_b64encode(base64.urlsafe_b64decode(padded)).decode() != padded:
                raise LinkRefused
            sealed = self._fernet.decrypt(padded)
            kind, expires = _HEAD.unpack_from(sealed)
            return expires, _claim(kind, sealed[_HEAD.size :])
        except (InvalidToken, ValueError, struct.error):
            raise LinkRefused from None


def _claim(kind: int, content: bytes) -> MediaClaim | RelayClaim:
    if kind == _STORED and len(content) >= _DIGEST_BYTES:
        return MediaClaim(WorkspaceId(content[_DIGEST_BYTES:].decode()), content[:_DIGEST_BYTES].hex())
    if kind == _RELAYED and len(content) == _RELAY_ID_BYTES:
        return RelayClaim(content.hex())
    raise LinkRefused


def _ascii_url(base_url: str) -> str:
    # The hosted service can't read any other address.
    try:
        return str(httpx.URL(base_url))
    except httpx.InvalidURL as error:
        raise SettingsError(("PUBLIC_BASE_URL must have a host name that works in a browser.",)) from error
