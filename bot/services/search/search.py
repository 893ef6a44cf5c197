"""Search a database with a picture, and join each match with its catalogue record."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bot.adapters.port import VisualSearch
from bot.domain.catalogue import DatabaseInfo, ImageRecord
from bot.domain.errors import InvalidInput, UserError
from bot.domain.identifiers import DatabaseKey, DataId
from bot.domain.matches import MAX_RESULTS, SIMILAR_SCORE, Caveat, Match, Matches, SearchEvidence, validate_limit
from bot.domain.pictures import Picture
from bot.domain.texts import PictureText
from bot.services.databases import find_database, require_in_both
from bot.services.search.exclusions import Exclusions, NoExclusions
from bot.services.search.explanation import log_answer
from bot.services.search.grouping import FoundImage, each_image, group_by_entity
from bot.services.search.learned_scores import NullScoreAdjustment, ScoreAdjustment
from bot.services.search.result_cache import CachedMatches, NullResultCache, ResultCache
from bot.services.search.search_result import Readers, SearchResult
from bot.services.text.ranker import DEPTH, NullTextRanker, TextRanker
from bot.storage.ports.catalogue import Catalogue
from bot.telemetry.metrics import Metrics, NullMetrics
from bot.telemetry.stages import StageTimer

DEFAULT_LIMIT = 10
DEFAULT_MINIMUM = SIMILAR_SCORE
"""Matches below this score are left out unless a request asks for them."""

TOP_SCORE = 10.0

MAX_HIDDEN = 50_000
"""Greatest number of hidden matches that one search passes over. It bounds the search's memory and time."""

DEEPER = 4
"""Factor by which each further search asks for more matches."""

FEWEST_IMAGES = 50
"""Least number of images that a search asks for, since several of them may belong to one entity."""

FIRST_PAGE = 10
"""Entities for which a search goes as deep as the back end allows. For more, it goes DEEPER images for each and stops:
every further search costs as much as the first."""

EXAMINED = 20
"""Matches that back ends examine closely, beginning with the nearest. Hidden ones among them take others' places."""

_NO_RESULTS, _NO_METRICS, _NO_TEXTS = NullResultCache(), NullMetrics(), NullTextRanker()
_NO_EXCLUSIONS, _NO_ADJUSTMENT = NoExclusions(), NullScoreAdjustment()


@dataclass(frozen=True, slots=True)
class _Query:
    """A search of one database.

    ``limit`` is the number of matches that are wanted, and ``images`` the number of images that the back end is asked
    for. Without ``by_entity``, each image is a match. ``text`` is that of the picture, if it is known.
    ``never``: images that somebody said never match the picture.
    """

    info: DatabaseInfo
    picture: Picture
    limit: int
    minimum: float
    images: int
    by_entity: bool
    text: PictureText | None
    never: frozenset[DataId]

    def showable(self, matches: Sequence[Match]) -> list[Match]:
        """Return the matches that may be shown. The others are only counted."""
        examined = EXAMINED if self.text is None else DEPTH
        return [match for place, match in enumerate(matches) if place < examined or match.score >= self.minimum]


@dataclass(frozen=True, slots=True)
class _Found:
    """Visible images with their records, best first, and the hidden ones with at least the minimum score.

    ``visible`` are those that the readers may see for sure. The others are too weak to be shown, and only counted.
    """

    answer: CachedMatches
    matches: Sequence[Match]
    records: Mapping[DataId, ImageRecord]
    visible: frozenset[DataId]
    hidden: Sequence[Match] = ()

    def images(self) -> list[FoundImage]:
        """Return the images with their records."""
        found = [FoundImage(match, self.records.get(match.data_id)) for match in self.matches]
        return [image.seen_as(image.record) if image.record else image for image in found]


def validate_minimum(minimum: float) -> float:
    """Return a minimum score if it is from 0 to 10. Raises InvalidInput."""
    if not 0 <= minimum <= TOP_SCORE:
        raise InvalidInput("`min:` must be a number from 0 to 10.")
    return minimum


