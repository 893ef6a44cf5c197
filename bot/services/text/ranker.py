"""The port through which a search uses texts, and its implementation over the stored texts."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Protocol

from cachetools import TTLCache

from bot.domain.channels import VisibleOrigins
from bot.domain.identifiers import DatabaseKey, DataId
from bot.domain.matches import Match
from bot.domain.pictures import Picture
from bot.domain.texts import PictureText
from bot.services.text.query_texts import QueryTexts
from bot.services.text.ranking import ComparedText, Rarity, rank
from bot.storage.ports.texts import PictureTexts

DEPTH = 50
"""Matches of the back end that texts may bring up."""

SAMPLE = 1000
"""Newest texts of a database from which the rarity of trigrams is counted."""

RARITIES, RARITY_S = 50, 600.0
"""Databases and readers for which rarities are remembered, and for how long, in seconds."""

HAVE_TEXTS_S = 30.0
"""How long it is remembered whether a database has texts at all, in seconds."""


class TextRanker(Protocol):
    """Re-orders matches by the words in the pictures."""

    async def text_of(self, key: DatabaseKey, picture: Picture) -> PictureText | None:
        """Return the query's text if it is known and not empty. It is not read for that."""
        ...

    async def rank(
        self, key: DatabaseKey, text: PictureText, matches: Sequence[Match], visible: VisibleOrigins | None = None
    ) -> Sequence[Match]:
        """Return the matches in the order that their texts suggest, with new scores and verdicts.

        With ``visible``, the rarity of words is counted from images with such an origin.
        """
        ...


class NullTextRanker:
    """A ``TextRanker`` that knows no texts."""

    async def text_of(self, key: DatabaseKey, picture: Picture) -> PictureText | None:  # noqa: ARG002 - the port's
        """Return None."""
        return None

    async def rank(  # noqa: D102 - see the port
        self,
        key: DatabaseKey,  # noqa: ARG002 - the port's
        text: PictureText,  # noqa: ARG002
        matches: Sequence[Match],
        visible: VisibleOrigins | None = None,  # noqa: ARG002
    ) -> Sequence[Match]:
        return matches


class StoredTextRanker:
    """Ranks with the texts of stored pictures, which the background reading has read."""

    def __init__(self, texts: PictureTexts, queries: QueryTexts) -> None:
        self._texts = texts
        self._queries = queries
        self._have_texts: TTLCache[DatabaseKey, bool] = TTLCache(RARITIES, HAVE_TEXTS_S)
        self._rarities: TTLCache[tuple[DatabaseKey, VisibleOrigins | None], Rarity] = TTLCache(RARITIES, RARITY_S)

    async def text_of(self, key: DatabaseKey, picture: Picture) -> PictureText | None:
        """Return the query's text if it was read lately, or for an image of the database."""
        # The image's own text comes first: another reading of the same picture could seem to differ.
        text = await self._texts.of_picture(key, picture.digest) or self._queries.known(picture.digest)
        return text if text is not None and text.lines else None

    async def needs_text(self, key: DatabaseKey, picture: Picture) -> bool:
        """Return whether reading a query could change anything: its text isn't known, and some images have text."""
        if self._queries.known(picture.digest) is not None or not await self._has_texts(key):
            return False
        return await self._texts.of_picture(key, picture.digest) is None

    async def _has_texts(self, key: DatabaseKey) -> bool:
        found = self._have_texts.get(key)
        if found is None:
            # In a large database of photos without text, this looks at every row.
            found = self._have_texts[key] = bool(await self._texts.sample(key, 1))
        return found

    async def rank(
        self, key: DatabaseKey, text: PictureText, matches: Sequence[Match], visible: VisibleOrigins | None = None
    ) -> Sequence[Match]:
        """Return the matches in the order that their texts suggest, with new scores and verdicts."""
        stored = await self._texts.of(key, [match.data_id for match in matches])
        if not any(one.lines for one in stored.values()):
            return matches
        rarity = self._rarities.get((key, visible))
        if rarity is None:
            sample = await self._texts.sample(key, SAMPLE, visible)
            rarity = self._rarities[key, visible] = await asyncio.to_thread(_rarity, sample)
        return await asyncio.to_thread(_rank, text, matches, stored, rarity)


def _rarity(texts: Sequence[PictureText]) -> Rarity:
    return Rarity.of(map(ComparedText.of, texts))


def _rank(
    text: PictureText, matches: Sequence[Match], stored: Mapping[DataId, PictureText], rarity: Rarity
) -> list[Match]:
    prepared = {data_id: ComparedText.of(one) for data_id, one in stored.items() if one.lines}
    return rank(ComparedText.of(text), matches, prepared, rarity)
