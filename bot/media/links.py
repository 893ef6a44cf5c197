"""Signed, expiring links to pictures. A link gives access to its picture and reveals nothing else."""

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
"""Lifetime in seconds of a link for the hosted service, which fetches the picture within seconds."""

_HEADER = struct.Struct(">BQ")
_STORED, _RELAYED = 1, 2
_DIGEST_BYTES, _RELAY_ID_BYTES = 32, 16
_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,1000}", re.ASCII)


class LinkRefused(UserError):
    """The link is not one of this bot's."""

    def __init__(self) -> None:
        super().__init__("There is no picture here.")


class LinkExpired(UserError):
    """The link is valid but has expired."""

    def __init__(self) -> None:
        super().__init__("This link has expired. Search again for a new one.")


@dataclass(frozen=True, slots=True)
class MediaClaim:
    """A link to a stored picture. The catalogue decides whether the workspace still has it."""

    workspace: WorkspaceId
    digest: str


@dataclass(frozen=True, slots=True)
class RelayClaim:
    """A link to a picture that was lent to the hosted service (see ``RelayedPictures``)."""

    relay_id: str


class MediaLinks:
    """Creates links in plain ASCII and reads them back.

    ``key`` has 32 bytes and is the same in all processes (see ``Keyring``). ``ttl_s`` is the lifetime, in seconds, of
    links to stored pictures. Raises SettingsError if the base URL's host can't be written in ASCII.
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
        """The path of the links on this host, without the token."""
        return httpx.URL(self._base_url).path.rstrip("/") + PATH

    def url(self, workspace: WorkspaceId, digest: str) -> str:
        """Return a link to the stored picture with this digest (64 hex digits)."""
        content = bytes.fromhex(digest) + workspace.encode()
        return self._url(_STORED, self._ttl_s, content)

    def relay_url(self, relay_id: str) -> str:
        """Return a link to a lent picture (its id has 32 hex digits), valid for RELAY_TTL_S."""
        return self._url(_RELAYED, RELAY_TTL_S, bytes.fromhex(relay_id))

    def expired_token(self) -> str:
        """Return the token of a link that has expired. Only processes with the same key can tell that it was ours."""
        return self._url(_RELAYED, 0, bytes(_RELAY_ID_BYTES)).rpartition("/")[2]

    def read(self, token: str) -> MediaClaim | RelayClaim:
        """Return the picture that a token stands for. Raises LinkRefused and LinkExpired."""
        expires, claim = self._decrypt(token)
        if self._clock().timestamp() >= expires:
            raise LinkExpired
        return claim

    def _url(self, kind: int, ttl_s: int, content: bytes) -> str:
        now = int(self._clock().timestamp())
        # Drop the padding, because chat programs don't include a trailing “=” in links.
        token = self._fernet.encrypt_at_time(_HEADER.pack(kind, now + ttl_s) + content, now).decode().rstrip("=")
        return f"{self._base_url}{PATH}{token}"

    def _decrypt(self, token: str) -> tuple[int, MediaClaim | RelayClaim]:
        if not _TOKEN.fullmatch(token):
            raise LinkRefused
        padded = token + "=" * (-len(token) % 4)
        try:
            # Several Base64 texts decode to the same bytes. Accept only the canonical one.
            if base64.urlsafe_b64encode(base64.urlsafe_b64decode(padded)).decode() != padded:
                raise LinkRefused
            payload = self._fernet.decrypt(padded)
            kind, expires = _HEADER.unpack_from(payload)
            return expires, _claim(kind, payload[_HEADER.size :])
        except (InvalidToken, ValueError, struct.error):
            raise LinkRefused from None


def _claim(kind: int, content: bytes) -> MediaClaim | RelayClaim:
    if kind == _STORED and len(content) >= _DIGEST_BYTES:
        return MediaClaim(WorkspaceId(content[_DIGEST_BYTES:].decode()), content[:_DIGEST_BYTES].hex())
    if kind == _RELAYED and len(content) == _RELAY_ID_BYTES:
        return RelayClaim(content.hex())
    raise LinkRefused


def _ascii_url(base_url: str) -> str:
    # The hosted service accepts only ASCII URLs.
    try:
        return str(httpx.URL(base_url))
    except httpx.InvalidURL as error:
        raise SettingsError(("PUBLIC_BASE_URL must have a host name that works in a browser.",)) from error
