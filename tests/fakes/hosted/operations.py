"""The seven operations, as they should work."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Awaitable, Callable

from tests.fakes.hosted.answers import envelope
from tests.fakes.hosted.databases import DEFAULT_ROWS, ROWS_AT_MOST, Databases, ListingRequest, row
from tests.fakes.hosted.forms import number
from tests.fakes.hosted.pictures import ADD_AT_MOST, SEARCH_AT_MOST, Pictures, scores
from tests.fakes.hosted.values import Json, Operation

MATCHES_AT_MOST = 200
FOREVER = 999_999_999

Form = dict[str, str]


class Operations:
    """The operations. ``matches_at_most``: the newer documentation says 200, the OpenAPI file 1,000."""

    def __init__(self, databases: Databases, pictures: Pictures, matches_at_most: int = MATCHES_AT_MOST) -> None:
        self.databases = databases
        self.pictures = pictures
        self.matches_at_most = matches_at_most
        self._do: dict[Operation, Callable[[Form], Awaitable[Json]]] = {
            "create": self._create,
            "databases": self._databases,
            "drop": self._drop,
            "add": self._add,
            "list": self._list,
            "delete": self._delete,
            "search": self._search,
        }

    async def do(self, operation: Operation, form: Form) -> Json:
        """Run an operation, and return the whole answer. Raises Refused."""
        body = await self._do[operation](form)
        return envelope(body | {"RequestId": str(uuid.uuid4()).upper(), "remark": "成功", "ret_code": 0}, fee=1)

    async def _create(self, form: Form) -> Json:
        self.databases.create(form["Name"])
        return {}

    async def _databases(self, form: Form) -> Json:
        return {"Data": {"DbList": [{"Name": name} for name in self.databases.by_name]}}

    async def _drop(self, form: Form) -> Json:
        self.databases.drop(form["Name"])
        return {}

    async def _add(self, form: Form) -> Json:
        name, url = form["DbName"], form["ImageUrl"]
        self.databases.named(name)
        thumbnail = await self.pictures.thumbnail(url, ADD_AT_MOST)
        image = self.databases.add(name, form["EntityId"], form["ExtraData"], url, thumbnail)
        return {"Data": {"DataId": image.data_id}}

    async def _list(self, form: Form) -> Json:
        request = ListingRequest(
            offset=number(form, "Offset", 0, FOREVER),
            limit=number(form, "Limit", 1, ROWS_AT_MOST) or DEFAULT_ROWS,
            token=form.get("Token"),
            order=form.get("Order", "asc"),
            prefix=form.get("EntityIdPrefix", ""),
        )
        rows, total, token = self.databases.named(form["DbName"]).page(request)
        listed: Json = {"TotalCount": total, "ImageList": [row(image) for image in rows]}
        return {"Data": listed | ({"Token": token} if token else {})}

    async def _delete(self, form: Form) -> Json:
        self.databases.delete(form["DbName"], form["EntityId"])
        return {}

    async def _search(self, form: Form) -> Json:
        database = self.databases.named(form["DbName"])
        limit = number(form, "Limit", 1, self.matches_at_most)
        wanted = await self.pictures.thumbnail(form["ImageUrl"], SEARCH_AT_MOST)
        images = database.visible()
        found = zip(images, scores(wanted, images).tolist(), strict=True)
        best = sorted(found, key=lambda item: (-item[1], item[0].number))[:limit]
        matches = [
            {
                "DataId": image.data_id,
                "ImageUrl": image.url,
                "ExtraData": image.extra,
                "Score": score,
                "EntityId": image.entity,
            }
            for image, score in best
        ]
        return {"Data": {"MatchList": _shuffled(matches)}}


def _shuffled(matches: list[Json]) -> list[Json]:
    """Shuffle the matches reproducibly, never with the best match first if scores differ."""
    mixed = sorted(matches, key=lambda match: hashlib.sha256(match["DataId"].encode()).digest())
    given = [match["Score"] for match in mixed]
    return mixed[::-1] if given == sorted(given, reverse=True) else mixed
