"""The pictures that the API server accepts, and the codes with which it refuses others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.api import ApiLimits
from tests.fakes.web import redirect, response
from tests.fixtures.api_server import ADD, CREATE, DELETE, LIST, SEARCH, ApiServer, api_server
from tests.fixtures.pictures import encoded, photo

ILLEGAL = "ClientError.IllegalArgument"
URL = "IllegalUrlParameter"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ApiServer]:
    async with api_server(
        tmp_path, limits=ApiLimits(images=3, wait_s=0.2, body_timeout_s=0.3), fetch_timeout_s=1
    ) as opened:
        await opened.call(CREATE, Name="parts")
        yield opened


async def refusal(server: ApiServer, url: str) -> str:
    """Return the code with which both an add and a search refuse a URL."""
    added = await server.call_refused(ADD, DbName="parts", EntityId="e", ExtraData="", ImageUrl=url)
    searched = await server.call_refused(SEARCH, DbName="parts", ImageUrl=url, Limit="1")
    assert added == searched
    assert "Slack" not in added[1]
    assert (await server.call(LIST, DbName="parts"))["TotalCount"] == 0
    return added[0]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "valve.png",
        "ftp://pictures.example/valve.png",
        "file:///etc/passwd",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::1]/x.png",
        "http://localhost:1/x.png",
        "http://图片.example/x.png",
        "https://pictures.example/阀.png",
        "https://pictures.example/a\nb.png",
        "https://pictures.example/" + "x" * 4096,
    ],
)
async def test_invalid_and_private_urls_are_refused(server: ApiServer, url: str) -> None:
    assert await refusal(server, url) == (URL if url else ILLEGAL)


async def test_urls_without_a_picture_are_refused(server: ApiServer) -> None:
    async def hangs(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(5)

    server.web.answers["/page"] = response(b"<!doctype html><title>Sign in</title>")
    server.web.answers["/busy"] = response(status="503 Service Unavailable")
    server.web.answers["/inside"] = redirect("http://10.0.0.1/valve.png")
    server.web.answers["/hangs"] = hangs
    for path in ("/missing", "/page", "/busy", "/inside", "/hangs"):
        assert await refusal(server, server.web.url(path)) == URL


@pytest.mark.parametrize("kind", ["WEBP", "GIF", "BMP", "TIFF"])
async def test_other_formats_are_refused(server: ApiServer, kind: str) -> None:
    assert await refusal(server, server.picture("x.png", encoded(photo(200, 200), kind))) == "InvalidFile.Type"


async def test_files_other_than_pictures_are_refused(server: ApiServer) -> None:
    for content in (b"", b"%PDF-1.7", b"just text"):
        assert await refusal(server, server.picture("x.png", content)) == "InvalidFile.Type"
    damaged = encoded(photo(200, 200), "PNG")[:5000]
    assert await refusal(server, server.picture("x.png", damaged)) == "InvalidFile.Content"


@pytest.mark.parametrize("size", [(128, 500), (500, 128), (1024, 500), (500, 1024), (1, 1), (1920, 1080)])
async def test_sides_outside_the_limits_are_refused(server: ApiServer, size: tuple[int, int]) -> None:
    assert await refusal(server, server.picture("x.jpg", encoded(photo(*size), "JPEG"))) == "InvalidFile.Resolution"


@pytest.mark.parametrize("size", [(129, 129), (1023, 1023), (129, 1023)])
async def test_sides_within_the_limits_are_accepted(server: ApiServer, size: tuple[int, int]) -> None:
    url = server.picture("x.jpg", encoded(photo(*size), "JPEG"))
    added = await server.add(url)
    assert [match["DataId"] for match in await server.search(url)] == [added]


def picture_of_size(size: int) -> bytes:
    """Return a picture of ``size`` bytes."""
    picture = encoded(photo(200, 200), "JPEG")
    return picture + b"\0" * (size - len(picture))


async def test_add_accepts_2_megabytes_and_search_3(server: ApiServer) -> None:
    await server.add(server.picture("two.jpg", picture_of_size(2_000_000)))
    await server.search(server.picture("three.jpg", picture_of_size(3_000_000)))
    for name, size in (("two.jpg", 2_000_001), ("three.jpg", 3_000_001)):
        heavy = server.picture(name, picture_of_size(size))
        added = await server.call_refused(ADD, DbName="parts", EntityId="e", ExtraData="", ImageUrl=heavy)
        assert added[0] == "InvalidFile.Size"
    assert (await server.call_refused(SEARCH, DbName="parts", ImageUrl=heavy, Limit="1"))[0] == "InvalidFile.Size"


async def test_full_database_refuses_adds(server: ApiServer) -> None:
    url = server.picture("valve.png")
    for _ in range(3):
        await server.add(url)
    code, sentence = await server.call_refused(ADD, DbName="parts", EntityId="e", ExtraData="", ImageUrl=url)
    assert (code, sentence) == (ILLEGAL, "The database is full. It can have 3 images.")
    await server.call(DELETE, DbName="parts", EntityId="valve")
    await server.add(url)
