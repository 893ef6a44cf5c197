"""The result cache: answers say when they are cached, and a write invalidates them at once."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.app.services import Services, build_services
from bot.app.slack_app import SlackApp
from bot.blocks.messages.results import matches
from bot.config.settings import Settings
from bot.domain.catalogue import SlackOrigin
from bot.domain.identifiers import DatabaseKey, DatabaseName, EntityId, Note, WorkspaceId
from bot.domain.matches import Matches
from tests.fakes.slack import GENERAL, SOMEONE, FakeSlack, Message
from tests.scenario.conftest import Start, fill
from tests.scenario.support.requests import GASKET, UNRELATED, VALVE, key_of, press, run_command

FROM_CACHE = re.compile(r"As of <!date\^\d+\^\{ago\}\|\d\d:\d\d UTC>\.")
LOOK_UP = "search last in:parts min:0"

Write = Callable[[SlackApp, FakeSlack], Coroutine[Any, Any, None]]


@pytest.fixture(autouse=True)
def age_is_always_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make answers say how old they are even if it's only a moment, as they do after a minute."""
    monkeypatch.setattr(matches, "FRESH_FOR", timedelta(0))


async def answered(slack: FakeSlack, image: bytes) -> Message:
    message = await slack.upload(image, text="min:0 in:parts", mention=True)
    return await slack.wait_for_reply(GENERAL, message.ts)


def is_cached(answer: Message) -> bool:
    return bool(FROM_CACHE.search(answer.everything))


def cache_lookups(app: SlackApp, result: str) -> float:
    """Return the number of hits or misses so far."""
    found = re.search(
        rf'^vsearch_cache_total{{outcome="{result}"}} (\S+)$', app.metrics.render().decode(), re.MULTILINE
    )
    return float(found[1]) if found else 0.0


async def add(services: Services, workspace: str, content: bytes, entity: str, *, channel: str = "") -> None:
    """Add an image to the workspace's database ``parts``, as any process can."""
    key = DatabaseKey(WorkspaceId(workspace), DatabaseName("parts"))
    picture = await services.normaliser.picture(content)
    jpeg = await services.normaliser.jpeg(picture)
    origin = SlackOrigin("F0SECRET", channel, "1.2") if channel else None
    await services.additions.add(key, picture, jpeg, EntityId(entity), Note(), origin=origin)


def another_process(folder: Path) -> AbstractAsyncContextManager[Services]:
    """Open a storage and engine of another process on the same data."""
    return build_services(Settings.from_mapping({"VSEARCH_DATA_DIR": str(folder / "data")}))


async def test_second_answer_is_cached_and_says_since_when(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE, gasket_7=GASKET)
    first = await answered(slack, VALVE)
    again = await answered(slack, VALVE)
    asked = await run_command(slack, LOOK_UP)
    assert [is_cached(answer) for answer in (first, again, asked)] == [False, True, True]
    assert "`valve_0042`" in again.everything
    assert (cache_lookups(app, "hit"), cache_lookups(app, "miss")) == (2, 1)
    other = await answered(slack, GASKET)
    assert not is_cached(other)
    assert cache_lookups(app, "miss") == 2


async def test_pages_use_one_search(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE, gasket_7=GASKET)
    message = await slack.upload(VALVE, text="min:0 top:1", mention=True)
    more = await press(slack, await slack.wait_for_reply(GENERAL, message.ts), "results_more")
    assert is_cached(more)
    assert cache_lookups(app, "miss") == 1


async def by_a_command(app: SlackApp, slack: FakeSlack) -> None:
    await answered(slack, UNRELATED)
    assert "Added" in (await run_command(slack, "add last in:parts id:stranger")).text


async def by_a_deletion(app: SlackApp, slack: FakeSlack) -> None:
    question = await run_command(slack, "delete gasket_7 in:parts")
    await slack.press(question, "delete_entity")
    await slack.wait_for_edit(question)


async def by_a_service(app: SlackApp, slack: FakeSlack) -> None:
    await add(app.services, slack.state.team, UNRELATED, "stranger")


