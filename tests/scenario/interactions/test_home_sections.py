"""What App Home tells each person: what is new, a picture of each database, what waits, and the first steps."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Connection, update

from bot.app.slack_app import SlackApp
from bot.domain.channels import ChannelMode
from bot.domain.identifiers import EntityId, WorkspaceId
from bot.domain.jobs import JobKind, NewJob
from bot.storage.sql.schema.tables import inbox
from handlers.parsing.payloads import encode_request
from tests.fakes.slack import GENERAL, SOMEONE, FakeSlack, View
from tests.fakes.slack.payloads import event_body
from tests.scenario.conftest import PictureServer, Start, fill, fill_as
from tests.scenario.interactions.test_app_home import open_home, wait_until_hidden, wait_until_shown
from tests.scenario.privacy.private_images import INSIDER, SECRETS, THERE, start_with_private_image
from tests.scenario.privacy.test_guests import GUEST, HERE, HIDDEN, MEMBER, start_with_guest
from tests.scenario.support.requests import (
    GASKET,
    UNRELATED,
    VALVE,
    add_secret,
    idle,
    images_of,
    key_of,
    message_after,
    names_of,
    run_command,
)
from tests.scenario.support.shares import settled, watch

OTHER, ADMIN = "U0OTHER", "U0ADMIN"
URL = {"PUBLIC_BASE_URL": "https://bot.example"}


def covers(home: View) -> list[dict[str, Any]]:
    """Return the pictures beside the databases."""
    return [block["accessory"] for block in home.blocks if block.get("accessory", {}).get("type") == "image"]


async def add_from(slack: FakeSlack, app: SlackApp, content: bytes, name: str, user: str = OTHER) -> None:
    """Share a picture in a channel that collects into ``parts``."""
    await watch(app, ChannelMode.COLLECT, "parts")
    shared = await slack.upload(slack.host(content, name), user=user)
    await slack.wait_for_reaction(shared)
    await settled(slack, app)


async def test_news_are_those_since_the_last_opening(slack: FakeSlack, start: Start) -> None:
    app = await start(**URL)
    await fill(app, "parts", valve_0042=VALVE)
    first = await open_home(slack)
    assert "In the last 7 days" in first.everything
    assert "`parts`: *1 new image*\n1 imported" in first.everything
    await add_from(slack, app, GASKET, "gasket.png")
    home = await open_home(slack)
    assert f"`parts`: *1 new image*\n1 by <@{OTHER}> in <#{GENERAL}>" in home.everything
    assert "Since your last visit, " in home.everything
    # A press shows the same news again.
    await slack.press_in_view(home, "unwatch_channel", about=GENERAL)
    await wait_until_shown(slack, home, "are ignored")
    assert "*1 new image*" in home.everything
    # Some clients open Home again after a press.
    assert "*1 new image*" in (await open_home(slack)).everything
    later = await open_home(slack, OTHER)
    assert "`parts`: *2 new images*" in later.everything
    later = await open_home(slack, OTHER)
    assert "Nothing new since your last visit, " in later.everything
    assert "new image" not in later.everything


async def test_repeated_delivery_of_an_opening_keeps_the_news(slack: FakeSlack, start: Start) -> None:
    app = await start(**URL)
    await fill(app, "parts")
    await open_home(slack)
    await fill_as(OTHER, app, "logos", {"valve": VALVE})
    event = {"type": "app_home_opened", "user": SOMEONE, "tab": "home", "event_ts": slack.state.ts()}
    payload = event_body(slack.state, slack.state.home, event)
    for _ in range(2):
        # As if another process got it the second time.
        app.wrapper._seen.clear()
        await slack.deliver("events_api", payload)
        await idle(app)
    home = slack.home()
    assert home is not None
    assert "`logos`: *1 new image*" in home.everything


async def test_pictures_of_databases_are_signed_links(slack: FakeSlack, start: Start) -> None:
    app = await start(**URL)
    await fill(app, "parts", valve_0042=VALVE)
    await fill(app, "empty")
    home = await open_home(slack)
    [cover] = covers(home)
    assert cover["image_url"].startswith("https://bot.example/media/")
    assert cover["alt_text"] == "The newest image in parts: valve_0042"
    await idle(app)
    assert len(slack.calls("views.publish")) == 1


async def test_pictures_without_an_address_follow_once_they_are_uploaded(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    await open_home(slack)
    await idle(app)
    first, second = slack.calls("views.publish")
    home = slack.home()
    assert home is not None
    assert "hash" not in first.args
    assert "slack_file" not in str(first.args)
    # Nothing newer is replaced.
    assert second.args["hash"]
    [cover] = covers(home)
    assert slack.state.files[cover["slack_file"]["id"]].given_to_app is False
    await open_home(slack)
    await idle(app)
    assert len(slack.calls("views.publish")) == 3


async def test_picture_that_slack_refuses_is_left_out(slack: FakeSlack, start: Start) -> None:
    app = await start(**URL)
    await fill(app, "parts", valve_0042=VALVE)
    slack.refuse_next("views.publish", "invalid_arguments")
    home = await open_home(slack)
    assert covers(home) == []
    assert "`parts`  ·  1 image" in home.everything


@pytest.mark.parametrize("hints", [False, True])
async def test_hidden_images_are_neither_shown_nor_counted(slack: FakeSlack, start: Start, hints: bool) -> None:
    app = await start_with_private_image(slack, start, "private", hints=hints)
    await idle(app)
    theirs = await open_home(slack, OTHER)
    assert f"`parts`  ·  {2 if hints else 1} image" in theirs.everything
    assert "Newest: `sofa`" in theirs.everything
    assert "`parts`: *1 new image*" in theirs.everything
    assert not any(secret in str(theirs.body) for secret in SECRETS)
    mine = await open_home(slack, INSIDER)
    assert "Newest: `secret_plan`" in mine.everything
    assert f"by <@{INSIDER}> in <#{THERE}>" in mine.everything


async def test_guest_sees_only_their_channels(slack: FakeSlack, start: Start) -> None:
    await start_with_guest(slack, start)
    home = await open_home(slack, GUEST)
    assert not any(word in str(home.body) for word in (*HIDDEN, "secret_stock"))
    assert "Newest: `chair`" in home.everything
    assert f"*1 new image*\n1 by <@{MEMBER}> in <#{HERE}>" in home.everything
    assert "`parts`  ·  1 image" in home.everything
    member = await open_home(slack, MEMBER)
    assert "Newest: `lamp`" in member.everything
    assert "*3 new images*" in member.everything


async def test_guest_without_a_database_is_told_nothing_of_others(slack: FakeSlack, start: Start) -> None:
    slack.add_person(GUEST, is_restricted=True)
    app = await start()
    for name in ("stock", "logos"):
        await fill(app, name, valve=VALVE)
    home = await open_home(slack, GUEST)
    assert "There's no image database for you yet." in home.everything
    assert "No image databases yet" not in home.everything
    assert not any(name in str(home.body) for name in ("stock", "logos", "valve"))
    assert "0 databases, 0 images" in home.everything


async def test_beginners_get_three_steps_until_there_is_an_image(slack: FakeSlack, start: Start) -> None:
    app = await start(**URL)
    home = await open_home(slack)
    for step in ("Add your first pictures", "1.  *Create a database*", "2.  *Add pictures*", "3.  *Search*"):
        assert step in home.everything
    await slack.press_in_view(home, "create_database")
    await slack.submit(await slack.wait_for_view("create_database_form"), {"name": "parts"})
    await wait_until_shown(slack, home, "you have `parts`")
    await slack.press_in_view(home, "add_pictures")
    form = await slack.wait_for_view("add_pictures_form")
    before = len(slack.transcript)
    await slack.submit(form, {"files": VALVE, "entity": "valve_1"})
    answer = await message_after(slack, before)
    assert "`valve_1`" in answer.text
    assert slack.state.channels[answer.channel].kind == "im"
    await wait_until_hidden(slack, home, "Add your first pictures")
    assert "`parts`  ·  1 image" in home.everything
    assert len(await images_of(app, "parts", "valve_1")) == 1


async def test_pictures_are_added_from_files_and_an_address(
    slack: FakeSlack, start: Start, pictures: PictureServer
) -> None:
    app = await start(VSEARCH_TRUSTED_HOSTS=pictures.address)
    await fill(app, "logos")
    await fill(app, "parts", valve_0042=VALVE)
    home = await open_home(slack)
    await slack.press_in_view(home, "add_pictures", about="parts")
    form = await slack.wait_for_view("add_pictures_form")
    await slack.submit(form, {})
    assert set(form.errors) == {"files"}
    await slack.submit(form, {"url": "ftp://x", "entity": "x" * 70})
    assert set(form.errors) == {"url", "entity"}
    url = pictures.url("gasket.png", GASKET)
    before = len(slack.transcript)
    await slack.submit(form, {"files": [VALVE, UNRELATED], "url": url, "note": "spare"})
    answer = await message_after(slack, before)
    # Each picture is answered, also the one that is there already.
    assert "already in `parts`" in answer.everything
    await idle(app)
    added = await images_of(app, "parts", "gasket")
    assert [record.note for record in added] == ["spare"]
    assert "`parts`  ·  3 images" in home.everything
    assert slack.views() == []


async def test_failed_addition_opens_again_with_what_was_entered(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts")
    home = await open_home(slack)
    await slack.press_in_view(home, "add_pictures")
    form = await slack.wait_for_view("add_pictures_form")
    await slack.submit(form, {"url": "http://127.0.0.1:9/x.png"})
    assert set(form.errors) == {"url"}
    await app.services.databases.delete(key_of(app, "parts"))
    await slack.submit(form, {"url": "http://127.0.0.1:9/x.png"})
    assert set(form.errors) == {"database"}


async def test_waiting_and_failed_messages_are_shown_to_those_who_can_read_them(slack: FakeSlack, start: Start) -> None:
    slack.add_channel(THERE, "there", kind="private", members=[OTHER])
    slack.add_person(ADMIN, is_admin=True)
    app = await start(**URL)
    await fill(app, "parts", valve_0042=VALVE)
    await put_jobs(app)
    member, insider, admin = [await open_home(slack, user) for user in (SOMEONE, OTHER, ADMIN)]
    assert f"1 message with images waiting in <#{GENERAL}>." in member.everything
    assert f"2 messages with images failed in <#{GENERAL}>." in member.everything
    assert f"Importing `parts.csv` from <#{GENERAL}>." in member.everything
    for home in (member, admin):
        assert THERE not in str(home.body)
        assert "secret.csv" not in str(home.body)
    assert f"1 message with images waiting in <#{THERE}>." in insider.everything
    assert f"Importing `secret.csv` from <#{THERE}>." in insider.everything
    assert "1 deletion failed and will be tried again." in admin.everything
    assert "deletion failed" not in f"{member.everything} {insider.everything}"


async def put_jobs(app: SlackApp) -> None:
    """Store jobs as if workers were busy with others: shares, imports, and a deletion that failed."""
    assert app.identity is not None
    await app.worker.stop(1)
    storage, workspace = app.services.storage, WorkspaceId(app.identity.workspace)
    for channel, ts, table in ((GENERAL, "1.1", "parts.csv"), (THERE, "1.2", "secret.csv")):
        event = {
            "type": "message",
            "channel": channel,
            "channel_type": "channel",
            "user": SOMEONE,
            "ts": ts,
            "text": "<@U0BOT> import",
            "files": [{"id": "F1", "name": table, "filetype": "csv", "mimetype": "text/csv", "url_private": "x"}],
        }
        body = {"type": "event_callback", "team_id": workspace, "event_id": ts, "event": event}
        payload = encode_request(body)
        await storage.inbox.put(NewJob(JobKind.REQUEST, workspace, "", f"mention:{channel}", ts, ("-",), payload))
        await storage.inbox.put(NewJob(JobKind.SHARE, workspace, "", channel, ts, ("F1",), "{}"))
    for ts in ("2.1", "2.2"):
        await storage.inbox.put(NewJob(JobKind.SHARE, workspace, "", GENERAL, ts, ("F2",), "{}"))
    await storage.inbox.put(NewJob(JobKind.FORGET, workspace, "", "forget:-", "-", ("F3",), "{}"))

    def work(connection: Connection) -> None:
        now = storage.inbox._clock()
        failed = update(inbox).where(inbox.c.message.in_(["2.1", "2.2"])).values(state="failed", finished_at=now)
        connection.execute(failed)
        connection.execute(update(inbox).where(inbox.c.kind == "forget").values(state="delayed", attempts=2))

    await storage._database.write(work)


async def test_presses_refresh_home_even_if_they_fail(slack: FakeSlack, start: Start) -> None:
    app = await start(**URL)
    await fill(app, "parts", valve_0042=VALVE)
    home = await open_home(slack)
    await app.services.databases.delete(key_of(app, "parts"))
    before = len(slack.transcript)
    await slack.press_in_view(home, "list_page", about="parts")
    assert "parts" in (await message_after(slack, before)).text
    await wait_until_shown(slack, home, "No image databases yet")
    assert await names_of(app) == []


async def test_old_buttons_of_home_still_work(slack: FakeSlack, start: Start) -> None:
    app = await start(**URL)
    await run_command(slack, "db create parts")
    home = await open_home(slack)
    # A Home that was published by an earlier version has the button itself.
    settings = next(element for block in home.blocks if block["type"] == "actions" for element in block["elements"])
    settings["action_id"], settings["value"] = "delete_database", '{"database": "parts"}'
    await slack.press_in_view(home, "delete_database")
    form = await slack.wait_for_view("delete_database_form")
    await slack.submit(form, {"name": "parts"})
    await idle(app)
    assert await names_of(app) == []


async def test_channel_that_became_private_hides_its_images(slack: FakeSlack, start: Start) -> None:
    app = await start(**URL)
    await fill(app, "parts", sofa=UNRELATED)
    # The channel was public when the image was added.
    await add_secret(slack, app)
    home = await open_home(slack, OTHER)
    assert "`parts`  ·  1 image" in home.everything
    assert "Newest: `sofa`" in home.everything
    assert "`parts`: *1 new image*\n1 imported" in home.everything
    assert "secret" not in str(home.body)
    await fill(app, "logos")
    await app.services.deletions.delete(key_of(app, "parts"), EntityId("sofa"))
    home = await open_home(slack, OTHER)
    assert "`parts`  ·  0 images" in home.everything
    assert "Add your first pictures" in home.everything
    assert covers(home) == []
