"""Links to pictures in watched channels are shared pictures, whenever Slack shows them; previews of pages are not."""

from __future__ import annotations

import pytest

from bot.app.slack_app import SlackApp
from bot.domain.channels import ChannelMode
from handlers.jobs import thread_answer
from tests.fakes.slack import GENERAL, SOMEONE, FakeSlack, Message
from tests.fakes.slack.people.forwards import unfurled_image, unfurled_page
from tests.fakes.slack.values import Json
from tests.scenario.conftest import PictureServer, Start, fill
from tests.scenario.support.requests import GASKET, VALVE
from tests.scenario.support.shares import NEW, ORIGINAL, edited_copy, images_in, reply, retry_at_once, settled, watch

DONE, FAILED = "white_check_mark", "warning"


@pytest.fixture
async def app(slack: FakeSlack, start: Start, pictures: PictureServer, monkeypatch: pytest.MonkeyPatch) -> SlackApp:
    """A bot with one database and access to the picture server."""
    retry_at_once(monkeypatch)
    app = await start(VSEARCH_TRUSTED_HOSTS=pictures.address)
    await fill(app, "parts", known=ORIGINAL)
    return app


def said_by_bot(slack: FakeSlack) -> list[Message]:
    return [message for message in slack.transcript if message.user in slack.state.bot_users]


async def say_link(slack: FakeSlack, url: str, text: str = "") -> Message:
    """Write a link, which Slack shows a moment later."""
    return await slack.unfurl(await slack.say(f"{text} <{url}>"), unfurled_image(url))


async def test_link_is_looked_up_once_in_its_thread(slack: FakeSlack, app: SlackApp, pictures: PictureServer) -> None:
    url = pictures.url("v.png", ORIGINAL)
    said = await slack.say(f"look at <{url}>")
    before = {"type": "message", "user": SOMEONE, "ts": said.ts, "text": said.text}
    shown = await slack.unfurl(said, unfurled_image(url))
    answer = await reply(slack, shown)
    assert "Best match in parts: known" in answer.text
    change: Json = {"type": "message", "subtype": "message_changed", "hidden": True, "channel": GENERAL}
    change |= {"previous_message": before, "message": {**before, "attachments": [unfurled_image(url)]}}
    # Delivered again; shown again beside a page's preview; and edited, with a link that Slack knows.
    slack.event({**change, "ts": "9.1", "event_ts": "9.1"})
    await slack.unfurl(shown, unfurled_image(url), unfurled_page("https://example.com/a", pictures.url("g.png", NEW)))
    other = pictures.url("other.png", NEW)
    edited = {**before, "text": f"see <{other}>", "edited": {"user": SOMEONE, "ts": "9.3"}}
    slack.event({**change, "message": {**edited, "attachments": [unfurled_image(other)]}, "event_ts": "9.3"})
    await slack.edit_message(shown, "look at this")
    at_once = await slack.say_with_link("here", unfurled_image(url))
    await slack.unfurl(at_once, unfurled_image(url))
    assert "Best match in parts: known" in (await reply(slack, at_once)).text
    await settled(slack, app)
    assert [len(slack.replies(one.ts)) for one in (said, at_once)] == [1, 1]
    assert pictures.requests == ["/v.png", "/v.png"]


async def test_nobody_is_answered_about_bots_pages_and_dead_links(
    slack: FakeSlack, app: SlackApp, pictures: PictureServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(thread_answer, "PROGRESS_AFTER_S", 0.0)
    url = pictures.url("v.png", VALVE)
    bot_message = await slack.post_as_app(f"<{url}>", attachments=(unfurled_image(url),))
    await slack.unfurl(bot_message, unfurled_image(url), unfurled_image(f"{url}?2"))
    page = await slack.say("<https://example.com/a>")
    await slack.unfurl(page, unfurled_page("https://example.com/a", url), unfurled_page("https://example.com/b", url))
    assert pictures.requests == []
    dead = f"http://{pictures.address}/gone.png"
    for mode in (ChannelMode.LOOKUP, ChannelMode.GUARD, ChannelMode.OFF):
        await watch(app, mode, "parts")
        await say_link(slack, dead)
        await say_link(slack, "http://127.0.0.1:1/inside.png")
        await settled(slack, app)
    assert (said_by_bot(slack), slack.calls("chat.postMessage")) == ([], [])
    assert set(pictures.requests) == {"/gone.png"}


async def test_collected_links_go_with_their_message(slack: FakeSlack, app: SlackApp, pictures: PictureServer) -> None:
    await watch(app, ChannelMode.COLLECT, "parts")
    first = await say_link(slack, pictures.url("valve.png", VALVE), "brass, 3 inch")
    await slack.wait_for_reaction(first, DONE)
    block = {"type": "image", "image_url": pictures.url("image.png", GASKET), "alt_text": "gasket"}
    event = {"type": "message", "channel": GENERAL, "channel_type": "channel", "user": SOMEONE, "text": "id:g_7"}
    second = await slack.say("id:g_7")
    slack.event(event | {"ts": second.ts, "event_ts": second.ts, "blocks": [block]})
    await slack.wait_for_reaction(second, DONE)
    added = {str(one.entity): one for one in await images_in(app) if one.origin}
    assert {entity: one.note for entity, one in added.items()} == {"valve": "brass, 3 inch", "g_7": ""}
    origin = added["valve"].origin
    assert origin is not None
    assert (origin.file_id, origin.channel, origin.message_ts) == ("", GENERAL, first.ts)
    dead = await say_link(slack, f"http://{pictures.address}/gone.png")
    await slack.wait_for_reaction(dead, FAILED)
    await settled(slack, app)
    [told] = said_by_bot(slack)
    assert (told.to, "gone.png" in told.everything) == (SOMEONE, True)
    for message in (first, second):
        await (await slack.delete_message(message))
    await settled(slack, app)
    assert [one.entity for one in await images_in(app)] == ["known"]


async def test_guard_reports_a_linked_copy_and_adds_a_new_picture(
    slack: FakeSlack, app: SlackApp, pictures: PictureServer
) -> None:
    await watch(app, ChannelMode.GUARD, "parts")
    copy = await say_link(slack, pictures.url("copy.jpg", edited_copy()))
    assert "`known`" in (await reply(slack, copy)).everything
    new = await say_link(slack, pictures.url("new.png", NEW))
    await settled(slack, app)
    assert (len(slack.replies(copy.ts)), slack.replies(new.ts)) == (1, [])
    assert sorted(record.source_name for record in await images_in(app)) == ["", "new.png"]


async def test_id_of_a_link_that_cannot_be_used_gets_a_button_for_the_link(
    slack: FakeSlack, app: SlackApp, pictures: PictureServer
) -> None:
    await watch(app, ChannelMode.COLLECT, "parts")
    long = "valve_7" * 10
    said = await say_link(slack, pictures.url("valve.png", VALVE), f"id:{long}")
    await slack.wait_for_reaction(said, DONE)
    await settled(slack, app)
    [told] = said_by_bot(slack)
    assert {str(record.entity) for record in await images_in(app)} == {"valve", "known"}
    await slack.press(told, "add_as")
    await settled(slack, app)
    [renamed] = [record.entity for record in await images_in(app) if record.entity != "known"]
    assert renamed.startswith("valve_7valve_7")
