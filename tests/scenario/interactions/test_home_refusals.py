"""Shared files that could not be added, in App Home: why, where, and for whom they are shown."""

from __future__ import annotations

import pytest

from bot.app.slack_app import SlackApp
from bot.domain.channels import ChannelMode
from bot.domain.errors import UnknownDatabase
from bot.domain.identifiers import DatabaseKey
from handlers.inbox.share import Share
from handlers.jobs.share_databases import ShareDatabases
from tests.fakes.slack import GENERAL, SOMEONE, FakeSlack
from tests.scenario.conftest import Start, fill
from tests.scenario.privacy.private_images import THERE
from tests.scenario.support.home import URL, open_home
from tests.scenario.support.requests import VALVE
from tests.scenario.support.shares import settled, watch

INSIDER = "U0OTHER"
DAMAGED = b"\x89PNG\r\n\x1a\n" + b"junk" * 300


async def start_watching(slack: FakeSlack, start: Start) -> SlackApp:
    """Start a bot that collects in a public and a private channel."""
    slack.add_channel(THERE, "there", kind="private", members=[INSIDER])
    app = await start(**URL)
    await fill(app, "parts", valve_0042=VALVE)
    for channel in (GENERAL, THERE):
        await watch(app, ChannelMode.COLLECT, "parts", channel=channel)
    return app


async def test_refused_files_are_shown_to_readers_of_their_channel_until_they_are_deleted(
    slack: FakeSlack, start: Start
) -> None:
    app = await start_watching(slack, start)
    here = await slack.upload(slack.host(DAMAGED, "broken.png"))
    await slack.upload(slack.host(DAMAGED, "secret.png"), channel=THERE, user=INSIDER)
    await settled(slack, app)
    member, insider = await open_home(slack), await open_home(slack, INSIDER)
    assert f"`broken.png` in <#{GENERAL}>  ·  shared by <@{SOMEONE}>" in member.everything
    assert "The PNG is damaged or incomplete." in member.everything
    assert f"/archives/{GENERAL}/p{here.ts.replace('.', '')}|original message>" in str(member.blocks)
    assert "secret.png" not in str(member.body)
    assert THERE not in str(member.body)
    assert "`secret.png`" in insider.everything
    await (await slack.delete_message(here))
    await settled(slack, app)
    assert "broken.png" not in str((await open_home(slack)).body)


async def test_files_of_a_database_that_is_gone_are_refused_without_naming_another(
    slack: FakeSlack, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = await start_watching(slack, start)

    async def deleted_meanwhile(_: ShareDatabases, share: Share) -> DatabaseKey:
        raise UnknownDatabase("partz", did_you_mean="parts")

    monkeypatch.setattr(ShareDatabases, "choose", deleted_meanwhile)
    await slack.upload(slack.host(VALVE, "valve.png"))
    await settled(slack, app)
    home = await open_home(slack)
    assert f"`valve.png` in <#{GENERAL}>" in home.everything
    assert "There is no database “partz” here." in home.everything
    assert "Did you mean" not in home.everything
