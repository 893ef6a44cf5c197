"""Which pictures our server of the hosted API takes, and how it refuses the others: in that service's codes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.api import Limits
from tests.api_house import ADD, CREATE, DELETE, LIST, SEARCH, ApiHouse, api_house
from tests.fakes.web import redirect, response
from tests.pictures import encoded, photo

ILLEGAL = "ClientError.IllegalArgument"
URL = "IllegalUrlParameter"


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[ApiHouse]:
    async with api_house(tmp_path, limits=Limits(images=3, wait_s=0.2, body_timeout_s=0.3)) as opened:
        await opened.done(CREATE, Name="parts")
        yield opened


async def refusal(house: ApiHouse, url: str) -> str:
    """The code with which both an add and a search refuse an address."""
    added = await house.refused(ADD, DbName="parts", EntityId="e", ExtraData="", ImageUrl=url)
    searched = await house.refused(SEARCH, DbName="parts", ImageUrl=url, Limit="1")
    assert added == searched
    assert "Slack" not in added[1]
    assert (await house.done(LIST, DbName="parts"))["TotalCount"] == 0
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
async def test_addresses_that_are_not_opened(house: ApiHouse, url: str) -> None:
    assert await refusal(house, url) == (URL if url else ILLEGAL)


async def test_addresses_that_give_no_picture(house: ApiHouse) -> None:
    async def hangs(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(5)

    house.web.answers["/page"] = response(b"<!doctype html><title>Sign in</title>")
    house.web.answers["/busy"] = response(status="503 Service Unavailable")
    house.web.answers["/inside"] = redirect("http://10.0.0.1/valve.png")
    house.web.answers["/hangs"] = hangs
    for path in ("/missing", "/page", "/busy", "/inside", "/hangs"):
        assert await refusal(house, house.web.url(path)) == URL


@pytest.mark.parametrize("kind", ["WEBP", "GIF", "BMP", "TIFF"])
async def test_other_formats_are_refused(house: ApiHouse, kind: str) -> None:
    assert await refusal(house, house.picture("x.png", encoded(photo(200, 200), kind))) == "InvalidFile.Type"


async def test_what_is_no_picture_is_refused(house: ApiHouse) -> None:
    for content in (b"", b"%PDF-1.7", b"just text"):
        assert await refusal(house, house.picture("x.png", content)) == "InvalidFile.Type"
    damaged = encoded(photo(200, 200), "PNG")[:5000]
    assert await refusal(house, house.picture("x.png", damaged)) == "InvalidFile.Content"


@pytest.mark.parametrize("size", [(128, 500), (500, 128), (1024, 500), (500, 1024), (1, 1), (1920, 1080)])
async def test_pictures_beyond_the_sides_are_refused(house: ApiHouse, size: tuple[int, int]) -> None:
    assert await refusal(house, house.picture("x.jpg", encoded(photo(*size), "JPEG"))) == "InvalidFile.Resolution"


@pytest.mark.parametrize("size", [(129, 129), (1023, 1023), (129, 1023)])
async def test_pictures_within_them_are_taken(house: ApiHouse, size: tuple[int, int]) -> None:
    url = house.picture("x.jpg", encoded(photo(*size), "JPEG"))
    added = await house.add(url)
    assert [match["DataId"] for match in await house.search(url)] == [added]


def weighing(size: int) -> bytes:
    """A picture of so many bytes."""
    picture = encoded(photo(200, 200), "JPEG")
    return picture + b"\0" * (size - len(picture))


async def test_an_add_takes_2_megabytes_and_a_search_3(house: ApiHouse) -> None:
    await house.add(house.picture("two.jpg", weighing(2_000_000)))
    await house.search(house.picture("three.jpg", weighing(3_000_000)))
    for name, size in (("two.jpg", 2_000_001), ("three.jpg", 3_000_001)):
        heavy = house.picture(name, weighing(size))
        added = await house.refused(ADD, DbName="parts", EntityId="e", ExtraData="", ImageUrl=heavy)
        assert added[0] == "InvalidFile.Size"
    assert (await house.refused(SEARCH, DbName="parts", ImageUrl=heavy, Limit="1"))[0] == "InvalidFile.Size"


async def test_a_full_database_takes_no_more(house: ApiHouse) -> None:
    url = house.picture("valve.png")
    for _ in range(3):
        await house.add(url)
    code, sentence = await house.refused(ADD, DbName="parts", EntityId="e", ExtraData="", ImageUrl=url)
    assert (code, sentence) == (ILLEGAL, "A database takes 3 images.")
    await house.done(DELETE, DbName="parts", EntityId="valve")
    await house.add(url)