async def _with_remark(picture: Picture, result: SearchResult) -> SearchResult:
    """Return the result with a caveat if the picture shows nothing."""
    from bot.images.decode.unusual import detail  # noqa: PLC0415 - NumPy and Pillow, and “--help” imports this module

    if not await asyncio.to_thread(detail.is_flat, picture.pixels):
        return result
    return replace(result, caveats=result.caveats | {Caveat.NOTHING_TO_COMPARE})


class SearchService:
    """Searches databases through the result cache."""

    def __init__(
        self,
        visual: VisualSearch,
        catalogue: Catalogue,
        cache: ResultCache = _NO_RESULTS,
        metrics: Metrics = _NO_METRICS,
        texts: TextRanker = _NO_TEXTS,
        *,
        exclusions: Exclusions = _NO_EXCLUSIONS,
        adjustment: ScoreAdjustment = _NO_ADJUSTMENT,
    ) -> None:
        self._visual = visual
        self._catalogue = catalogue
        self._cache = cache
        self._metrics = metrics
        self._texts = texts
        self._exclusions = exclusions
        self._adjustment = adjustment

    async def search(
        self,
        key: DatabaseKey,
        picture: Picture,
        *,
        limit: int = DEFAULT_LIMIT,
        minimum: float = DEFAULT_MINIMUM,
        readers: Readers | None = None,
        by_entity: bool = True,
        with_text: bool = True,
    ) -> SearchResult:
        """Return the best matches with a score of at least ``minimum``, up to ``limit``.

        The text of the picture takes part if it is known, but not without ``with_text``.

        A match is an entity with its best image and its further ones, or with ``by_entity=False`` a single image.
        With ``readers``, only visible images count: the search goes on below hidden ones.
        Raises UnknownDatabase (with a similar name, if there is one), InvalidInput and BackendError.
        """
        validate_limit(limit)
        validate_minimum(minimum)
        outcome, started = "failed", time.perf_counter()
        try:
            query = await self._query(key, picture, limit, minimum, by_entity=by_entity, with_text=with_text)
            result = await _with_remark(picture, await self._result(query, started, readers))
        except UserError:
            outcome = "refused"
            raise
        else:
            outcome = "found" if result.matches else "nothing"
            log_answer(result)
            return result
        finally:
            self._metrics.searched(outcome, time.perf_counter() - started)

    async def _query(
        self, key: DatabaseKey, picture: Picture, limit: int, minimum: float, *, by_entity: bool, with_text: bool
    ) -> _Query:
        info = await find_database(self._catalogue, key)
        text = await self._texts.text_of(key, picture) if with_text else None
        deep = FEWEST_IMAGES if by_entity else 0 if text is None else DEPTH
        images = max(limit, min(deep, self._most))
        never = await self._exclusions.of(info, picture)
        return _Query(info, picture, limit, minimum, images, by_entity, text, never)

    @property
    def _most(self) -> int:
        """The greatest number of images that the back end returns."""
        return min(MAX_RESULTS, self._visual.capabilities.max_results)

    async def _result(self, query: _Query, started: float, readers: Readers | None) -> SearchResult:
        timer = StageTimer()
        found = await self._found(query, readers)
        while self._needs_more(query, found):
            query = replace(query, images=min(query.images * DEEPER, self._most))
            found = await self._found(query, readers)
        timer.end("search")
        # After what the readers may not see is gone: the lead over a hidden image would tell of it.
        found = replace(found, matches=await self._adjustment.adjusted(query.info, found.matches))
        timer.end("learned scores")
        if query.text is not None:
            found = replace(found, matches=await self._by_text(query.info.key, query.text, found, readers))
        timer.end("text")
        minimum, images = query.minimum, found.images()
        grouped = group_by_entity(images, minimum, found.visible) if query.by_entity else each_image(images, minimum)
        weaker, caveats, evidence = grouped.weaker, found.answer.matches.caveats, found.answer.matches.evidence
        return SearchResult(
            query.info,
            grouped.matches[: query.limit],
            len(weaker),
            time.perf_counter() - started,
            hidden=_count_hidden(query, found),
            cached_at=found.answer.cached_at,
            weaker_records=tuple(image.record for image in weaker if image.record),
            # Matches that were crowded out score lower than any weaker match here, so no shown match is missing.
            caveats=caveats - ({Caveat.SETTLING, Caveat.CROWDED_OUT} if weaker else {Caveat.SETTLING}),
            cause=found.answer.matches.cause,
            with_text=query.text is not None,
            evidence=SearchEvidence(evidence.candidates, evidence.stages + timer.stages),
        )

    async def _by_text(
        self, key: DatabaseKey, text: PictureText, found: _Found, readers: Readers | None
    ) -> list[Match]:
        """Return the matches in the order that their texts suggest. The text of no hidden image lifts it or another."""
        visible = [match for match in found.matches if match.data_id in found.visible]
        others = [match for match in found.matches if match.data_id not in found.visible]
        # Words that only hidden images have are as rare as if there were none.
        ranked = await self._texts.rank(key, text, visible, None if readers is None else await readers.visible(key))
        return sorted([*ranked, *others], key=lambda match: -match.score)

    def _needs_more(self, query: _Query, found: _Found) -> bool:
        """Return whether further images may be of further entities with at least the minimum score."""
        matches = found.matches
        if not query.by_entity or len(matches) < query.images or query.images >= self._most:
            return False
        entities = len({match.entity.key for match in matches})
        wanted = query.limit if query.images < query.limit * DEEPER else min(query.limit, FIRST_PAGE)
        return entities < wanted and matches[-1].score >= query.minimum

    async def _found(self, query: _Query, readers: Readers | None) -> _Found:
        answer = await self._matches(query)
        showable = frozenset(match.data_id for match in query.showable(answer.matches))
        found = _Found(answer, answer.matches, await self._records(query.info.key, answer.matches), showable)
        return found if readers is None else await self._only_visible(query, found, readers)

    async def _only_visible(self, query: _Query, found: _Found, readers: Readers) -> _Found:
        """Return the best ``images`` visible ones.

        If hidden images are among the matches, search again without all hidden ones. If there are too many of those to
        name them, go on without the ones found, and ask for more each time, until none of them scores ``minimum``.
        """
        excluded: set[DataId] = set()
        asked = query.images
        hidden: list[Match] = []
        while True:
            matches, records, is_first = found.matches, found.records, not excluded
            showable = query.showable(matches)
            shown = await readers.shown([records[match.data_id] for match in showable if match.data_id in records])
            passed = [match for match in showable if match.data_id not in shown]
            above = [match for match in passed if match.score >= query.minimum]
            hidden += [match for match in above if match.data_id in records]
            excluded.update(match.data_id for match in passed)
            all_examined = len(matches) < min(asked, EXAMINED)
            if all_examined or not (above or (passed and is_first)) or len(excluded) > MAX_HIDDEN:
                kept = [match for match in matches if match.data_id not in excluded]
                return _Found(found.answer, kept[: query.images], {**records, **shown}, frozenset(shown), hidden)
            if is_first:
                excluded |= await readers.hidden(query.info.key)
            # Not cached: what is hidden differs between readers.
            asked = min(max(query.images, asked * DEEPER), self._most)
            deeper = await self._search(query, asked, frozenset(excluded))
            found = replace(
                found, answer=CachedMatches(deeper), matches=deeper, records=await self._records(query.info.key, deeper)
            )

    async def _records(self, key: DatabaseKey, found: Matches) -> Mapping[DataId, ImageRecord]:
        # Always read the records from the catalogue: privacy depends on them, so they must not come from the cache.
        return await self._catalogue.records(key, [match.data_id for match in found]) if found else {}

    async def _matches(self, query: _Query) -> CachedMatches:
        info = query.info
        # Each write changes the revision. created_at tells apart two databases that had the same name.
        key = (info.key, info.created_at, info.revision, query.picture.digest, query.images)
        return await self._cache.get(key, lambda: self._search(query, query.images))

    async def _search(self, query: _Query, limit: int, exclude: frozenset[DataId] = frozenset()) -> Matches:
        key = query.info.key
        async with require_in_both(self._visual, self._catalogue, key):
            return await self._visual.search(key, query.picture, limit, exclude | query.never)


def _count_hidden(query: _Query, found: _Found) -> int:
    """Return how many matches are hidden altogether. An entity with a visible image is not hidden."""
    if not query.by_entity:
        return len(found.hidden)
    visible = {match.entity.key for match in found.matches if match.score >= query.minimum}
    return len({match.entity.key for match in found.hidden} - visible)
