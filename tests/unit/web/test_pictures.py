"""Pictures behind signed links: who sees one, and what everybody else is told."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from bot.domain.errors import BackendDown
from bot.media.links import MediaLinks
from tests.unit.web.web_application import BASE, DIGEST, GONE, JPEG, OTHER, START, TEAM, WebClient


async def test_a_link_shows_its_picture() -> None:
    web = WebClient()
    answer = await web.get(web.links.url(TEAM, DIGEST))
    assert (answer.status_code, answer.content) == (200, JPEG)
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert {"private", "immutable"} <= set(answer.headers["cache-control"].split(", "))


async def test_its_head_can_be_asked_for() -> None:
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
async def test_a_link_without_a_picture_is_a_404_that_tells_nothing(url: Callable[[WebClient], str]) -> None:
    web = WebClient()
    answer = await web.get(url(web))
    assert (answer.status_code, answer.text) == (404, "There is no picture here.")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_a_deleted_picture_is_not_shown_any_more() -> None:
    web = WebClient()
    url = web.links.url(TEAM, DIGEST)
    web.rooms.held.clear()
    assert (await web.get(url)).status_code == 404


async def test_an_expired_link_is_gone() -> None:
    web = WebClient()
    url = web.links.url(TEAM, DIGEST)
    web.rooms.now = START + timedelta(seconds=61)
    answer = await web.get(url)
    assert (answer.status_code, answer.headers["cache-control"]) == (410, "no-store")
    assert "expired" in answer.text


@pytest.mark.parametrize(("failure", "status"), [(BackendDown("the disk /srv is full"), 503), (OSError("/srv"), 500)])
async def test_trouble_with_storage_is_told_without_its_insides(
    failure: Exception, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    web = WebClient()
    web.rooms.failure = failure
    url = web.links.url(TEAM, DIGEST)
    answer = await web.get(url)
    assert answer.status_code == status
    assert "/srv" not in answer.text
    assert caplog.records
    assert not any(url[-40:] in record.getMessage() for record in caplog.records)


RELAY_ID = "5a" * 16


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_relayed_picture_is_there_for_whoever_has_its_link(method: str) -> None:
    web = WebClient()
    web.relayed.pictures[RELAY_ID] = JPEG
    answer = await web.ask(method, web.links.relay_url(RELAY_ID))
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg")
    assert answer.headers["content-length"] == str(len(JPEG))
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_a_relayed_picture_that_is_gone_is_a_404() -> None:
    web = WebClient()
    answer = await web.get(web.links.relay_url(RELAY_ID))
    assert (answer.status_code, answer.text) == (404, "There is no picture here.")


async def test_after_five_minutes_a_relayed_picture_s_link_is_gone() -> None:
    web = WebClient()
    web.relayed.pictures[RELAY_ID] = JPEG
    url = web.links.relay_url(RELAY_ID)
    web.rooms.now = START + timedelta(seconds=299)
    assert (await web.get(url)).status_code == 200
    web.rooms.now = START + timedelta(seconds=300)
    assert (await web.get(url)).status_code == 410


async def test_a_relayed_picture_that_can_not_be_read_is_told_plainly() -> None:
    web = WebClient()
    web.rooms.failure = BackendDown("the disk /srv is full")
    answer = await web.get(web.links.relay_url(RELAY_ID))
    assert answer.status_code == 503
    assert "/srv" not in answer.text
