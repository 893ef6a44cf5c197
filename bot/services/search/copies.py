"""Find an image of which a new picture is a copy, before it is added."""

from __future__ import annotations

import logging

from bot.domain.channels import GUARD_MINIMUM
from bot.domain.errors import BackendError, ModelMismatch, PictureRefused
from bot.domain.identifiers import DatabaseKey
from bot.domain.pictures import Picture
from bot.services.search.grouping import RankedMatch
from bot.services.search.search import DEFAULT_LIMIT, SearchService
from bot.services.search.search_result import Readers

log = logging.getLogger(__name__)


class CopyFinder:
    """Finds the original of an edited copy, or another copy of it."""

    def __init__(self, search: SearchService) -> None:
        self._search = search

    async def find(self, key: DatabaseKey, picture: Picture, readers: Readers | None = None) -> RankedMatch | None:
        """Return the best image of which the picture is a copy, among those that the ``readers`` may see.

        Returns None if there is none, or if the back end can't tell now. Raises UnknownDatabase.
        """
        try:
            found = await self._search.search(
                key, picture, limit=DEFAULT_LIMIT, minimum=GUARD_MINIMUM, readers=readers, by_entity=False
            )
        except (BackendError, ModelMismatch, PictureRefused) as error:
            # A warning is not worth a refusal. If the back end is down or refuses the picture, the add says so.
            log.warning("can't look for copies of a new picture: %s", error)
            return None
        return next((ranked for ranked in found.matches if ranked.match.verdict.is_copy), None)
