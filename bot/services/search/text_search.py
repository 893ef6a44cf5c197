"""Search a database by words that are in its pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.domain.catalogue import DatabaseInfo, ImageRecord
from bot.domain.errors import InvalidInput
from bot.domain.identifiers import DatabaseKey
from bot.domain.matches import TextAgreement
from bot.domain.texts import part_numbers, words_of
from bot.services.databases import find_database
from bot.services.search.search import Readers
from bot.storage.ports.catalogue import Catalogue
from bot.storage.ports.texts import PictureTexts

MAX_FOUND = 500
"""Images with some of the words of which those with most are looked at."""

MAX_QUERY = 300
"""Characters of a search. The rest is ignored."""


@dataclass(frozen=True, slots=True)
class TextMatch:
    """An image whose text has some of the words, the lines that have them, and how many of the words they are."""

    record: ImageRecord
    lines: tuple[str, ...]
    agreement: TextAgreement


@dataclass(frozen=True, slots=True)
class TextSearchResult:
    """Images with the words, those with most first."""

    database: DatabaseInfo
    matches: tuple[TextMatch, ...]


class TextSearchService:
    """Finds images by the words that were read from their pictures."""

    def __init__(self, texts: PictureTexts, catalogue: Catalogue) -> None:
        self._texts = texts
        self._catalogue = catalogue

    async def find(
        self, key: DatabaseKey, words: str, *, limit: int, readers: Readers | None = None
    ) -> TextSearchResult:
        """Return up to ``limit`` images with some of the words, those with most first.

        With ``readers``, only images that they may see. Raises UnknownDatabase, InvalidInput and BackendError.
        """
        info = await find_database(self._catalogue, key)
        wanted = query_words(words)
        found = await self._texts.find(key, wanted, MAX_FOUND)
        records = await self._catalogue.records(key, found)
        if readers is not None:
            records = await readers.shown([records[data_id] for data_id in found if data_id in records])
        shown = [data_id for data_id in found if data_id in records][:limit]
        texts = await self._texts.of(key, shown)
        return TextSearchResult(
            info,
            tuple(
                TextMatch(
                    records[data_id],
                    _lines_with(found[data_id], [line.text for line in texts[data_id].lines]),
                    TextAgreement(len(found[data_id]), len(wanted)),
                )
                for data_id in shown
                if data_id in texts
            ),
        )


def query_words(words: str) -> tuple[str, ...]:
    """Return the folded words of a search. A part number is one word. Raises InvalidInput if there are none."""
    wanted: list[str] = []
    for word in words[:MAX_QUERY].split():
        wanted.extend(part_numbers(word) or words_of(word))
    if not wanted:
        raise InvalidInput("Which words? Name some that are in the picture.")
    return tuple(dict.fromkeys(wanted))


def _lines_with(words: frozenset[str], lines: Sequence[str]) -> tuple[str, ...]:
    """Return the lines that have some of the words."""

    def has(line: str) -> bool:
        known = [*words_of(line), *part_numbers(line)]
        return any(word in one for word in words for one in known)

    return tuple(line for line in lines if has(line))
