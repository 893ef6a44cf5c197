"""Plain requests to the stand-in for the hosted service."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from tests.fakes.hosted import APP_KEY, DS_ID, HostedService
from tests.fakes.web import WebServer, response, web_server
from tests.fixtures.pictures import encoded, photo

PATH = {"create": 1, "databases": 2, "add": 3, "list": 4, "search": 5, "drop": 6, "delete": 7}


class HostedClient:
    """A client of the service, with a web server for pictures."""

    def __init__(self, service: HostedService, client: httpx.AsyncClient, web: WebServer) -> None:
        self.service = service
        self.client = client
        self.web = web

    async def raw(self, operation: str, key: str = APP_KEY, **more: Any) -> httpx.Response:
        url = f"{self.service.base_url}/2475-{PATH[operation]}"
        return await self.client.post(url, params={"appKey": key} if key else {}, **more)

    async def request(self, operation: str, **form: str) -> httpx.Response:
        return await self.raw(operation, data={"ds_id": DS_ID, **form})

    async def succeed(self, operation: str, **form: str) -> dict[str, Any]:
        answer = (await self.request(operation, **form)).json()
        assert answer["showapi_res_code"] == 0, answer
        body: dict[str, Any] = answer["showapi_res_body"]
        assert body["ret_code"] == 0, answer
        return body.get("Data", {})  # type: ignore[no-any-return]

    async def refused(self, operation: str, **form: str) -> int | str:
        """Send a request that is refused, and return the code of the gateway or the upstream service."""
        answer = (await self.request(operation, **form)).json()
        refusal: int | str = answer.get("Code") or answer["showapi_res_code"]
        assert refusal != 0, answer
        return refusal

    def host(self, content: bytes, name: str = "/p.jpg") -> str:
        self.web.answers[name] = response(content, "Content-Type: image/jpeg")
        return self.web.url(name)

    async def add(self, database: str, entity: str, url: str, extra: str = "") -> str:
        data = await self.succeed("add", DbName=database, EntityId=entity, ExtraData=extra, ImageUrl=url)
        return str(data["DataId"])

    async def listed(self, database: str, **form: str) -> list[str]:
        return [row["EntityId"] for row in (await self.succeed("list", DbName=database, **form))["ImageList"]]


@asynccontextmanager
async def hosted_client(**options: Any) -> AsyncIterator[HostedClient]:
    async with HostedService(**options) as service, web_server() as web, httpx.AsyncClient(timeout=2) as client:
        yield HostedClient(service, client, web)


def jpeg(seed: int = 0, width: int = 200, height: int = 160, **options: Any) -> bytes:
    return encoded(photo(width, height, seed), "JPEG", **options)
