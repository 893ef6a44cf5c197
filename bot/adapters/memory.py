"""The reference back end for tests and trials. It keeps everything in this process's memory and stores nothing."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from bot.adapters.port import Capabilities
from bot.domain.errors import DatabaseExists, InvalidInput, UnknownDatabase
from bot.domain.identifiers import DatabaseKey, DatabaseName, DataId, EntityId, Note, WorkspaceId, entity_key
from bot.domain.matches import MAX_RESULTS, Match, Matches, Verdict, validate_limit
from bot.domain.pages import ListedImage, Order, Page, PageRequest
from bot.domain.pictures import Picture

GRID = 16
"""Sampled pixels on each side of a thumbnail."""

SAME_SCORE, MAX_SIMILAR_SCORE = 10.0, 8.9
"""Score of identical pixels, and greatest score of all other pictures."""


@dataclass(frozen=True, slots=True, eq=False)
class _Image:
    number: int
    listed: ListedImage
    digest: str
    thumbnail: npt.NDArray[np.float32]


class MemorySearch:
    """Satisfies ``adapters.port.VisualSearch`` by correlating small thumbnails."""

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._clock = clock
        self._databases: dict[DatabaseKey, dict[DataId, _Image]] = {}
        self._added = 0

    @property
    def capabilities(self) -> Capabilities:
        """The capabilities of this back end."""
        return Capabilities("memory", MAX_RESULTS, deletes_single_images=True, needs_public_url=False)

    async def create_database(self, database: DatabaseKey) -> None:
        """Create an empty database. Raises DatabaseExists."""
        if database in self._databases:
            raise DatabaseExists(database.name)
        self._databases[database] = {}

    async def list_databases(self, workspace: WorkspaceId) -> tuple[DatabaseName, ...]:
        """Return the names of the workspace's databases, sorted."""
        return tuple(sorted(key.name for key in self._databases if key.workspace == workspace))

    async def delete_database(self, database: DatabaseKey) -> None:
        """Delete a database and all its images permanently."""
        self._images_of(database)
        del self._databases[database]

    async def add_image(
        self, database: DatabaseKey, picture: Picture, entity: EntityId, note: Note, data_id: DataId | None = None
    ) -> DataId:
        """Add a picture and return its data id. If ``data_id`` exists, nothing changes."""
        images = self._images_of(database)
        if data_id in images:
            return images[data_id].listed.data_id
        self._added += 1
        now = self._clock()
        listed = ListedImage(data_id or DataId(f"{self._added:012d}"), entity, note, now, now)
        images[listed.data_id] = _Image(self._added, listed, picture.digest, _thumbnail(picture))
        return listed.data_id

    async def list_images(self, database: DatabaseKey, request: PageRequest) -> Page[ListedImage]:
        """Return a page of the database's images. Raises InvalidInput for an invalid page token."""
        images = [
            image
            for image in self._images_of(database).values()
            if image.listed.entity.key.startswith(entity_key(request.entity_prefix))
        ]
        total = len(images)
        newest_first = request.order is Order.NEWEST_FIRST
        images.sort(key=lambda image: image.number, reverse=newest_first)
        if request.token is None:
            images = images[request.offset :]
        else:
            last = _last_number(request.token, database, request)
            images = [image for image in images if (image.number < last if newest_first else image.number > last)]
        shown = images[: request.limit]
        token = _token(shown[-1].number, database, request) if len(images) > len(shown) else None
        return Page(tuple(image.listed for image in shown), total, token)

    async def delete_images(self, database: DatabaseKey, entity: EntityId, data_id: DataId | None = None) -> int:
        """Delete the images of an entity, or only ``data_id``. Returns how many were deleted."""
        images = self._images_of(database)
        to_delete = [
            found
            for found, image in images.items()
            if image.listed.entity.key == entity.key and data_id in {None, found}
        ]
        for found in to_delete:
            del images[found]
        return len(to_delete)

    async def rename_images(self, database: DatabaseKey, data_ids: Collection[DataId], entity: EntityId) -> int:
        """Give images another id. Returns how many there are."""
        images = self._images_of(database)
        found = [data_id for data_id in data_ids if data_id in images]
        for data_id in found:
            listed = replace(images[data_id].listed, entity=entity, updated_at=self._clock())
            images[data_id] = replace(images[data_id], listed=listed)
        return len(found)

    async def search(
        self, database: DatabaseKey, picture: Picture, limit: int = 10, exclude: Collection[DataId] = ()
    ) -> Matches:
        """Return up to ``limit`` (1 to 1000) matches, best first, without ``exclude``. Raises InvalidInput."""
        validate_limit(limit)
        thumbnail = _thumbnail(picture)
        hidden = frozenset(exclude)
        matches = [
            _match(image, picture, thumbnail)
            for data_id, image in self._images_of(database).items()
            if data_id not in hidden
        ]
        return Matches(sorted(matches, key=lambda match: (-match.score, match.data_id))[:limit])

    async def inventory(self, database: DatabaseKey) -> frozenset[DataId]:
        """Return the data ids of all images."""
        return frozenset(self._images_of(database))

    async def ping(self) -> None:
        """Return at once; this back end is always available."""

    def _images_of(self, key: DatabaseKey) -> dict[DataId, _Image]:
        if key not in self._databases:
            raise UnknownDatabase(key.name)
        return self._databases[key]


def _thumbnail(picture: Picture) -> npt.NDArray[np.float32]:
    """Return GRID × GRID × 3 sampled values (flat, float32), centred and of norm 1. A dot product is a correlation."""
    rows = np.linspace(0, picture.height - 1, GRID).round().astype(int)
    columns = np.linspace(0, picture.width - 1, GRID).round().astype(int)
    points = picture.pixels[rows][:, columns].astype(np.float32).ravel()
    points -= points.mean()
    norm = float(np.linalg.norm(points))
    normalised: npt.NDArray[np.float32] = points / norm if norm else points
    return normalised


def _match(image: _Image, picture: Picture, thumbnail: npt.NDArray[np.float32]) -> Match:
    listed = image.listed
    if image.digest == picture.digest:
        return Match(listed.data_id, listed.entity, listed.note, SAME_SCORE, Verdict.SAME, aligned=True)
    correlation = min(max(float(image.thumbnail @ thumbnail), 0.0), 1.0)
    return Match(listed.data_id, listed.entity, listed.note, MAX_SIMILAR_SCORE * correlation)


def _listing(database: DatabaseKey, request: PageRequest) -> list[str]:
    return [database.workspace, database.name, request.order.value, entity_key(request.entity_prefix)]


def _token(number: int, database: DatabaseKey, request: PageRequest) -> str:
    return base64.urlsafe_b64encode(json.dumps([number, *_listing(database, request)]).encode()).decode()


def _last_number(token: str, database: DatabaseKey, request: PageRequest) -> int:
    try:
        number, *listing = json.loads(base64.urlsafe_b64decode(token.encode("ascii")))
    except (ValueError, TypeError):
        number, listing = None, []
    if type(number) is not int or listing != _listing(database, request):
        raise InvalidInput("This page token belongs to another listing. Start again from the first page.")
    return number
