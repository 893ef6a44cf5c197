"""The port of a reader of text in pictures, and the reader of installations that read none."""

from __future__ import annotations

from typing import Protocol

from bot.domain.pictures import Picture
from bot.domain.texts import PictureText


class TextReader(Protocol):
    """Reads text in pictures, one at a time and at low priority."""

    @property
    def is_available(self) -> bool:
        """Whether it reads anything. If not, every text is empty."""
        ...

    async def read(self, picture: Picture) -> PictureText:
        """Return the text of a picture. It waits for pictures that came earlier. Raises TextUnreadable."""
        ...

    async def close(self) -> None:
        """Wait for the picture that is being read, and stop."""
        ...


class TextUnreadable(Exception):
    """The reader failed on a picture, and would fail on it again."""


class NullTextReader:
    """A ``TextReader`` that reads nothing."""

    is_available = False

    async def read(self, picture: Picture) -> PictureText:  # noqa: ARG002 - the port's
        """Return no text."""
        return PictureText()

    async def close(self) -> None:
        """Do nothing."""
