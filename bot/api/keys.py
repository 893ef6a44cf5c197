"""Who calls: ``appKey`` to the workspace that is the key's own."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable

from bot.api.errors import GatewayCode, GatewayRefused
from bot.domain.identifiers import API_WORKSPACE_PREFIX, WorkspaceId

_DIGITS = 16


class ApiKeys:
    """The keys that are accepted."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._known = tuple((_digest(key), workspace_of(key)) for key in keys)

    def workspace(self, app_key: str | None) -> WorkspaceId:
        """The workspace of a key. Raises GatewayRefused; how long it takes tells nothing of the keys."""
        if not app_key:
            raise GatewayRefused(GatewayCode.KEY_MISSING, "appKey is missing: it belongs in the query.")
        given = _digest(app_key)
        found = None
        for digest, workspace in self._known:
            if hmac.compare_digest(digest, given):
                found = workspace
        if found is None:
            raise GatewayRefused(GatewayCode.KEY_UNKNOWN, "This appKey is not known here.")
        return found


def workspace_of(key: str) -> WorkspaceId:
    """Each key's databases are apart from all others'."""
    return WorkspaceId(f"{API_WORKSPACE_PREFIX}{_digest(key).hex()[:_DIGITS]}")


def _digest(key: str) -> bytes:
    # A query may hold half of a surrogate pair.
    return hashlib.sha256(key.encode(errors="surrogatepass")).digest()
