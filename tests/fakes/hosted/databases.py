"""The databases, in memory, with the paging of the real service."""

from __future__ import annotations

import base64
import json
import time
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.hosted.values import Json, StoredImage, Thumbnail, illegal

CAPACITY = 50_000
BY_OFFSET = 2_000
"""Offset and Limit reach this many rows. Further rows need a token."""

FIRST_DATA_ID = 1_585_903_814_940_000
DEFAULT_ROWS = 10
ROWS_AT_MOST = 200
DESCENDING = {"asc": False, "desc": True}


@dataclass(frozen=True, slots=True)
class ListingRequest:
    """The parameters of a list request, unparsed."""

    offset: int | None
    limit: int
    token: str | None
    order: str
    prefix: str


@dataclass
class Database:
    """One database."""

    name: str
    images: list[StoredImage] = field(default_factory=list)

    def visible(self) -> list[StoredImage]:
        """Return the visible images, oldest first."""
        now = time.monotonic()
        return [image for image in self.images if image.hidden_for <= 0 and image.visible_at <= now]

    def page(self, request: ListingRequest) -> tuple[list[StoredImage], int, str]:
        """Return the rows, the total that can be listed, and the token of the next page. Raises UpstreamRefused."""
        fitting = [image for image in self.visible() if image.entity.startswith(request.prefix)]
        fitting.sort(key=lambda image: image.number, reverse=DESCENDING[request.order])
        for image in self.images:
            image.hidden_for -= 1
        start = self._start(request, fitting)
        rows = fitting[start : start + request.limit]
        after = rows[-1].number if rows else None
        token = self._token(request, after) if rows else ""
        return rows, len(fitting), token

    def _start(self, request: ListingRequest, fitting: list[StoredImage]) -> int:
        if request.token is None:
            offset = request.offset or 0
            if offset + request.limit > BY_OFFSET:
                raise illegal(f"Offset and Limit reach the first {BY_OFFSET} rows only; use Token.")
            return offset
        if request.offset:
            raise illegal("Offset and Token exclude each other.")
        after = self._after(request)
        if DESCENDING[request.order]:
            return sum(image.number >= after for image in fitting)
        return sum(image.number <= after for image in fitting)

    def _token(self, request: ListingRequest, after: int | None) -> str:
        parts = [self.name, request.order, request.prefix, after]
        return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode()

    def _after(self, request: ListingRequest) -> int:
        try:
            parts: list[Any] = json.loads(base64.urlsafe_b64decode(request.token or ""))
        except ValueError:
            raise illegal("The Token is illegal.") from None
        if not isinstance(parts, list) or parts[:3] != [self.name, request.order, request.prefix]:
            raise illegal("The Token is of another listing.")
        return int(parts[3])


@dataclass
class Databases:
    """The databases of an account. ``at_most``: maximum number of databases; ``capacity``: maximum images in each.

    ``hide_for`` and ``hide_s``: how long new images stay hidden, in listings and in seconds.
    """

    at_most: int | None = None
    capacity: int = CAPACITY
    by_name: dict[str, Database] = field(default_factory=dict)
    hide_for: int = 0
    hide_s: float = 0.0
    given: int = 0

    def create(self, name: str) -> None:
        """Create a database. Raises UpstreamRefused."""
        if name in self.by_name:
            raise illegal(f"The database {name} already exists.")
        if self.at_most is not None and len(self.by_name) >= self.at_most:
            raise illegal("The number of databases has reached the limit.")
        self.by_name[name] = Database(name)

    def named(self, name: str) -> Database:
        """Return a database by name. Raises UpstreamRefused."""
        if name not in self.by_name:
            # The real service does not say what is invalid.
            raise illegal("The specified argument is illegal.")
        return self.by_name[name]

    def drop(self, name: str) -> None:
        """Delete a database. Raises UpstreamRefused."""
        del self.by_name[self.named(name).name]

    def add(self, name: str, entity: str, extra: str, url: str, thumbnail: Thumbnail) -> StoredImage:
        """Add an image. Raises UpstreamRefused."""
        database = self.named(name)
        if len(database.images) >= self.capacity:
            raise illegal("The number of images has reached the limit.")
        self.given += 1
        image = StoredImage(
            number=self.given,
            data_id=str(FIRST_DATA_ID + self.given),
            entity=entity,
            extra=extra,
            url=url,
            thumbnail=thumbnail,
            created_ms=time.time_ns() // 1_000_000,
            hidden_for=self.hide_for,
            visible_at=time.monotonic() + self.hide_s,
        )
        database.images.append(image)
        return image

    def delete(self, name: str, entity: str) -> None:
        """Delete all images of an entity, which may have none. Raises UpstreamRefused."""
        database = self.named(name)
        database.images = [image for image in database.images if image.entity != entity]


def row(image: StoredImage) -> Json:
    """Return an image as a row of a listing, without picture and address."""
    return {
        "DataId": image.data_id,
        "EntityId": image.entity,
        "ExtraData": image.extra,
        "CreatedAt": image.created_ms,
        "UpdatedAt": image.created_ms,
    }
