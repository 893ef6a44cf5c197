"""No anonymous request writes, on any route and on either kind of database."""

from __future__ import annotations

from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from starlette.applications import Starlette

from bot.storage.sql.database import Database
from bot.web.app import ErrorBoundary
from tests.fakes.slack import FakeSlack
from tests.fakes.slack.delivery.http_mode import FORM, JSON
from tests.fixtures.buckets import KEY, BucketService
from tests.fixtures.pictures import encoded, photo
from tests.fixtures.storages import StoragePlace
from tests.scenario.support.web_bot import WebBot, begin_install, install, oauth_settings, stock, web_bot

TEAM = "T0ONE"


class Writes:
    """Counts what the storage's writer threads run."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.number = 0
        run = Database._run_in

        async def counted(database: Database, *given: Any) -> Any:
            self.number += 1
            return await run(database, *given)

        monkeypatch.setattr(Database, "_run_in", counted)


def routes_of(bot: WebBot) -> set[str]:
    boundary = cast("ErrorBoundary", bot.app.web)
    return {route.path for route in cast("Starlette", boundary._app).routes}  # type: ignore[attr-defined]


async def ask_everything(bot: WebBot, slack: FakeSlack) -> dict[str, list[httpx.Response]]:
    """Send requests without credentials to each route."""
    browser = bot.browser
    links = ["/media/guessed", "/media/" + "A" * 300]
    pages = ["/e/guessed", "/e/" + "A" * 300]
    begun = await begin_install(browser)
    (state,) = parse_qs(urlsplit(begun.authorize_url).query)["state"]
    redirect = f"/slack/oauth_redirect?state={state}&code="
    bodies = ((b"{}", JSON), (b"ssl_check=1", FORM), (b"command=/vsearch&text=db+create+stolen&team_id=T0ONE", FORM))
    forged = {"X-Slack-Request-Timestamp": "1", "X-Slack-Signature": "v0=" + "0" * 64}
    return {
        "/slack/events": [
            await browser.post("/slack/events", content=body, headers={"Content-Type": kind} | more)
            for body, kind in bodies
            for more in ({}, forged)
        ],
        "/healthz": [await browser.get("/healthz")],
        "/readyz": [await browser.get("/readyz")],
        "/metrics": [await browser.get("/metrics")],
        "/media/{token}": [await browser.get(url) for url in links],
        "/e/{token}": [await browser.get(url) for url in pages],
        "/slack/install": [await browser.get("/slack/install") for _ in range(5)],
        "/slack/oauth_redirect": [
            await browser.get("/slack/oauth_redirect"),
            await browser.get("/slack/oauth_redirect?error=access_denied&state=x"),
            await browser.get(f"{redirect}guessed"),
            await browser.get(redirect, headers={"Cookie": begun.cookie}),
            await browser.get(f"{redirect}guessed", headers={"Cookie": begun.cookie}),
            await browser.get(f"/slack/oauth_redirect?state={state[:-2]}AA&code=x", headers={"Cookie": begun.cookie}),
        ],
    }


@pytest.mark.parametrize("pictures", ["default", "bucket"])
async def test_no_anonymous_route_writes(
    slack: FakeSlack,
    storage_place: StoragePlace,
    bucket_service: BucketService,
    monkeypatch: pytest.MonkeyPatch,
    pictures: str,
) -> None:
    slack.add_workspace(TEAM, "One")
    settings = oauth_settings(slack, VSEARCH_ROLE="web", DATABASE_URL=storage_place.database_url or "")
    if pictures == "bucket":
        settings |= {
            "VSEARCH_PICTURES": "bucket",
            "VSEARCH_BUCKET": bucket_service.bucket().name,
            "VSEARCH_BUCKET_ENDPOINT": bucket_service.address,
            "AWS_ACCESS_KEY_ID": KEY.id,
            "AWS_SECRET_ACCESS_KEY": KEY.secret,
        }
    async with web_bot(slack, storage_place.data_dir, **settings) as bot:
        await stock(bot.app, TEAM, "parts", valve=encoded(photo(64, 48, seed=1), "PNG"))
        writes = Writes(monkeypatch)
        answers = await ask_everything(bot, slack)
        assert set(answers) == routes_of(bot)
        assert writes.number == 0
        assert {answer.status_code for answer in answers["/readyz"]} == {200}
        assert not [answer for given in answers.values() for answer in given if answer.status_code >= 500]
        # An installation that Slack confirms does write, so the count works.
        assert (await install(slack, bot.browser, TEAM)).status_code == 200
        assert writes.number > 0
