"""The seven operations. Each takes the caller's workspace and the form's fields, and returns the response's body."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime

from bot.adapters.port import VisualSearch
from bot.api.entities import is_mapped, portable
from bot.api.errors import CallRefused, SearchCode
from bot.api.form_fields import FormFields
from bot.api.limits import MAX_ADD_BYTES, MAX_OFFSET, MAX_PAGE, MAX_RESULTS, MAX_SEARCH_BYTES, ApiLimits
from bot.api.pictures import ApiPictureReader
from bot.api.ports import ApiStorage
from bot.domain.identifiers import DatabaseKey, EntityId, WorkspaceId
from bot.domain.matches import Match
from bot.domain.pages import ListedImage, PageRequest

Body = Mapping[str, object]
Operation = Callable[[WorkspaceId, FormFields], Awaitable[Body]]

DEFAULT_PAGE = 20

_DONE: Body = {}


class Operations:
    """Implements the operations on a back end. The catalogue doesn't contain the API's databases."""

    def __init__(
        self, visual: VisualSearch, storage: ApiStorage, picture_reader: ApiPictureReader, limits: ApiLimits
    ) -> None:
        self._visual = visual
        self._storage = storage
        self._picture_reader = picture_reader
        self._limits = limits

    async def create_database(self, workspace: WorkspaceId, fields: FormFields) -> Body:
        """2475-1, CreateImageDb."""
        await self._visual.create_database(DatabaseKey(workspace, fields.database("Name")))
        return _DONE

    async def list_databases(self, workspace: WorkspaceId, fields: FormFields) -> Body:
        """2475-2, ListImageDbs."""
        del fields
        return _data(DbList=[{"Name": name} for name in await self._visual.list_databases(workspace)])

    async def add_image(self, workspace: WorkspaceId, fields: FormFields) -> Body:
        """2475-3, AddImage."""
        key = DatabaseKey(workspace, fields.database())
        entity, note, url = fields.entity(), fields.note(), fields.url()
        async with self._picture_reader.slot():
            if await self._size(key) >= self._limits.images:
                message = f"The database is full. It can have {self._limits.images:,} images."
                raise CallRefused(SearchCode.ILLEGAL_ARGUMENT, message)
            picture = await self._picture_reader.picture(url, MAX_ADD_BYTES)
            async with self._storage.unit():
                data_id = await self._visual.add_image(key, picture, entity, note)
                await self._storage.api_images.put(key, data_id, entity, url)
        return _data(DataId=data_id)

    async def list_images(self, workspace: WorkspaceId, fields: FormFields) -> Body:
        """2475-4, ListImages."""
        key = DatabaseKey(workspace, fields.database())
        token = fields.optional("Token")
        offset = fields.number("Offset", 0, 999_999_999, default=0)
        limit = fields.number("Limit", 1, MAX_PAGE, default=DEFAULT_PAGE)
        if not token and offset >= MAX_OFFSET:
            message = f"Offset must be less than {MAX_OFFSET:,}. For later rows, send the Token of the page before."
            raise CallRefused(SearchCode.ILLEGAL_ARGUMENT, message)
        request = PageRequest(
            offset=0 if token else offset,
            limit=limit if token else min(limit, MAX_OFFSET - offset),
            token=token or None,
            order=fields.order(),
            entity_prefix=fields.entity_prefix(),
        )
        page = await self._visual.list_images(key, request)
        return _data(TotalCount=page.total, ImageList=[_row(image) for image in page.items], Token=page.token or "")

    async def search_image(self, workspace: WorkspaceId, fields: FormFields) -> Body:
        """2475-5, SearchImage."""
        key = DatabaseKey(workspace, fields.database())
        limit, url = fields.number("Limit", 1, MAX_RESULTS), fields.url()
        async with self._picture_reader.slot():
            # Raise UnknownDatabase before the picture is fetched.
            await self._size(key)
            matches = await self._visual.search(key, await self._picture_reader.picture(url, MAX_SEARCH_BYTES), limit)
        if matches.cause is not None:
            # The API can't say that a result is incomplete, so report the error instead.
            raise matches.cause
        urls = await self._storage.api_images.urls(key, (match.data_id for match in matches))
        return _data(MatchList=[_match(match, urls.get(match.data_id, "")) for match in matches])

    async def delete_database(self, workspace: WorkspaceId, fields: FormFields) -> Body:
        """2475-6, DeleteImageDb."""
        key = DatabaseKey(workspace, fields.database("Name"))
        await self._visual.delete_database(key)
        # After the database, so that its images never lose their addresses while searches find them.
        await self._storage.api_images.forget_database(key)
        return _DONE

    async def delete_image(self, workspace: WorkspaceId, fields: FormFields) -> Body:
        """2475-7, DeleteImage: delete all images of an entity. It is no error if there are none."""
        key = DatabaseKey(workspace, fields.database())
        entity = fields.entity()
        async with self._storage.unit():
            if not await self._visual.delete_images(key, entity) and is_mapped(entity):
                for written in await self._named(key, entity):
                    await self._visual.delete_images(key, written)
            await self._storage.api_images.forget_entity(key, entity)
        return _DONE

    async def _named(self, key: DatabaseKey, name: EntityId) -> frozenset[EntityId]:
        """Return the ids that have this name in the API."""
        found: set[EntityId] = set()
        token: str | None = None
        while True:
            page = await self._visual.list_images(key, PageRequest(limit=MAX_PAGE, token=token))
            found.update(image.entity for image in page.items if portable(image.entity) == name)
            if (token := page.token) is None:
                return frozenset(found)

    async def _size(self, key: DatabaseKey) -> int:
        """Return the number of images in a database. Raises UnknownDatabase."""
        return (await self._visual.list_images(key, PageRequest(limit=1))).total


def _data(**parts: object) -> Body:
    return {"Data": parts}


def _row(image: ListedImage) -> Body:
    return {
        "DataId": image.data_id,
        "EntityId": portable(image.entity),
        "ExtraData": image.note,
        "CreatedAt": _milliseconds(image.created_at),
        "UpdatedAt": _milliseconds(image.updated_at),
    }


def _match(match: Match, url: str) -> Body:
    return {
        "DataId": match.data_id,
        "EntityId": portable(match.entity),
        "ExtraData": match.note,
        "ImageUrl": url,
        "Score": match.score,
    }


def _milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
