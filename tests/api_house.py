"""Our own server of the hosted API on a real socket, beside a web server with pictures that it may fetch."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from bot.adapters.base import VisualSearch
from bot.adapters.memory import MemorySearch
from bot.api import ApiLimits, api_app
from bot.api.limits import MAX_SEARCH_BYTES
from bot.api.pictures import Fetch
from bot.images.fetch import Fetcher
from bot.images.normalise import Normaliser
from bot.storage.sql import SqlStorage
from bot.web import serving
from tests.fakes.web import Answer, WebServer, response, web_server
from tests.pictures import encoded, photo

KEY, OTHER_KEY = "a-key-of-sixteen-or-more", "another-key-of-sixteen"

CREATE, DATABASES, ADD, LIST, SEARCH, DROP, DELETE = (f"/2475-{number}" for number in range(1, 8))

Json = dict[str, Any]


@dataclass
class ApiServer:
    """The server's address, and what stands behind it."""

    url: str
    web: WebServer
    visual: VisualSearch
    storage: SqlStorage
    client: httpx.AsyncClient

    def picture(self, name: str, content: bytes | Answer | None = None, seed: int = 0) -> str:
        """Put a picture on the web; its address."""
        body = encoded(photo(200, 150, seed), "PNG") if content is None else content
        self.web.answers[f"/{name}"] = response(body, "Content-Type: image/png") if isinstance(body, bytes) else body
        return self.web.url(f"/{name}")

    async def raw(self, path: str, key: str | None = KEY, **more: Any) -> Json:
        """The whole envelope."""
        params = {} if key is None else {"appKey": key}
        answer = await self.client.post(self.url + path, params=params, **more)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/json"
        envelope: Json = answer.json()
        assert set(envelope) == {
            "showapi_res_code",
            "showapi_res_error",
            "showapi_res_id",
            "showapi_fee_num",
            "showapi_res_body",
        }
        return envelope

    async def body(self, path: str, key: str = KEY, **fields: str) -> Json:
        """The body of an answer that got past the gateway."""
        envelope = await self.raw(path, key, data={"ds_id": "any", **fields})
        assert (envelope["showapi_res_code"], envelope["showapi_res_error"]) == (0, "")
        body: Json = envelope["showapi_res_body"]
        return body

    async def call(self, path: str, key: str = KEY, **fields: str) -> Any:
        """What a call that goes well gives."""
        body = await self.body(path, key, **fields)
        assert body["ret_code"] == 0, body
        return body.get("Data")

    async def call_refused(self, path: str, key: str = KEY, **fields: str) -> tuple[str, str]:
        """The code word and the sentence of a call that doesn't."""
        body = await self.body(path, key, **fields)
        assert body["ret_code"] != 0
        assert set(body) == {"ret_code", "remark", "RequestId", "Code"}
        code, _, sentence = body["remark"].partition(" - ")
        assert code == body["Code"]
        return code, sentence

    async def add(self, url: str, entity: str = "valve", extra: str = "", database: str = "parts") -> str:
        """Add an image; its data id."""
        added = await self.call(ADD, DbName=database, EntityId=entity, ExtraData=extra, ImageUrl=url)
        return str(added["DataId"])

    async def search(self, url: str, limit: int = 10, database: str = "parts") -> list[Json]:
        """The matches."""
        found = await self.call(SEARCH, DbName=database, ImageUrl=url, Limit=str(limit))
        matches: list[Json] = found["MatchList"]
        return matches


@asynccontextmanager
async def api_server(
    folder: Path, visual: VisualSearch | None = None, limits: ApiLimits | None = None, fetch: Fetch | None = None
) -> AsyncIterator[ApiServer]:
    """It serves inside. ``fetch`` stands in for the guarded client."""
    back_end = visual or MemorySearch()
    storage = await SqlStorage.open(folder)
    normaliser = Normaliser()
    fetcher = Fetcher(
        max_bytes=MAX_SEARCH_BYTES, timeout_s=1, trusted_hosts=["127.0.0.1"], advice="use another address"
    )
    app = api_app(
        visual=back_end,
        storage=storage,
        fetch=fetch or fetcher.fetch,
        read=normaliser.picture,
        keys=[KEY, OTHER_KEY],
        limits=limits,
    )
    try:
        async with (
            web_server() as web,
            serving(app, "127.0.0.1", 0) as (host, port),
            httpx.AsyncClient(trust_env=False, timeout=10) as client,
        ):
            yield ApiServer(f"http://{host}:{port}", web, back_end, storage, client)
    finally:
        await fetcher.close()
        await normaliser.close()
        await storage.close()
