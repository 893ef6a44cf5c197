"""Two workspaces in one storage, with databases of the same name and the same pictures, share nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from bot.domain.catalogue import OriginScope
from bot.domain.channels import ChannelBinding, ChannelMode
from bot.domain.identifiers import DatabaseKey, DatabaseName, WorkspaceId
from bot.domain.pages import PageRequest
from tests.fakes.slack import FakeSlack, Message
from tests.scenario.support.requests import shown_pictures
from tests.scenario.support.shares import NEW, ORIGINAL, OTHER, reply
from tests.scenario.support.web_bot import PUBLIC, WebBot, install, oauth_settings, stock, web_bot

ONE, TWO = "T0ONE", "T0TWO"
C_ONE, C_TWO, BETWEEN = "C0ONE", "C0TWO", "C0BETWEEN"


@pytest.fixture
async def bot(slack: FakeSlack, tmp_path: Path) -> AsyncIterator[WebBot]:
    for team, name, channel in ((ONE, "One", C_ONE), (TWO, "Two", C_TWO)):
        slack.add_workspace(team, name)
        slack.add_channel(channel, "general", team=team)
    async with web_bot(slack, tmp_path, **oauth_settings(slack)) as running:
        for team in (ONE, TWO):
            assert (await install(slack, running.browser, team)).status_code == 200
        yield running


async def images(bot: WebBot, team: str, name: str = "parts") -> list[str]:
    key = DatabaseKey(WorkspaceId(team), DatabaseName(name))
    page = await bot.app.services.storage.catalogue.page(key, PageRequest(limit=100))
    assert page.total == len((await bot.app.services.visual.list_images(key, PageRequest(limit=100))).items)
    return sorted(str(record.entity) for record in page.items)


async def watch(bot: WebBot, team: str, channel: str, mode: ChannelMode) -> None:
    binding = ChannelBinding(WorkspaceId(team), channel, mode, DatabaseName("parts"))
    await bot.app.services.storage.bindings.put(binding)


async def ask(slack: FakeSlack, text: str, channel: str) -> Message:
    before = len(slack.transcript)
    await slack.command(text, channel=channel)
    return await slack.wait_for_answer(after=before)


async def test_databases_with_the_same_name_are_separate(slack: FakeSlack, bot: WebBot) -> None:
    await stock(bot.app, ONE, "parts", first_valve=ORIGINAL)
    await stock(bot.app, TWO, "parts", second_valve=ORIGINAL, second_lamp=OTHER)
    for channel, own, other in ((C_ONE, "first_valve", "second_"), (C_TWO, "second_valve", "first_")):
        answer = await reply(slack, await slack.upload(ORIGINAL, channel=channel, text="min:0"))
        assert f"`{own}`" in answer.everything
        assert other not in answer.everything
        # The same search a moment later, since the cache must separate them too.
        for text in ("search last min:0", "list in:parts", "db", "status"):
            notice = await ask(slack, text, channel)
            assert other not in notice.everything
    assert "(1 image)" in (await ask(slack, "search last min:0", C_ONE)).everything
    assert "(2 images)" in (await ask(slack, "search last min:0", C_TWO)).everything


async def test_image_added_in_one_workspace_is_missing_in_the_other(slack: FakeSlack, bot: WebBot) -> None:
    await stock(bot.app, ONE, "parts")
    await stock(bot.app, TWO, "parts")
    await watch(bot, ONE, C_ONE, ChannelMode.COLLECT)
    await watch(bot, TWO, C_TWO, ChannelMode.GUARD)
    await slack.wait_for_reaction(await slack.upload(slack.host(ORIGINAL, "valve.png", team=ONE), channel=C_ONE))
    # The same picture is new to the other workspace.
    shared = await slack.upload(slack.host(ORIGINAL, "theirs.png", team=TWO), channel=C_TWO)
    catalogue = bot.app.services.storage.catalogue
    for _ in range(1000):
        if await catalogue.with_origins(OriginScope(WorkspaceId(TWO), channel=C_TWO, message=shared.ts), 1):
            break
        await asyncio.sleep(0.01)
    repost = await slack.upload(slack.host(ORIGINAL, "again.png", team=TWO), channel=C_TWO)
    answer = await reply(slack, repost)
    assert "`theirs`" in answer.everything
    assert "valve" not in answer.everything
    assert slack.replies(shared.ts) == []
    assert (await images(bot, ONE), await images(bot, TWO)) == (["valve"], ["theirs"])


async def test_image_deleted_in_one_workspace_stays_in_the_other(slack: FakeSlack, bot: WebBot) -> None:
    await stock(bot.app, ONE, "parts")
    await stock(bot.app, TWO, "parts", kept=ORIGINAL)
    await watch(bot, ONE, C_ONE, ChannelMode.COLLECT)
    shared = await slack.upload(slack.host(ORIGINAL, "valve.png", team=ONE), channel=C_ONE)
    await slack.wait_for_reaction(shared)
    [own] = await bot.app.services.storage.catalogue.with_origins(
        OriginScope(WorkspaceId(ONE), file=shared.files[0].id), 2
    )
    first = await reply(slack, await slack.upload(ORIGINAL, channel=C_ONE, mention=True))
    second = await reply(slack, await slack.upload(ORIGINAL, channel=C_TWO))
    addresses = [picture_of(message) for message in (first, second)]
    assert addresses[0] != addresses[1]
    await (await slack.delete_file(shared.files[0]))
    await until_gone(bot, own.database)
    assert (await images(bot, ONE), await images(bot, TWO)) == ([], ["kept"])
    # One picture on disk, which only one of the two may still see.
    statuses = [(await bot.browser.get(urlsplit(address).path)).status_code for address in addresses]
    assert statuses == [404, 200]


async def test_shared_channel_gets_an_answer_from_each_workspaces_own_data(slack: FakeSlack, bot: WebBot) -> None:
    await stock(bot.app, ONE, "parts", first_valve=ORIGINAL)
    await stock(bot.app, TWO, "parts", second_valve=ORIGINAL)
    slack.add_channel(BETWEEN, "between", kind="shared", team=ONE, guests=(TWO,))
    await watch(bot, ONE, BETWEEN, ChannelMode.COLLECT)
    shared = await slack.upload(slack.host(NEW, "between.png", team=ONE), channel=BETWEEN)
    await slack.wait_for_reaction(shared)
    assert await images(bot, ONE) == ["between", "first_valve"]
    assert await images(bot, TWO) == ["second_valve"]
    await watch(bot, ONE, BETWEEN, ChannelMode.LOOKUP)
    answer = await reply(slack, await slack.upload(ORIGINAL, channel=BETWEEN, text="min:0"))
    assert "`between`" in answer.everything
    assert "valve" not in answer.everything


async def test_third_workspaces_delivery_reaches_neither(slack: FakeSlack, bot: WebBot) -> None:
    await stock(bot.app, ONE, "parts", first_valve=ORIGINAL)
    slack.add_workspace("T0THREE", "Three", "xoxb-not-installed")
    slack.add_channel("C0THREE", "general", team="T0THREE")
    shared = await slack.upload(ORIGINAL, channel="C0THREE")
    await reply(slack, await slack.upload(ORIGINAL, channel=C_ONE))
    assert slack.replies(shared.ts) == []


def picture_of(message: Message) -> str:
    [address] = [picture["image_url"] for picture in shown_pictures(message)]
    assert address.startswith(f"{PUBLIC}/media/")
    return str(address)


async def until_gone(bot: WebBot, key: DatabaseKey) -> None:
    catalogue, inbox = bot.app.services.storage.catalogue, bot.app.services.storage.inbox
    async with asyncio.timeout(10):
        while (await catalogue.database(key)).images or (await inbox.depth()).waiting:  # noqa: ASYNC110 - the database changes
            await asyncio.sleep(0.005)
