"""Names at the service: it has one name space for all teams, so that ours must never meet."""

from __future__ import annotations

import hashlib
import re
import secrets
import time
import unicodedata

from bot.domain.identifiers import DatabaseKey, DataId, Note

_INSTALLATION_DIGITS, _WORKSPACE_DIGITS, _MARKER_BYTES = 6, 8, 4
_READABLE_LENGTH = 39

# Letters, digits, punctuation and Chinese characters are documented; others, such as emoji, are not.
_ACCEPTED_CATEGORIES = frozenset("LMNP")
_VARIATION_SELECTORS = frozenset(map(chr, range(0xFE00, 0xFE10)))


class HostedNaming:
    """Names for one installation of ours. ``key`` is a secret of its own: others on the same account have another."""

    def __init__(self, key: bytes) -> None:
        self._installation = hashlib.sha256(key).hexdigest()[:_INSTALLATION_DIGITS]
        self._ours = re.compile(rf"[a-z0-9_]+_{self._installation}_[0-9a-f]+_[0-9a-f]+", re.ASCII)

    @property
    def entities_begin(self) -> str:
        """How the entities of all our images begin."""
        return f"{self._installation}_"

    def new_prefix(self, key: DatabaseKey) -> str:
        """How the entities of this database begin: whose it is, and a mark that no other has.

        A database that is made again under the same name gets another, so that what is left of the old one never shows.
        """
        workspace = hashlib.sha256(key.workspace.encode()).hexdigest()[:_WORKSPACE_DIGITS]
        return f"{self.entities_begin}{workspace}_{secrets.token_hex(_MARKER_BYTES)}_"

    def new_upstream(self, key: DatabaseKey, prefix: str) -> str:
        """A database of the service's for this one alone (up to 64 of ``a-z 0-9 _``); people know how it begins."""
        return f"{key.name[:_READABLE_LENGTH]}_{prefix.rstrip('_')}"

    def is_ours(self, upstream: str) -> bool:
        """Whether we made this database of the service's, for one of ours alone."""
        return self._ours.fullmatch(upstream) is not None


def is_dedicated(upstream: str, prefix: str) -> bool:
    """Whether the service's database is for the database with this prefix alone."""
    return upstream.endswith(f"_{prefix.rstrip('_')}")


def new_data_id() -> DataId:
    """Unique, and ordered by time; an image's entity at the service is its database's prefix and this."""
    return DataId(f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}")


def encode_note(note: Note) -> str:
    """The note as the service takes it; the ledger keeps it as it is."""
    return "".join(letter if _is_accepted(letter) else " " for letter in note).strip()


def _is_accepted(letter: str) -> bool:
    # Marks belong to letters, but for those that only tell how an emoji is to look.
    category = unicodedata.category(letter)
    return category[0] in _ACCEPTED_CATEGORIES and category != "Me" and letter not in _VARIATION_SELECTORS
