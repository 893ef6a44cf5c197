"""Serving pictures behind signed links, and the responses to invalid links."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from bot.domain.errors import BackendDown, FetchFailed, PictureRefused
from bot.media.links import MediaLinks
from tests.unit.web.web_application import BASE, DIGEST, GONE, JPEG, OTHER, START, TEAM, WebClient


async def test_link_serves_its_picture() -> None:
    web = WebClient()
    answer = await web.get(web.links.url(TEAM, DIGEST))
    assert (answer.status_code, answer.content) == (200, JPEG)
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert {"private", "immutable"} <= set(answer.headers["cache-control"].split(", "))


async def test_head_requests_are_served() -> None:
    web = WebClient()
    answer = await web.ask("HEAD", web.links.url(TEAM, DIGEST))
    assert (answer.status_code, answer.headers["content-length"]) == (200, str(len(JPEG)))
    assert (await web.ask("POST", web.links.url(TEAM, DIGEST))).status_code == 405


@pytest.mark.parametrize(
    "url",
    [
        lambda web: web.links.url(OTHER, DIGEST),
        lambda web: web.links.url(TEAM, "00" * 32),
        lambda web: web.links.url(TEAM, GONE),
        lambda web: MediaLinks(BASE, b"x" * 32, 60, lambda: START).url(TEAM, DIGEST),
        lambda web: web.links.url(TEAM, DIGEST)[:-2],
        lambda web: f"/media/{DIGEST}",
    ],
    ids=["another workspace's", "unknown", "its file is gone", "another key", "cut off", "a digest"],
)
async def test_link_without_a_picture_gives_a_plain_404(url: Callable[[WebClient], str]) -> None:
    web = WebClient()
    answer = await web.get(url(web))
    assert (answer.status_code, answer.text) == (404, "There is no picture here.")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("content", [None, b"", b"no JPEG"], ids=["missing", "empty", "another format"])
async def test_missing_or_damaged_picture_gives_404_and_a_line_in_the_log(
    content: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    web = WebClient()
    web.storage.pictures = {} if content is None else {DIGEST: content}
    url = web.links.url(TEAM, DIGEST)
    answer = await web.get(url)
    assert (answer.status_code, answer.text) == (404, "There is no picture here.")
    assert f"the stored picture {DIGEST} is" in caplog.text
    assert url[-40:] not in "".join(record.getMessage() for record in caplog.records if record.name.startswith("bot"))


async def test_deleted_picture_is_not_served() -> None:
    web = WebClient()
    url = web.links.url(TEAM, DIGEST)
    web.storage.held.clear()
    assert (await web.get(url)).status_code == 404


async def test_expired_link_gives_410() -> None:
    web = WebClient()
    url = web.links.url(TEAM, DIGEST)
    web.storage.now = START + timedelta(seconds=61)
    answer = await web.get(url)
    assert (answer.status_code, answer.headers["cache-control"]) == (410, "no-store")
    assert "expired" in answer.text


@pytest.mark.parametrize(
    ("failure", "status"),
    [
        (BackendDown("the disk /srv is full"), 503),
        (FetchFailed("too many pictures of /srv"), 503),
        (PictureRefused("/srv took too long"), 503),
        (OSError("/srv"), 500),
    ],
)
async def test_storage_errors_are_reported_without_details(
    failure: Exception, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    web = WebClient()
    web.storage.failure = failure
    url = web.links.url(TEAM, DIGEST)
    answer = await web.get(url)
    assert answer.status_code == status
    assert "/srv" not in answer.text
    assert caplog.records
    assert not any(url[-40:] in record.getMessage() for record in caplog.records)


RELAY_ID = "5a" * 16


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_relay_link_serves_its_picture(method: str) -> None:
    web = WebClient()
    web.relayed.pictures[RELAY_ID] = JPEG
    answer = await web.ask(method, web.links.relay_url(RELAY_ID))
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg")
    assert answer.headers["content-length"] == str(len(JPEG))
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_deleted_relayed_picture_gives_404() -> None:
    web = WebClient()
    answer = await web.get(web.links.relay_url(RELAY_ID))
    assert (answer.status_code, answer.text) == (404, "There is no picture here.")


async def test_relay_link_gives_410_after_five_minutes() -> None:
    web = WebClient()
    web.relayed.pictures[RELAY_ID] = JPEG
    url = web.links.relay_url(RELAY_ID)
    web.storage.now = START + timedelta(seconds=299)
    assert (await web.get(url)).status_code == 200
    web.storage.now = START + timedelta(seconds=300)
    assert (await web.get(url)).status_code == 410


async def test_unreadable_relayed_picture_gives_a_plain_error() -> None:
    web = WebClient()
    web.storage.failure = BackendDown("the disk /srv is full")
    answer = await web.get(web.links.relay_url(RELAY_ID))
    assert answer.status_code == 503
    assert "/srv" not in answer.text
