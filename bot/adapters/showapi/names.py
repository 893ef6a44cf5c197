"""Names of databases and images at the service. All workspaces share one account, so names must never collide."""

from __future__ import annotations

import hashlib
import re
import secrets
import time
import unicodedata

from bot.domain.identifiers import DatabaseKey, DataId, Note

_INSTALLATION_DIGITS, _WORKSPACE_DIGITS, _MARKER_BYTES = 6, 8, 4
_READABLE_LENGTH = 39

# The service documents letters, digits, punctuation and Chinese characters, but no others, such as emoji.
_ACCEPTED_CATEGORIES = frozenset("LMNP")
_VARIATION_SELECTORS = frozenset(map(chr, range(0xFE00, 0xFE10)))


class HostedNaming:
    """Makes names for one installation. ``key`` is its secret; other installations on the same account have others."""

    def __init__(self, key: bytes) -> None:
        self._installation = hashlib.sha256(key).hexdigest()[:_INSTALLATION_DIGITS]
        self._ours = re.compile(rf"[a-z0-9_]+_{self._installation}_[0-9a-f]+_[0-9a-f]+", re.ASCII)

    @property
    def installation_prefix(self) -> str:
        """The prefix of the entities of all our images at the service."""
        return f"{self._installation}_"

    def new_prefix(self, key: DatabaseKey) -> str:
        """Return a prefix for the entities of a new database: installation, workspace and a random part.

        A database that is created again under the same name gets a new prefix, so images of the old one never show.
        """
        workspace = hashlib.sha256(key.workspace.encode()).hexdigest()[:_WORKSPACE_DIGITS]
        return f"{self.installation_prefix}{workspace}_{secrets.token_hex(_MARKER_BYTES)}_"

    def new_upstream(self, key: DatabaseKey, prefix: str) -> str:
        """Return a name for a dedicated upstream database: up to 64 of ``a-z 0-9 _``, first the database's own name."""
        return f"{key.name[:_READABLE_LENGTH]}_{prefix.rstrip('_')}"

    def is_ours(self, upstream: str) -> bool:
        """Return whether this installation created the upstream database for one of its databases."""
        return self._ours.fullmatch(upstream) is not None


def is_dedicated(upstream: str, prefix: str) -> bool:
    """Return whether the upstream database belongs only to the database with this prefix."""
    return upstream.endswith(f"_{prefix.rstrip('_')}")


def new_data_id() -> DataId:
    """Return a unique id that sorts by creation time. The database's prefix and the id are the upstream entity."""
    return DataId(f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}")


def encode_note(note: Note) -> str:
    """Return the note with characters that the service may reject replaced by spaces. The ledger keeps the original."""
    return "".join(letter if _is_accepted(letter) else " " for letter in note).strip()


def _is_accepted(letter: str) -> bool:
    # Combining marks are part of letters. Enclosing marks and variation selectors only style emoji.
    category = unicodedata.category(letter)
    return category[0] in _ACCEPTED_CATEGORIES and category != "Me" and letter not in _VARIATION_SELECTORS
