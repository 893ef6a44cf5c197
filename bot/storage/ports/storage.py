"""The storage port: all other ports, and transactions over them."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from bot.storage.ports.catalogue import Catalogue
from bot.storage.ports.inbox import Inbox
from bot.storage.ports.pictures import PictureStore
from bot.storage.ports.slack import ChannelBindings, Thumbnails


class Keyring(Protocol):
    """Random secrets that all processes on one database share."""

    async def key(self, name: str) -> bytes:
        """32 random bytes, made when first asked for."""
        ...


class Storage(Protocol):
    """One place of durable data: its ports, and transactions over them."""

    @property
    def catalogue(self) -> Catalogue:
        """The catalogue."""
        ...

    @property
    def pictures(self) -> PictureStore:
        """The pictures."""
        ...

    @property
    def bindings(self) -> ChannelBindings:
        """What was set for channels."""
        ...

    @property
    def inbox(self) -> Inbox:
        """Work that waits."""
        ...

    @property
    def thumbnails(self) -> Thumbnails:
        """What was uploaded to Slack."""
        ...

    @property
    def keyring(self) -> Keyring:
        """Shared secrets."""
        ...

    def unit(self) -> AbstractAsyncContextManager[None]:
        """All writes awaited inside are one transaction, committed at the end; errors of theirs may show there."""
        ...

    async def ping(self) -> None:
        """Return if storage can be read and written. Raises BackendError."""
        ...

    async def close(self) -> None:
        """Let go of files and threads."""
        ...
