"""Authentication: maps each ``appKey`` to a workspace of its own."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable

from bot.api.errors import GatewayCode, GatewayRefused
from bot.domain.identifiers import API_WORKSPACE_PREFIX, WorkspaceId

_DIGITS = 16


class ApiKeys:
    """The accepted keys."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._workspaces = tuple((_digest(key), workspace_of(key)) for key in keys)

    def workspace(self, app_key: str | None) -> WorkspaceId:
        """Return the workspace of a key, in constant time. Raises GatewayRefused for a missing or unknown key."""
        if not app_key:
            raise GatewayRefused(GatewayCode.KEY_MISSING, "appKey is missing. Send it in the query of the URL.")
        given = _digest(app_key)
        found = None
        for digest, workspace in self._workspaces:
            if hmac.compare_digest(digest, given):
                found = workspace
        if found is None:
            raise GatewayRefused(GatewayCode.KEY_UNKNOWN, "This appKey is unknown.")
        return found


def workspace_of(key: str) -> WorkspaceId:
    """Return the workspace of a key, which contains its databases only."""
    return WorkspaceId(f"{API_WORKSPACE_PREFIX}{_digest(key).hex()[:_DIGITS]}")


def _digest(key: str) -> bytes:
    # A query may hold half of a surrogate pair.
    return hashlib.sha256(key.encode(errors="surrogatepass")).digest()
