"""Signed, expiring links to pictures and to pages of entities. A link reveals nothing else."""

from __future__ import annotations

import base64
import json
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx
from cryptography.fernet import Fernet, InvalidToken

from bot.domain.channels import ChannelKind
from bot.domain.errors import InvalidInput, SettingsError, UserError
from bot.domain.identifiers import DatabaseKey, DatabaseName, EntityId, WorkspaceId

PATH = "/media/"
ENTITY_PATH = "/e/"

RELAY_TTL_S = 300
"""Lifetime in seconds of a link for the hosted service, which fetches the picture within seconds."""

_HEADER = struct.Struct(">BQ")
_STORED, _RELAYED, _ENTITY = 1, 2, 3
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


@dataclass(frozen=True, slots=True)
class EntityClaim:
    """A link to the page of an entity, which shows what everybody in one conversation may see.

    ``channel`` is where the link was offered, empty for no conversation; ``kind`` is the channel's kind at that time.
    """

    database: DatabaseKey
    entity: EntityId
    channel: str
    kind: ChannelKind


class MediaLinks:
    """Creates links in plain ASCII and reads them back.

    ``key`` has 32 bytes and is the same in all processes (see ``Keyring``). ``ttl_s`` is the lifetime, in seconds, of
    links to stored pictures and entities. Raises SettingsError if the base URL's host can't be written in ASCII.
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
        """The path of the links to pictures on this host, without the token."""
        return httpx.URL(self._base_url).path.rstrip("/") + PATH

    @property
    def entity_path(self) -> str:
        """The path of the links to entities on this host, without the token."""
        return httpx.URL(self._base_url).path.rstrip("/") + ENTITY_PATH

    def url(self, workspace: WorkspaceId, digest: str) -> str:
        """Return a link to the stored picture with this digest (64 hex digits)."""
        return f"{self._base_url}{PATH}{self.picture_token(workspace, digest, self._ttl_s)}"

    def picture_token(self, workspace: WorkspaceId, digest: str, ttl_s: int) -> str:
        """Return the token of a link to a stored picture that is valid for ``ttl_s`` seconds."""
        return self._token(_STORED, ttl_s, bytes.fromhex(digest) + workspace.encode())

    def entity_url(self, claim: EntityClaim) -> str:
        """Return a link to the page of an entity."""
        key = claim.database
        content = json.dumps([key.workspace, key.name, claim.entity, claim.channel, claim.kind], ensure_ascii=False)
        return f"{self._base_url}{ENTITY_PATH}{self._token(_ENTITY, self._ttl_s, content.encode())}"

    def entity_token(self, url: str) -> str:
        """Return the token of a URL that leads to a page of an entity here; empty for any other URL."""
        start = f"{self._base_url}{ENTITY_PATH}"
        return url.removeprefix(start) if url.startswith(start) else ""

    def relay_url(self, relay_id: str) -> str:
        """Return a link to a lent picture (its id has 32 hex digits), valid for RELAY_TTL_S."""
        return f"{self._base_url}{PATH}{self._token(_RELAYED, RELAY_TTL_S, bytes.fromhex(relay_id))}"

    def expired_token(self) -> str:
        """Return the token of a link that has expired. Only processes with the same key can tell that it was ours."""
        return self._token(_RELAYED, 0, bytes(_RELAY_ID_BYTES))

    def read(self, token: str) -> MediaClaim | RelayClaim:
        """Return the picture that a token stands for. Raises LinkRefused and LinkExpired."""
        claim = self._read(token)
        if isinstance(claim, EntityClaim):
            raise LinkRefused
        return claim

    def read_entity(self, token: str) -> EntityClaim:
        """Return the entity that a token stands for. Raises LinkRefused and LinkExpired."""
        claim = self._read(token)
        if not isinstance(claim, EntityClaim):
            raise LinkRefused
        return claim

    def _read(self, token: str) -> MediaClaim | RelayClaim | EntityClaim:
        expires, claim = self._decrypt(token)
        if self._clock().timestamp() >= expires:
            raise LinkExpired
        return claim

    def _token(self, kind: int, ttl_s: int, content: bytes) -> str:
        now = int(self._clock().timestamp())
        # Drop the padding, because chat programs don't include a trailing “=” in links.
        return self._fernet.encrypt_at_time(_HEADER.pack(kind, now + ttl_s) + content, now).decode().rstrip("=")

    def _decrypt(self, token: str) -> tuple[int, MediaClaim | RelayClaim | EntityClaim]:
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
        except (InvalidToken, InvalidInput, ValueError, struct.error):
            raise LinkRefused from None


def _claim(kind: int, content: bytes) -> MediaClaim | RelayClaim | EntityClaim:
    if kind == _STORED and len(content) >= _DIGEST_BYTES:
        return MediaClaim(WorkspaceId(content[_DIGEST_BYTES:].decode()), content[:_DIGEST_BYTES].hex())
    if kind == _RELAYED and len(content) == _RELAY_ID_BYTES:
        return RelayClaim(content.hex())
    if kind == _ENTITY:
        workspace, name, entity, channel, channel_kind = json.loads(content)
        key = DatabaseKey(WorkspaceId(workspace), DatabaseName(name))
        return EntityClaim(key, EntityId(entity), channel, ChannelKind(channel_kind))
    raise LinkRefused


def _ascii_url(base_url: str) -> str:
    # The hosted service accepts only ASCII URLs.
    try:
        return str(httpx.URL(base_url))
    except httpx.InvalidURL as error:
        raise SettingsError(("PUBLIC_BASE_URL must have a host name that works in a browser.",)) from error
