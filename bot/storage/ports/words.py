"""The port of the words by which images are found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from bot.domain.channels import VisibleOrigins
from bot.domain.find_words import Term
from bot.domain.identifiers import DatabaseKey, DataId


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
