"""``/vsearch watch``, ``unwatch`` and ``status``, and the effect of an offer's buttons on its channel."""

from __future__ import annotations

import pytest

from bot.app.slack_app import SlackApp
from bot.domain.channels import DEFAULT_RULES, NO_RULES, ChannelBinding, ChannelMode
from bot.domain.errors import BackendDown
from bot.domain.identifiers import DatabaseName, WorkspaceId
from tests.fakes.slack import GENERAL, SOMEONE, FakeSlack
from tests.scenario.conftest import Start, fill
from tests.scenario.support.requests import GASKET, VALVE, action_ids, idle, key_of, run_command


async def binding_of(app: SlackApp, channel: str = GENERAL) -> ChannelBinding | None:
    """Return a channel's settings."""
    assert app.identity is not None
    return await app.services.storage.bindings.get(WorkspaceId(app.identity.workspace), channel)


@pytest.mark.parametrize(
    ("text", "expected", "says"),
    [
        ("watch in:parts", (ChannelMode.LOOKUP, None), f"Images shared in <#{GENERAL}> are looked up in `parts`."),
        ("watch lookup in:parts min:7.5", (ChannelMode.LOOKUP, 7.5), "Matches of 7.5 and higher are shown."),
        ("watch collect in:parts", (ChannelMode.COLLECT, None), "are added to `parts`."),
        ("watch guard in:parts", (ChannelMode.GUARD, None), "Matches of 9 and higher are reported"),
        ("watch guard min:8 in:parts", (ChannelMode.GUARD, 8.0), "Matches of 8 and higher"),
        ("watch", (ChannelMode.LOOKUP, None), "are looked up in `parts`."),
    ],
)
async def test_watch_sets_the_channel(
    slack: FakeSlack, start: Start, text: str, expected: tuple[ChannelMode, float | None], says: str
) -> None:
    app = await start()
    await fill(app, "parts")
    answer = await run_command(slack, text)
    assert says in answer.everything
    assert "`/invite`" not in answer.everything
    mode, minimum = expected
    workspace, name = key_of(app, "parts").workspace, DatabaseName("parts")
    rules = DEFAULT_RULES if mode is ChannelMode.GUARD else NO_RULES
    assert await binding_of(app) == ChannelBinding(workspace, GENERAL, mode, name, minimum, SOMEONE, rules)


