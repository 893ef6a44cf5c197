"""A feature extractor that returns prepared features, so that a benchmark measures everything but the embedding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bot.adapters.embedded.ports import ImageFeatures, QueryFeatures
from bot.domain.matches import PictureRegion
from bot.domain.pictures import Picture

_NO_IMAGE = ImageFeatures(np.zeros(0, np.float32), b"", b"")
_NO_QUERY = QueryFeatures(np.zeros((0, 0), np.float32), np.zeros((0, 32), np.uint8), ())


@dataclass(slots=True)
class PreparedExtractor:
    """Satisfies ``FeatureExtractor`` with the same features for every picture. No picture has regions, as most."""

    model_id: str
    dimensions: int
    image: ImageFeatures = _NO_IMAGE
    query: QueryFeatures = _NO_QUERY

    async def extract(self, picture: Picture) -> ImageFeatures:
        """Return the prepared features of an image."""
        del picture
        return self.image

    async def extract_query(self, picture: Picture) -> QueryFeatures:
        """Return the prepared features of a query."""
        del picture
        return self.query

    async def propose_regions(self, picture: Picture) -> tuple[PictureRegion, ...]:
        """Return no regions."""
        del picture
        return ()

    async def extract_regions(self, picture: Picture, regions: Sequence[PictureRegion]) -> tuple[QueryFeatures, ...]:
        """Return the prepared features of a query for each region."""
        del picture
        return (self.query,) * len(regions)
