"""Second stage of a search: if the whole query proves nothing, search its parts, such as the panels of a collage."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from bot.adapters.embedded.ports import FeatureExtractor, QueryFeatures
from bot.domain.matches import Match, Matches, PictureRegion
from bot.domain.pictures import Picture
from bot.images.features.regions.picture_regions import as_part

BATCH = 4
"""Parts that are extracted together. After a batch that proves something, the others are left out."""

PART_CANDIDATES = 5
"""Candidates of a part that are verified. A copy of a part is nearly always among the first two."""

PART_LIMIT = 20
"""Matches of a part that are looked at. Only proved ones count, and no more candidates than this are verified."""

FindPart = Callable[[QueryFeatures], Awaitable[Matches]]
"""Searches with the features of a part."""


async def add_matches_of_parts(
    whole: Matches, picture: Picture, limit: int, extractor: FeatureExtractor, find_part: FindPart
) -> Matches:
    """Return the matches of the whole query with those that its parts prove, best first, up to ``limit``.

    Likeness alone counts for the whole only: among many parts, one is always like something.
    """
    if any(match.verdict.is_copy for match in whole):
        return whole
    regions = await extractor.propose_regions(picture)
    for start in range(0, len(regions), BATCH):
        batch = regions[start : start + BATCH]
        parts = zip(batch, await extractor.extract_regions(picture, batch), strict=True)
        proved = [match for region, features in parts for match in await _proved(region, features, find_part)]
        if proved:
            return _merged(whole, proved, limit)
    return whole


async def _proved(region: PictureRegion, features: QueryFeatures, find_part: FindPart) -> list[Match]:
    found = await find_part(features)
    return [replace(match, part=as_part(region)) for match in found if match.verdict.is_copy]


def _merged(whole: Matches, proved: Sequence[Match], limit: int) -> Matches:
    best = {match.data_id: match for match in whole}
    for match in proved:
        known = best.get(match.data_id)
        if known is None or known.score < match.score:
            best[match.data_id] = match
    # The sort is stable, so matches with equal scores keep the order of the search.
    ranked = sorted(best.values(), key=lambda match: -match.score)[:limit]
    return Matches(ranked, whole.caveats, whole.cause, whole.evidence)
