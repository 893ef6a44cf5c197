"""The bot works without each optional scope, and says what is off."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.domain.channels import ChannelMode
from handlers.slack.scopes import NEEDED, OPTIONAL, SCOPES
from tests.fakes.slack import GENERAL, SOMEONE, FakeSlack
from tests.fakes.slack.values import ConversationKind
from tests.scenario.conftest import Start, fill
from tests.scenario.operations.test_start import doctor
from tests.scenario.support.requests import GASKET, VALVE, message_after, run_command
from tests.scenario.support.shares import entities, settled, watch

KINDS = {
    "private channels": {"groups:history", "groups:read"},
    "direct messages": {"im:history", "im:read"},
    "group messages": {"mpim:history", "mpim:read"},
    "links": {"links:read", "links:write"},
    "reactions": {"reactions:write"},
    "user groups": {"usergroups:read"},
}


def withhold(slack: FakeSlack, *scopes: str) -> None:
    """Let the workspace grant all scopes but some."""
    slack.grant_scopes(*set(SCOPES).difference(scopes))


def test_every_optional_scope_is_tried() -> None:
    assert set().union(*KINDS.values()) == set(OPTIONAL)
    assert not set(NEEDED) & set(OPTIONAL)


@pytest.mark.parametrize("kind", KINDS)
async def test_public_channels_work_without_optional_scopes(slack: FakeSlack, start: Start, kind: str) -> None:
    withhold(slack, *KINDS[kind])
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    shared = await slack.upload(VALVE, text="min:0", mention=True)
    assert "valve_0042" in (await slack.wait_for_reply(GENERAL, shared.ts)).everything
    await watch(app, ChannelMode.COLLECT, "parts")
    await slack.upload(slack.host(GASKET, "gasket.png"))
    await settled(slack, app)
    assert await entities(app) == ["valve_0042", "gasket"]
    if kind == "reactions":
        slack.forgive("missing_scope: reactions.add needs reactions:write")
    status = (await run_command(slack, "status")).everything
    for scope in OPTIONAL:
        assert (f"`{scope}`" in status) is (scope in KINDS[kind])


@pytest.mark.parametrize(("kind", "read"), [("private", "groups:read"), ("im", "im:read"), ("mpim", "mpim:read")])
async def test_closed_conversations_are_answered_if_only_their_readers_are_unknown(
    slack: FakeSlack, start: Start, kind: ConversationKind, read: str
) -> None:
    there = f"{'D' if kind == 'im' else 'G'}0THERE"
    slack.add_channel(there, "there", kind=kind, members=[SOMEONE])
    withhold(slack, read)
    await fill(await start(), "parts", valve_0042=VALVE)
    before = len(slack.transcript)
    await slack.upload(VALVE, text="min:0", channel=there, mention=kind != "im")
    answer = await message_after(slack, before + 1)
    assert "valve_0042" in answer.everything
    slack.forgive(f"missing_scope: conversations.info needs {read}")


async def test_images_of_a_private_channel_whose_readers_are_unknown_are_shown_only_there(
    slack: FakeSlack, start: Start
) -> None:
    slack.add_channel("G0THERE", "there", kind="private", members=[SOMEONE])
    withhold(slack, "groups:read")
    app = await start()
    await fill(app, "parts")
    await watch(app, ChannelMode.COLLECT, "parts", channel="G0THERE")
    shared = await slack.upload(slack.host(VALVE, "valve.png"), channel="G0THERE")
    await slack.wait_for_reaction(shared)
    await settled(slack, app)
    for channel, shows in (("G0THERE", True), (GENERAL, False)):
        asked = await slack.upload(VALVE, text="min:0", channel=channel, mention=True)
        answer = await slack.wait_for_reply(channel, asked.ts)
        assert ("`valve`" in answer.everything) is shows
    # Nor does one of its members see them elsewhere.
    assert "`valve`" not in (await run_command(slack, "list")).everything
    slack.forgive("missing_scope: conversations.info needs groups:read")
    slack.forgive("missing_scope: conversations.members needs groups:read")


async def test_status_does_not_mention_scopes_that_are_granted(slack: FakeSlack, start: Start) -> None:
    await start()
    assert "doesn't allow" not in (await run_command(slack, "status")).everything
    withhold(slack)
    assert "doesn't allow" not in (await run_command(slack, "status")).everything


async def test_doctor_compares_granted_with_needed_scopes(slack: FakeSlack, tmp_path: Path) -> None:
    settings = slack.environment | {"VSEARCH_DATA_DIR": str(tmp_path / "data")}
    withhold(slack)
    code, found = await doctor(settings)
    assert (code, set(found.values())) == (0, {"ok"})
    withhold(slack, "mpim:read", "files:read")
    code, found = await doctor(settings)
    assert code == 4
    [wrong] = [text for text, state in found.items() if state == "wrong"]
    assert "files:read" in wrong
    [note] = [text for text, state in found.items() if state == "note"]
    assert "mpim:read" in note
    assert OPTIONAL["mpim:read"] in note