async def test_omitted_settings_stay_unchanged(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts")
    await fill(app, "logos")
    await run_command(slack, "watch guard in:parts min:8")
    await run_command(slack, "watch in:logos")
    now = await binding_of(app)
    assert now is not None
    assert (now.mode, now.database, now.minimum) == (ChannelMode.GUARD, "logos", 8.0)
    await run_command(slack, "watch lookup")
    now = await binding_of(app)
    assert now is not None
    # A guard's minimum score would hide most results of a lookup.
    assert (now.mode, now.database, now.minimum) == (ChannelMode.LOOKUP, "logos", None)


async def test_channel_mode_takes_effect(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    await run_command(slack, "unwatch")
    left_alone = await slack.upload(VALVE)
    await idle(app)
    assert slack.replies(left_alone.ts) == []
    await run_command(slack, "watch collect in:parts")
    collected = await slack.upload(GASKET)
    assert await slack.wait_for_reaction(collected) == "white_check_mark"
    await run_command(slack, "watch guard in:parts")
    repost = await slack.upload(GASKET)
    assert "10/10" in (await slack.wait_for_reply(GENERAL, repost.ts)).everything


async def test_unwatch_leaves_images_alone_until_watch(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    await run_command(slack, "watch guard in:parts")
    answer = await run_command(slack, "unwatch")
    assert f"Images shared in <#{GENERAL}> are ignored." in answer.everything
    assert "are ignored" in (await run_command(slack, "status")).everything
    await run_command(slack, "watch")
    now = await binding_of(app)
    assert now is not None
    assert now.mode is ChannelMode.LOOKUP


@pytest.mark.parametrize("text", ["watch collect in:parts", "unwatch"])
async def test_direct_messages_are_always_lookups(slack: FakeSlack, start: Start, text: str) -> None:
    app = await start()
    await fill(app, "parts")
    slack.add_channel("D0SOMEONE", "", kind="im")
    answer = await run_command(slack, text, channel="D0SOMEONE")
    assert "Set a mode in a channel instead" in answer.text
    assert await binding_of(app, "D0SOMEONE") is None


@pytest.mark.parametrize("kind", ["public", "private"])
async def test_watch_asks_for_an_invitation_where_the_bot_is_not_a_member(
    slack: FakeSlack, start: Start, kind: str
) -> None:
    slack.add_channel("C0AWAY", "away", private=kind == "private", bot_is_member=False)
    await fill(await start(), "parts")
    answer = await run_command(slack, "watch guard in:parts", channel="C0AWAY")
    assert "Matches of 9 and higher are reported" in answer.everything
    assert "`/invite` me" in answer.everything
    assert "`/invite` me" in (await run_command(slack, "status", channel="C0AWAY")).everything


async def test_watch_asks_which_database_if_there_are_several(slack: FakeSlack, start: Start) -> None:
    app = await start()
    nothing = await run_command(slack, "watch collect")
    assert "no image database yet" in nothing.everything
    await fill(app, "parts")
    await fill(app, "logos")
    assert "`in:logos`, `in:parts`" in (await run_command(slack, "watch collect")).everything
    assert "Did you mean “parts”?" in (await run_command(slack, "watch collect in:prats")).everything
    assert "from 0 to 10" in (await run_command(slack, "watch guard in:parts min:12")).everything
    assert await binding_of(app) is None


async def test_channel_whose_database_was_deleted_is_asked_again(slack: FakeSlack, start: Start) -> None:
    app = await start()
    for name in ("parts", "logos", "ads"):
        await fill(app, name)
    await run_command(slack, "watch collect in:ads")
    await app.services.databases.delete(key_of(app, "ads"))
    status = await run_command(slack, "status")
    assert "a database once you choose one" in status.everything


async def test_status_shows_all_settings_of_a_channel(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE, gasket_7=GASKET)
    await fill(app, "logos")
    await run_command(slack, "watch guard in:parts min:9.5")
    answer = await run_command(slack, "status")
    for part in (
        "Matches of 9.5 and higher are reported",
        "*2 image databases*, 2 images",
        "`parts`  ·  2 images",
        "`embedded`: healthy",
    ):
        assert part in answer.everything
    assert answer.to == SOMEONE
    assert set(action_ids(answer)) == {"watch_channel", "create_database"}


async def test_status_before_anything_is_set(slack: FakeSlack, start: Start) -> None:
    app = await start()
    assert "*No image databases yet*" in (await run_command(slack, "status")).everything
    await fill(app, "parts")
    assert f"Images shared in <#{GENERAL}> are looked up in `parts`" in (await run_command(slack, "status")).everything
    slack.add_channel("D0SOMEONE", "", kind="im")
    direct = await run_command(slack, "status", channel="D0SOMEONE")
    assert "Images you send me are looked up in `parts`." in direct.everything
    assert action_ids(direct) == ["create_database"]


async def test_status_reports_a_failing_back_end(
    slack: FakeSlack, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = await start()

    async def fail(*_: object) -> None:
        raise BackendDown("disk /dev/secret is on fire")

    monkeypatch.setattr(type(app.services.visual), "ping", fail)
    answer = await run_command(slack, "status")
    assert ":warning:" in answer.everything
    assert "secret" not in answer.everything


async def test_offer_to_create_makes_the_channel_use_the_new_database(slack: FakeSlack, start: Start) -> None:
    app = await start()
    shared = await slack.upload(VALVE)
    offer = await slack.wait_for_reply(GENERAL, shared.ts)
    await slack.press(offer, "create_database")
    form = await slack.wait_for_view("create_database_form")
    await slack.submit(form, {"name": "parts"})
    notice = await slack.wait_for(lambda m: "Created the database `parts`" in m.everything)
    assert f"Images shared in <#{GENERAL}> are looked up in `parts`." in notice.everything
    now = await binding_of(app)
    assert now is not None
    assert (now.mode, now.database) == (ChannelMode.LOOKUP, "parts")
    # A second database does not make the choice unclear again.
    await fill(app, "logos")
    shared = await slack.upload(VALVE)
    assert "`parts`" in (await slack.wait_for_reply(GENERAL, shared.ts)).everything


async def test_offer_to_choose_sets_the_channel(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    await fill(app, "logos")
    shared = await slack.upload(VALVE)
    offer = await slack.wait_for_reply(GENERAL, shared.ts)
    await slack.press(offer, "watch_channel")
    form = await slack.wait_for_view("watch_form")
    assert f"<#{GENERAL}>" in form.everything
    await slack.submit(form, {"database": "parts", "mode": "guard", "minimum": "12"})
    assert form.errors == {"minimum": "Enter a number from 0 to 10, such as 5."}
    await slack.submit(form, {"database": "parts", "mode": "guard", "minimum": "9,5"})
    notice = await slack.wait_for(lambda m: "Matches of 9.5 and higher" in m.everything)
    assert notice.to == SOMEONE
    now = await binding_of(app)
    assert now is not None
    assert (now.mode, now.database, now.minimum) == (ChannelMode.GUARD, "parts", 9.5)


async def test_creating_from_status_changes_no_channel(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts")
    await run_command(slack, "watch guard in:parts")
    await slack.press(await run_command(slack, "status"), "create_database")
    form = await slack.wait_for_view("create_database_form")
    await slack.submit(form, {"name": "logos"})
    await slack.wait_for(lambda m: "Created the database `logos`" in m.everything)
    now = await binding_of(app)
    assert now is not None
    assert (now.mode, now.database) == (ChannelMode.GUARD, "parts")


async def test_old_offer_does_not_change_a_channels_database(slack: FakeSlack, start: Start) -> None:
    app = await start()
    shared = await slack.upload(VALVE)
    offer = await slack.wait_for_reply(GENERAL, shared.ts)
    await fill(app, "parts")
    await run_command(slack, "watch collect in:parts")
    await slack.press(offer, "create_database")
    form = await slack.wait_for_view("create_database_form")
    await slack.submit(form, {"name": "logos"})
    notice = await slack.wait_for(lambda m: "Created the database `logos`" in m.everything)
    assert "Images shared in" not in notice.everything
    now = await binding_of(app)
    assert now is not None
    assert (now.mode, now.database) == (ChannelMode.COLLECT, "parts")


async def test_offer_in_a_direct_message_sets_no_channel(slack: FakeSlack, start: Start) -> None:
    app = await start()
    slack.add_channel("D0SOMEONE", "", kind="im")
    shared = await slack.upload(VALVE, channel="D0SOMEONE")
    offer = await slack.wait_for_reply("D0SOMEONE", shared.ts)
    await slack.press(offer, "create_database")
    form = await slack.wait_for_view("create_database_form")
    await slack.submit(form, {"name": "parts"})
    await slack.wait_for(lambda m: "Created the database `parts`" in m.everything)
    assert await binding_of(app, "D0SOMEONE") is None
