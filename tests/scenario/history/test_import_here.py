"""``/vsearch import here``: past pictures are added like live ones, without answers, reactions and reports."""

from __future__ import annotations

from typing import Any

import pytest

from bot.blocks.ids import ActionId
from bot.domain.channels import ChannelKind, ChannelMode
from bot.domain.identifiers import DatabaseKey, WorkspaceId
from bot.domain.jobs import HistoryStatus, NewHistoryImport
from bot.services.search.lookup import LookupService
from tests.fakes.slack import GENERAL, SOMEONE, FakeSlack
from tests.scenario.conftest import Start, fill
from tests.scenario.support.home import open_home
from tests.scenario.support.past import hurry, import_of, notices, over, picture, unseen
from tests.scenario.support.requests import run_command
from tests.scenario.support.shares import ORIGINAL, edited_copy, entities, images_in, settled, watch


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the worker begin at once."""
    hurry(monkeypatch)


async def test_past_pictures_are_collected_with_origins_and_captions(slack: FakeSlack, start: Start) -> None:
    with unseen(slack):
        first = await slack.upload(slack.host(picture(1), "valve 1.jpg"), text="Brass")
        reply = await slack.upload(slack.host(picture(2), "valve 2.jpg"), text="id:VLV-2", thread_ts=first.ts)
        await slack.upload(slack.host(picture(1), "again.jpg"))
        await slack.say("nothing to see")
        await slack.upload(slack.host(picture(3)), mention=True)
        await slack.upload(slack.host(b"no picture", "broken.jpg"))
    slack.state.messages[0] = first = await slack.state.edit(first, edited=True)
    app = await start()
    await fill(app, "parts")
    await watch(app, ChannelMode.COLLECT, "parts")
    answer = await run_command(slack, "import here")
    assert "less than a minute" in answer.text
    done = await over(app)
    await settled(slack, app)
    assert (done.status, done.added, done.known, done.refused) == (HistoryStatus.DONE, 3, 0, 1)
    records = {str(record.entity): record for record in await images_in(app)}
    assert sorted(records) == ["VLV-2", "valve 1"]
    origin = records["valve 1"].origin
    assert origin is not None
    assert (records["valve 1"].note, records["valve 1"].added_by) == ("Brass", SOMEONE)
    assert len(records["valve 1"].origins) == 2
    assert (origin.channel, origin.message_ts, origin.kind) == (GENERAL, first.ts, ChannelKind.PUBLIC)
    assert origin.permalink.endswith(f"/archives/{GENERAL}/p{first.ts.replace('.', '')}")
    in_thread = records["VLV-2"].origin
    assert in_thread is not None
    assert in_thread.permalink.endswith(f"p{reply.ts.replace('.', '')}?thread_ts={first.ts}&cid={GENERAL}")
    # One message, edited in place, and nothing else that anybody sees.
    [notice] = notices(slack)
    assert "4 pictures" not in notice.text
    assert notice.text.startswith("*Past pictures added*: 3 pictures from")
    assert not slack.state.reactions
    assert [one.to for one in slack.transcript if one.via == "chat.postEphemeral"] == []


async def test_second_run_adds_nothing_twice(slack: FakeSlack, start: Start) -> None:
    with unseen(slack):
        for seed in range(3):
            await slack.upload(slack.host(picture(seed), f"part {seed}.jpg"))
    app = await start()
    await fill(app, "parts")
    await watch(app, ChannelMode.COLLECT, "parts")
    for known in (0, 3):
        await run_command(slack, "import here")
        done = await over(app)
        await settled(slack, app)
        assert (done.known, done.added) == (known, 3 - known)
        assert [len(record.origins) for record in await images_in(app)] == [1, 1, 1]
    assert "3 had been added before" in notices(slack)[-1].text


async def test_database_is_looked_up_once_for_a_batch(
    slack: FakeSlack, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen: list[object] = []
    choose = LookupService.choose

    async def counted(self: LookupService, *named: Any) -> DatabaseKey:
        chosen.append(named)
        return await choose(self, *named)

    with unseen(slack):
        for seed in range(3):
            await slack.upload(slack.host(picture(seed), f"part {seed}.jpg"))
    app = await start()
    await fill(app, "parts")
    monkeypatch.setattr(LookupService, "choose", counted)
    await run_command(slack, "import here in:parts")
    assert (await over(app)).added == 3
    # By the command, and by the import.
    assert len(chosen) == 2


async def test_guard_channel_adds_what_is_new_and_reports_no_old_repost(slack: FakeSlack, start: Start) -> None:
    with unseen(slack):
        await slack.upload(slack.host(ORIGINAL, "valve.png"))
        await slack.upload(slack.host(edited_copy(), "copy.jpg"))
        await slack.upload(slack.host(picture(5), "other.jpg"))
    app = await start()
    await fill(app, "parts")
    await watch(app, ChannelMode.GUARD, "parts")
    await run_command(slack, "import here")
    assert (await over(app)).status is HistoryStatus.DONE
    await settled(slack, app)
    assert sorted(await entities(app)) == ["other", "valve"]
    assert len(notices(slack)) == 1
    assert not slack.state.reactions


async def test_forwards_and_links_are_imported_and_since_leaves_older_ones_out(slack: FakeSlack, start: Start) -> None:
    slack.add_channel("C0OTHER", "other")
    with unseen(slack):
        await slack.upload(slack.host(picture(1), "too old.jpg"))
        mark = slack.state.messages[-1].ts
        thread = slack.state.messages[-1]
        await slack.upload(slack.host(picture(2), "new reply.jpg"), thread_ts=thread.ts)
    with unseen(slack, "C0OTHER"):
        elsewhere = await slack.upload(slack.host(picture(3), "forwarded.jpg"), channel="C0OTHER")
    with unseen(slack):
        await slack.forward(elsewhere)
    app = await start()
    await fill(app, "parts")
    assert app.identity is not None
    new = NewHistoryImport(
        workspace=WorkspaceId(app.identity.workspace),
        enterprise="",
        channel=GENERAL,
        database="parts",
        oldest=mark,
        latest="9999999999.000000",
    )
    assert await app.services.storage.history.start(new)
    done = await over(app)
    assert done.status is HistoryStatus.DONE
    assert sorted(await entities(app)) == ["forwarded", "new reply"]


async def test_channel_that_adds_nothing_needs_a_database(slack: FakeSlack, start: Start) -> None:
    with unseen(slack):
        await slack.upload(slack.host(picture(1), "valve.jpg"))
    app = await start()
    await fill(app, "parts")
    answer = await run_command(slack, "import here")
    assert "/vsearch import here in:parts" in answer.text
    assert await import_of(app) is None
    await slack.press(answer, ActionId.RUN_COMMAND)
    assert (await over(app)).status is HistoryStatus.DONE
    assert await entities(app) == ["valve"]


async def test_app_home_adds_past_pictures_of_a_channel(slack: FakeSlack, start: Start) -> None:
    with unseen(slack):
        await slack.upload(slack.host(picture(1), "valve.jpg"))
    app = await start()
    await fill(app, "parts")
    await watch(app, ChannelMode.COLLECT, "parts")
    home = await open_home(slack)
    await slack.press_in_view(home, ActionId.IMPORT_HISTORY, about=GENERAL)
    assert (await over(app)).added == 1
    assert await entities(app) == ["valve"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("import", "/vsearch import here"),
        ("import here since:tomorrow", "`since:` must be a day"),
        ("import here since:2999-01-01", "`since:` must be a day"),
        ("import here in:nowhere", "no database “nowhere”"),
    ],
)
async def test_mistakes_get_one_sentence(slack: FakeSlack, start: Start, text: str, says: str) -> None:
    app = await start()
    await fill(app, "parts")
    assert says in (await run_command(slack, text)).text
    assert await import_of(app) is None


async def test_missing_membership_and_scopes_are_named(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts")
    slack.add_channel("C0AWAY", "away", bot_is_member=False)
    assert "/invite" in (await run_command(slack, "import here in:parts", channel="C0AWAY")).text
    slack.refuse_next("conversations.history", "missing_scope")
    assert "channels:history" in (await run_command(slack, "import here in:parts")).text
    direct = slack.state.direct(SOMEONE, slack.state.home)
    assert "in a channel" in (await run_command(slack, "import here in:parts", channel=direct.id)).text


async def test_private_channel_keeps_its_pictures_to_its_members(slack: FakeSlack, start: Start) -> None:
    slack.add_channel("C0SECRET", "secret", kind="private")
    with unseen(slack, "C0SECRET"):
        await slack.upload(slack.host(picture(1), "hush.jpg"), channel="C0SECRET")
    app = await start()
    await fill(app, "parts")
    await run_command(slack, "import here in:parts", channel="C0SECRET")
    assert (await over(app, "C0SECRET")).status is HistoryStatus.DONE
    [record] = await images_in(app)
    assert record.origin is not None
    assert record.origin.kind is ChannelKind.PRIVATE
    assert "hush" not in (await run_command(slack, "list in:parts", user="U0OUTSIDER")).everything
