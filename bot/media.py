"""Signed, expiring links to stored pictures: who holds one may see that picture, and learns nothing else from it."""

from __future__ import annotations

import base64
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography.fernet import Fernet, InvalidToken

from bot.errors import UserError
from bot.models import WorkspaceId

PATH = "/media/"

_HEAD = struct.Struct(">BQ32s")
_VERSION = 1
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
    """What a good link stands for. Whether the workspace still has the picture is to be asked of the catalogue."""

    workspace: WorkspaceId
    digest: str


class MediaLinks:
    """Makes the links and reads them back. ``key``: 32 bytes, the same in all processes (``Keyring``)."""

    def __init__(
        self, base_url: str, key: bytes, ttl_s: int, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._fernet = Fernet(base64.urlsafe_b64encode(key))
        self._ttl_s = ttl_s
        self._clock = clock

    def url(self, workspace: WorkspaceId, digest: str, *, ttl_s: int | None = None) -> str:
        """A link to the picture of that digest (64 hex digits)."""
        now = int(self._clock().timestamp())
        expires = now + (self._ttl_s if ttl_s is None else ttl_s)
        claim = _HEAD.pack(_VERSION, expires, bytes.fromhex(digest)) + workspace.encode()
        # Without its padding: chat programs leave a trailing “=” out of links.
        token = self._fernet.encrypt_at_time(claim, now).decode().rstrip("=")
        return f"{self._base_url}{PATH}{token}"

    def read(self, token: str) -> MediaClaim:
        """What the token stands for. Raises LinkRefused, LinkExpired."""
        expires, claim = self._opened(token)
        if self._clock().timestamp() >= expires:
            raise LinkExpired
        return claim

    def _opened(self, token: str) -> tuple[int, MediaClaim]:
        if not _TOKEN.fullmatch(token):
            raise LinkRefused
        padded = token + "=" * (-len(token) % 4)
        try:
            # Base64 can be written in several ways; ours is one of them.
            if base64.urlsafe_b64encode(base64.urlsafe_b64decode(padded)).decode() != padded:
                raise LinkRefused
            claim = self._fernet.decrypt(padded)
            version, expires, digest = _HEAD.unpack_from(claim)
            workspace = claim[_HEAD.size :].decode()
        except (InvalidToken, ValueError, struct.error):
            raise LinkRefused from None
        if version != _VERSION:
            raise LinkRefused
        return expires, MediaClaim(WorkspaceId(workspace), digest.hex())
