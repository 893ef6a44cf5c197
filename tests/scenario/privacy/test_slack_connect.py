"""Slack Connect: people of another organisation read the channel, and see nothing from elsewhere."""

from __future__ import annotations

import asyncio

import pytest

from bot.blocks.wording.errors import OTHER_ORGANISATION
from bot.domain.channels import ChannelMode
from tests.fakes.slack import FakeSlack, Json
from tests.fakes.slack.files import connect_stub
from tests.scenario.conftest import Start, fill
from tests.scenario.support.requests import act, action_ids, press, run_command
from tests.scenario.support.shares import NEW, ORIGINAL, OTHER, entities, images_in, reply, settled, watch

SHARED = "C0SHARED"
OURS, GUEST, THEIR_TEAM = "U0OURS", "U0GUEST", "T0THEIRS"


@pytest.fixture(autouse=True)
def _channel(slack: FakeSlack) -> None:
    slack.add_workspace(THEIR_TEAM, "Their team")
    slack.add_channel(SHARED, "with-them", kind="shared", members=[OURS, GUEST], guests=(THEIR_TEAM,))


def send_as_guests(slack: FakeSlack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Send everything as a person of the other organisation from now on."""
    deliver = slack.deliver

    def sent(kind: str, payload: Json) -> asyncio.Task[Json]:
        if isinstance(payload.get("user"), dict):
            payload["user"] = payload["user"] | {"id": GUEST, "team_id": THEIR_TEAM}
        if isinstance(event := payload.get("event"), dict) and event.get("user") == GUEST:
            payload["event"] = event | {"user_team": THEIR_TEAM, "source_team": THEIR_TEAM, "team": THEIR_TEAM}
        return deliver(kind, payload)

    monkeypatch.setattr(slack, "deliver", sent)


async def test_answer_in_a_shared_channel_shows_only_images_from_there(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", from_the_command_line=ORIGINAL)
    await watch(app, ChannelMode.COLLECT, "parts")
    await slack.wait_for_reaction(await slack.upload(slack.host(NEW, "from_general.png")))
    await watch(app, ChannelMode.COLLECT, "parts", channel=SHARED)
    await slack.wait_for_reaction(await slack.upload(slack.host(OTHER, "from_here.png"), channel=SHARED, user=OURS))
    await watch(app, ChannelMode.LOOKUP, "parts", channel=SHARED)
    answer = await reply(slack, await slack.upload(ORIGINAL, channel=SHARED, user=OURS, text="min:0"))
    assert "`from_here`" in answer.everything
    for part in ("from_the_command_line", "from_general", "About", "weaker"):
        assert part not in answer.everything
    # Members of our own organisation see everything in ephemeral answers.
    alone = await run_command(slack, "search last min:0", user=OURS, channel=SHARED)
    assert "`from_the_command_line`" in alone.everything
    assert "`from_general`" in alone.everything


async def test_shared_answer_leaves_out_images_from_elsewhere(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", sofa=ORIGINAL)
    await slack.upload(ORIGINAL, channel=SHARED, user=OURS)
    alone = await run_command(slack, "search last", user=OURS, channel=SHARED)
    assert "`sofa`" in alone.everything
    await settled(slack, app)
    public = [message for message in slack.transcript if not message.to]
    told = await press(slack, alone, "results_share", user=OURS)
    assert "Nothing that I can show here" in told.everything
    await settled(slack, app)
    assert [message for message in slack.transcript if not message.to] == public


async def test_database_names_are_not_shown_in_a_shared_channel(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", sofa=ORIGINAL)
    await fill(app, "secret_project")
    offer = await reply(slack, await slack.upload(ORIGINAL, channel=SHARED, user=GUEST))
    assert "Which database should I search?" in offer.everything
    again = await reply(slack, await slack.upload(ORIGINAL, channel=SHARED, user=OURS, mention=True))
    for message in (offer, again):
        assert "parts" not in message.everything
        assert "secret_project" not in message.everything


@pytest.mark.parametrize("named", ["secret_project", "secret_projekt", "logos_2026"])
async def test_guests_cannot_find_databases_by_naming_them(
    slack: FakeSlack, start: Start, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    app = await start()
    await fill(app, "parts", sofa=OTHER)
    await fill(app, "secret_project", plan=ORIGINAL)
    await watch(app, ChannelMode.LOOKUP, "parts", channel=SHARED)
    send_as_guests(slack, monkeypatch)
    shared = await slack.upload(ORIGINAL, channel=SHARED, user=GUEST, text=f"in:{named}", mention=True)
    answer = await reply(slack, shared)
    await settled(slack, app)
    # The sofa is hidden here, so the answer neither confirms nor denies that it matches.
    assert "Nothing in `parts` that I can show here." in answer.everything
    said = [message.everything for message in slack.transcript if message.user == slack.state.bot_user]
    assert not any("secret_project" in text for text in said)
    assert len(said) == 1


async def test_our_members_choose_a_database_there(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts")
    await fill(app, "logos")
    answer = await reply(slack, await slack.upload(ORIGINAL, channel=SHARED, user=OURS, text="in:logos", mention=True))
    assert "No images in `logos` yet" in answer.everything


async def test_guests_cannot_press_buttons(slack: FakeSlack, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    app = await start()
    await fill(app, "parts", sofa=ORIGINAL)
    await fill(app, "logos")
    await watch(app, ChannelMode.COLLECT, "parts", channel=SHARED)
    for number, content in enumerate((OTHER, NEW)):
        shared = await slack.upload(slack.host(content, f"from here {number}.png"), channel=SHARED, user=OURS)
        await slack.wait_for_reaction(shared)
    await watch(app, ChannelMode.LOOKUP, "parts", channel=SHARED)
    answer = await reply(slack, await slack.upload(OTHER, channel=SHARED, user=OURS, text="top:1 min:0"))
    pressed = action_ids(answer)
    assert {"results_more", "results_add_this", "results_another_database"} <= set(pressed)
    send_as_guests(slack, monkeypatch)
    for action in pressed:
        before = len(slack.transcript)
        await act(slack, answer, action, user=GUEST)
        notice = await slack.wait_for_answer(to=GUEST, after=before)
        assert notice.text == OTHER_ORGANISATION
    assert slack.views(GUEST) == []


async def test_guests_cannot_press_offers(slack: FakeSlack, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    app = await start()
    offer = await reply(slack, await slack.upload(ORIGINAL, channel=SHARED, user=GUEST))
    send_as_guests(slack, monkeypatch)
    for action in action_ids(offer):
        before = len(slack.transcript)
        await act(slack, offer, action, user=GUEST)
        assert (await slack.wait_for_answer(to=GUEST, after=before)).text == OTHER_ORGANISATION
    await settled(slack, app)
    assert slack.views(GUEST) == []


@pytest.mark.parametrize("command", ["db", "list in:parts", "help", "db create theirs", "status"])
async def test_guests_cannot_use_commands(
    slack: FakeSlack, start: Start, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    app = await start()
    await fill(app, "parts", sofa=ORIGINAL)
    send_as_guests(slack, monkeypatch)
    said = await slack.say(command, channel=SHARED, user=GUEST, mention=True)
    await settled(slack, app)
    assert slack.transcript == [said]
    assert len(await app.services.databases.all(app.identity.workspace)) == 1  # type: ignore[union-attr]


async def test_our_members_can_use_commands_there(slack: FakeSlack, start: Start) -> None:
    await fill(await start(), "parts", sofa=ORIGINAL)
    event = {"type": "app_mention", "channel": SHARED, "user": OURS, "ts": slack.state.ts()}
    event |= {"text": f"<@{slack.state.bot_user}> db", "team": slack.state.team}
    await slack.event(event)
    notice = await slack.wait_for_answer(to=OURS)
    assert "`parts`" in notice.everything


async def test_guests_images_are_collected_and_stay_there(
    slack: FakeSlack, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = await start()
    await fill(app, "parts")
    await watch(app, ChannelMode.COLLECT, "parts", channel=SHARED)
    with monkeypatch.context() as patched:
        send_as_guests(slack, patched)
        file = slack.host(ORIGINAL, "theirs.png")
        file.stub = connect_stub(file.id)
        shared = await slack.upload(file, channel=SHARED, user=GUEST)
        await slack.wait_for_reaction(shared)
    await settled(slack, app)
    assert await entities(app) == ["theirs"]
    elsewhere = await reply(slack, await slack.upload(ORIGINAL, user=OURS))
    assert "theirs" not in elsewhere.everything
    # A member of that channel sees the image anywhere in ephemeral answers.
    assert "`theirs`" in (await run_command(slack, "search last", user=OURS)).everything
    assert "theirs" not in (await run_command(slack, "search last", user="U0COLLEAGUE")).everything


def send_as_private(slack: FakeSlack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Say in all events from now on that the channel is private, as for one that workspaces of one organisation share.

    Only conversations.info says that others read it.
    """
    deliver = slack.deliver

    def sent(kind: str, payload: Json) -> asyncio.Task[Json]:
        if isinstance(event := payload.get("event"), dict):
            payload["event"] = event | {"channel_type": "group"}
            payload["is_ext_shared_channel"] = False
        return deliver(kind, payload)

    monkeypatch.setattr(slack, "deliver", sent)


async def test_private_channel_of_several_workspaces_counts_as_shared(
    slack: FakeSlack, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = await start()
    await fill(app, "parts", sofa=ORIGINAL)
    send_as_private(slack, monkeypatch)
    answer = await reply(slack, await slack.upload(ORIGINAL, channel=SHARED, user=OURS))
    assert "sofa" not in answer.everything
    await settled(slack, app)


async def test_question_below_a_picture_there_shows_no_other_database(
    slack: FakeSlack, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = await start()
    await fill(app, "parts", sofa=ORIGINAL)
    await fill(app, "logos", logo=OTHER)
    await watch(app, ChannelMode.COLLECT, "parts", channel=SHARED)
    shared = await slack.upload(slack.host(NEW, "from_here.png"), channel=SHARED, user=OURS)
    await slack.wait_for_reaction(shared)
    send_as_private(slack, monkeypatch)
    await slack.say("in:* min:0", channel=SHARED, user=OURS, thread_ts=shared.ts, mention=True)
    answer = await reply(slack, shared)
    assert "`from_here`" in answer.everything
    for hidden in ("all databases", "sofa", "logo"):
        assert hidden not in answer.everything


async def test_guard_in_a_shared_channel_reports_only_images_from_there(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "ads", sofa=ORIGINAL)
    await watch(app, ChannelMode.GUARD, "ads", channel=SHARED)
    quiet = await slack.upload(ORIGINAL, channel=SHARED, user=GUEST)
    first = await slack.upload(slack.host(OTHER, "theirs.png"), channel=SHARED, user=GUEST)
    await settled(slack, app)
    repost = await slack.upload(OTHER, channel=SHARED, user=GUEST)
    assert "`theirs`" in (await reply(slack, repost)).everything
    assert slack.replies(quiet.ts) == slack.replies(first.ts) == []


async def test_caption_of_another_organisation_selects_no_database(
    slack: FakeSlack, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = await start()
    await fill(app, "parts")
    await fill(app, "logos")
    await watch(app, ChannelMode.COLLECT, "parts", channel=SHARED)
    send_as_guests(slack, monkeypatch)
    shared = await slack.upload(slack.host(NEW, "new.png"), channel=SHARED, user=GUEST, text="for in:logos, please")
    await slack.wait_for_reaction(shared)
    await settled(slack, app)
    assert await entities(app, "logos") == []
    assert [record.note for record in await images_in(app)] == ["for in:logos, please"]


async def test_only_our_members_learn_as_what_a_collected_picture_is_known(
    slack: FakeSlack, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = await start()
    await fill(app, "parts", sofa=ORIGINAL)
    await watch(app, ChannelMode.COLLECT, "parts", channel=SHARED)
    with monkeypatch.context() as patched:
        deliver = slack.deliver
        # Slack names the author's workspace.
        patched.setattr(slack, "deliver", lambda kind, payload: deliver(kind, _with_team(payload, slack.state.team)))
        ours = await slack.upload(slack.host(ORIGINAL, "ours.png"), channel=SHARED, user=OURS)
    await settled(slack, app)
    [known] = [message for message in slack.transcript if message.to]
    assert (known.to, "as `sofa`" in known.everything) == (OURS, True)
    assert slack.reactions(ours) == ["white_check_mark"]
    await (await slack.delete_message(ours))
    send_as_guests(slack, monkeypatch)
    theirs = await slack.upload(slack.host(ORIGINAL, "theirs.png"), channel=SHARED, user=GUEST)
    await settled(slack, app)
    assert slack.reactions(theirs) == ["white_check_mark"]
    assert [message for message in slack.transcript if message.to] == [known]


def _with_team(payload: Json, team: str) -> Json:
    return payload | {"event": payload["event"] | {"team": team}} if "event" in payload else payload
