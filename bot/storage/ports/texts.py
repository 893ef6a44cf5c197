"""The ports of the texts of stored pictures, and of the words by which images are found."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from bot.domain.channels import VisibleOrigins
from bot.domain.find_words import Term
from bot.domain.identifiers import DatabaseKey, DataId
from bot.domain.texts import PictureText, TextCounts


@dataclass(frozen=True, slots=True)
class ClaimedText:
    """A picture whose text this process reads. ``attempts`` counts the claims, of which the last may be given up."""

    image_id: int
    digest: str
    attempts: int


class PictureTexts(Protocol):
    """The texts of images. They are deleted with their image, in the same transaction."""

    async def claim(self, after: int = 0) -> ClaimedText | None:
        """Claim an image without a text: one whose claim has expired, or the next with an id above ``after``.

        No other process gets it until the claim expires. A picture that was claimed too often is marked as unreadable.
        Images whose picture was read for another image get its text at once.
        """
        ...

    async def finish(self, claim: ClaimedText, text: PictureText) -> None:
        """Store a text for all images with the picture. Images that were deleted meanwhile get none."""
        ...

    async def give_up(self, claim: ClaimedText) -> None:
        """Mark a picture as unreadable. It is not tried again."""
        ...

    async def release(self, claim: ClaimedText) -> None:
        """Let the picture be claimed again, because the attempt failed for a reason of its own."""
        ...

    async def of(self, key: DatabaseKey, data_ids: Collection[DataId]) -> Mapping[DataId, PictureText]:
        """Return the texts of images that were read. Raises UnknownDatabase."""
        ...

    async def of_picture(self, key: DatabaseKey, digest: str) -> PictureText | None:
        """Return the text of a picture if the database has it and it was read. Raises UnknownDatabase."""
        ...

    async def sample(
        self, key: DatabaseKey, limit: int, visible: VisibleOrigins | None = None
    ) -> Sequence[PictureText]:
        """Return the texts of up to ``limit`` images, newest first, without empty ones.

        With ``visible``, only of images that have such an origin. Raises UnknownDatabase.
        """
        ...

    async def counts(self) -> TextCounts:
        """Return how far the reading of all databases is."""
        ...


class ImageWords(Protocol):
    """The words of images: of their ids, notes and file names by origin, and of the text in their pictures.

    They are written with what they are from, and deleted with it, in the same transaction.
    """

    async def find(
        self, key: DatabaseKey, question: Sequence[Term], visible: VisibleOrigins | None, limit: int, whole: str = ""
    ) -> Sequence[DataId]:
        """Return up to ``limit`` images that have all of the words, or else some of them.

        With ``visible``, words count only where such an origin has them; those in a picture, if the image has any.
        Of more than ``limit`` images, those whose id is ``whole``, the question as it was typed, and those with the
        very words are kept, and the newest of the others. Only if the reader finds nothing, words that are similar or
        have one of the question inside count. Raises UnknownDatabase.
        """
        ...