@pytest.mark.parametrize("write", [by_a_command, by_a_deletion, by_a_service])
async def test_write_invalidates_results_at_once(slack: FakeSlack, start: Start, write: Write) -> None:
    app = await start(VSEARCH_ADMINS=SOMEONE)
    await fill(app, "parts", valve_0042=VALVE, gasket_7=GASKET)
    first = await answered(slack, VALVE)
    await write(app, slack)
    again = await answered(slack, VALVE)
    assert not is_cached(again)
    assert ("`stranger`" in again.everything) != ("`gasket_7`" not in again.everything)
    assert "`gasket_7`" in first.everything
    assert is_cached(await answered(slack, VALVE))


async def test_another_processs_write_invalidates_results(slack: FakeSlack, start: Start, tmp_path: Path) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    await answered(slack, VALVE)
    assert is_cached(await answered(slack, VALVE))
    async with another_process(tmp_path) as other:
        await add(other, slack.state.team, GASKET, "gasket_7")
        grown = await answered(slack, VALVE)
        assert not is_cached(grown)
        assert "`gasket_7`" in grown.everything
        await other.deletions.delete(key_of(app, "parts"), EntityId("gasket_7"))
        shrunk = await answered(slack, VALVE)
    assert not is_cached(shrunk)
    assert "gasket_7" not in shrunk.everything


@pytest.mark.parametrize("elsewhere", [False, True])
async def test_recreated_database_starts_with_an_empty_cache(
    slack: FakeSlack, start: Start, tmp_path: Path, *, elsewhere: bool
) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    await answered(slack, VALVE)
    key = key_of(app, "parts")
    if elsewhere:
        async with another_process(tmp_path) as other:
            await other.databases.delete(key)
            await other.databases.create(key)
            await add(other, slack.state.team, GASKET, "gasket_7")
    else:
        await app.services.databases.delete(key)
        await fill(app, "parts", gasket_7=GASKET)
    again = await answered(slack, VALVE)
    assert not is_cached(again)
    assert "valve_0042" not in again.everything
    assert "`gasket_7`" in again.everything


async def test_equal_concurrent_searches_run_once(
    slack: FakeSlack, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    search, searches, go_on = app.services.visual.search, 0, asyncio.Event()

    async def slow(_: object, *given: Any) -> Matches:
        nonlocal searches
        searches += 1
        await go_on.wait()
        return await search(*given)

    monkeypatch.setattr(type(app.services.visual), "search", slow)
    shared = [await slack.upload(VALVE) for _ in range(3)]
    for _ in range(2000):
        if all(message.files[0].downloads for message in shared):
            break
        await asyncio.sleep(0.005)
    await asyncio.sleep(0.02)
    go_on.set()
    for message in shared:
        assert "`valve_0042`" in (await slack.wait_for_reply(GENERAL, message.ts)).everything
    assert searches == 1
    assert (cache_lookups(app, "hit"), cache_lookups(app, "miss")) == (2, 1)


async def test_cached_results_are_filtered_for_each_reader(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", gasket_7=GASKET)
    slack.add_channel("C0PRIVATE", "secrets", kind="private")
    await add(app.services, slack.state.team, VALVE, "codename", channel="C0PRIVATE")
    await slack.upload(VALVE, channel="C0PRIVATE")
    await slack.wait_for(lambda m: "codename" in m.everything)
    public = await answered(slack, VALVE)
    assert is_cached(public)
    mine = await run_command(slack, LOOK_UP)
    theirs = await run_command(slack, LOOK_UP, user="U0OTHER")
    assert is_cached(theirs)
    assert "codename" in mine.everything
    assert "codename" not in public.everything + theirs.everything


async def test_results_are_not_shared_between_workspaces(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    elsewhere = DatabaseKey(WorkspaceId("T0ELSE"), DatabaseName("parts"))
    await app.services.databases.create(elsewhere)
    await add(app.services, "T0ELSE", GASKET, "gasket_7")
    await answered(slack, VALVE)
    picture = await app.services.normaliser.picture(VALVE)
    found = await app.services.search.search(elsewhere, picture, limit=50, minimum=0)
    assert found.cached_at is None
    assert [ranked.match.entity for ranked in found.matches] == ["gasket_7"]
    again = await answered(slack, VALVE)
    assert is_cached(again)
    assert "gasket_7" not in again.everything


async def test_nothing_is_cached_if_the_cache_is_off(slack: FakeSlack, start: Start) -> None:
    await fill(await start(VSEARCH_CACHE_TTL_S="0"), "parts", valve_0042=VALVE)
    await answered(slack, VALVE)
    assert not is_cached(await answered(slack, VALVE))
