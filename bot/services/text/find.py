"""Find images by words: of their ids, notes and file names, and of the text in their pictures."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

from bot.domain.catalogue import DatabaseInfo, ImageRecord
from bot.domain.channels import VisibleOrigins
from bot.domain.errors import UnknownDatabase
from bot.domain.find_words import Term, terms_of
from bot.domain.identifiers import DatabaseKey, DataId
from bot.domain.texts import PictureText
from bot.services.databases import find_database
from bot.services.text.found_words import WordMatch, match_words
from bot.storage.ports.catalogue import Catalogue
from bot.storage.ports.texts import ImageWords, PictureTexts

MAX_FOUND = 100
"""Images that a search finds at most, over all of its pages."""

MAX_ROUNDS = 5
"""How often a search is repeated because channels, which were public when their images were added, are closed now."""

CONCURRENCY = 4
"""Databases that one question searches at the same time."""


class WordReaders(Protocol):
    """What the reader of an answer may see."""

    async def shown(self, records: Sequence[ImageRecord]) -> Mapping[DataId, ImageRecord]:
        """Return those images that they may see, with only the origins that they may see."""
        ...

    async def visible(self, key: DatabaseKey) -> VisibleOrigins:
        """Return which origins of a database they may see, by stored kinds where a channel was public."""
        ...


@dataclass(frozen=True, slots=True)
class FindResult:
    """The images that have the words of a question, best first.

    ``databases`` are those that were searched. ``is_cut``: there may be more than MAX_FOUND.
    """

    databases: tuple[DatabaseInfo, ...]
    matches: tuple[WordMatch, ...]
    is_cut: bool = False


class FindService:
    """Finds images of one database or of several."""

    def __init__(self, words: ImageWords, texts: PictureTexts, catalogue: Catalogue) -> None:
        self._words = words
        self._texts = texts
        self._catalogue = catalogue

    async def find(
        self,
        keys: Sequence[DatabaseKey],
        question: str,
        *,
        readers: WordReaders | None = None,
        limit: int = MAX_FOUND,
    ) -> FindResult:
        """Return up to ``limit`` images, from all databases together.

        With ``readers``, only what they may see counts. A database that was deleted meanwhile is left out, unless it is
        the only one. Raises InvalidInput without words, UnknownDatabase and BackendError.
        """
        terms_of(question)
        slots = asyncio.Semaphore(CONCURRENCY)

        async def one(key: DatabaseKey) -> tuple[DatabaseInfo, list[WordMatch], bool] | None:
            async with slots:
                try:
                    return await self._find_in(key, question, readers, limit)
                except UnknownDatabase:
                    if len(keys) == 1:
                        raise
                    return None

        found = [some for some in await asyncio.gather(*map(one, keys)) if some is not None]
        every = sorted((match for _, matches, _ in found for match in matches), key=lambda match: match.order)
        # An image that has all words comes alone: others would only be noise below it.
        most = max((match.agreeing for match in every), default=0)
        kept = [match for match in every if match.agreeing == match.words or most < match.words]
        is_cut = len(kept) > limit or any(cut for _, _, cut in found)
        return FindResult(tuple(info for info, _, _ in found), tuple(kept[:limit]), is_cut)

    async def _find_in(
        self, key: DatabaseKey, question: str, readers: WordReaders | None, limit: int
    ) -> tuple[DatabaseInfo, list[WordMatch], bool]:
        info = await find_database(self._catalogue, key)
        search = partial(self._matches, key, question.strip(), limit)
        terms, parts = terms_of(question), terms_of(question, in_parts=True)
        matches, is_cut = await search(terms, readers=readers)
        if parts != terms and all(match.agreeing < match.words for match in matches):
            further, is_further_cut = await search(parts, readers=readers)
            # A part number of which only the beginning agrees is another one.
            if further := [match for match in further if match.agreeing == match.words]:
                return info, further, is_further_cut
        return info, matches, is_cut

    async def _matches(
        self, key: DatabaseKey, whole: str, limit: int, terms: Sequence[Term], *, readers: WordReaders | None
    ) -> tuple[list[WordMatch], bool]:
        visible = None if readers is None else await readers.visible(key)
        for _ in range(MAX_ROUNDS):
            ids = await self._words.find(key, terms, visible, limit + 1, whole)
            if not ids:
                return [], False
            records = await self._catalogue.records(key, ids)
            seen = dict(records)
            if readers is not None and visible is not None:
                seen = dict(await readers.shown([records[data_id] for data_id in ids if data_id in records]))
                if closed := _closed(records, seen) & visible.channels:
                    # These were public when the images were added. Their words may have brought up other images.
                    visible = replace(visible, channels=visible.channels - closed)
                    continue
            break
        texts = await self._texts.of(key, list(seen))
        # In a thread: 100 pictures full of text take more than a second.
        return await asyncio.to_thread(_match_all, terms, seen, texts), len(ids) > limit


def _match_all(
    terms: Sequence[Term], records: Mapping[DataId, ImageRecord], texts: Mapping[DataId, PictureText]
) -> list[WordMatch]:
    found = (match_words(terms, record, texts.get(data_id)) for data_id, record in records.items())
    return [match for match in found if match is not None]


def _closed(records: Mapping[DataId, ImageRecord], seen: Mapping[DataId, ImageRecord]) -> frozenset[str]:
    """Return the conversations of origins that the readers don't see."""
    return frozenset(
        origin.slack.channel
        for data_id, record in records.items()
        for origin in record.origins
        if origin.slack is not None and (data_id not in seen or origin not in seen[data_id].origins)
    )
