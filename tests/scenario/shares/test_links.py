"""Unfurled links and image blocks: pictures only where somebody asks, and fetched like any link that people give."""

from __future__ import annotations

import pytest

from bot.app.slack_app import SlackApp
from bot.blocks.wording.images import NO_IMAGE_IN_MESSAGE, NO_IMAGE_YET
from bot.blocks.wording.results import COMPARED_BY_PREVIEW
from bot.domain.channels import ChannelMode
from handlers.slack import messages
from tests.fakes.slack import GENERAL, SOMEONE, FakeSlack, Message
from tests.fakes.slack.people.forwards import unfurled_image, unfurled_page
from tests.scenario.conftest import PictureServer, Start, fill
from tests.scenario.support.requests import GASKET, VALVE, run_command
from tests.scenario.support.shares import images_in, reply, settled, watch

DIRECT = "D0SOMEONE"


@pytest.fixture
async def app(slack: FakeSlack, start: Start, pictures: PictureServer, monkeypatch: pytest.MonkeyPatch) -> SlackApp:
    """A bot that ignores the channel's images, with one database and access to the picture server."""
    monkeypatch.setattr(messages, "UNFURL_DELAYS_S", (0.0, 0.05, 0.1, 0.2))
    slack.add_channel(DIRECT, "", kind="im", members=[SOMEONE])
    app = await start(VSEARCH_TRUSTED_HOSTS=pictures.address)
    await fill(app, "parts", valve_0042=VALVE, gasket_7=GASKET)
    await watch(app, ChannelMode.OFF)
    return app


def said_by_bot(slack: FakeSlack, channel: str = "", after: str = "") -> list[Message]:
    """Return what the bot posted, everywhere or in a channel."""
    own = [m for m in slack.state.messages if m.user in slack.state.bot_users and m.ts > after]
    return [m for m in own if channel in {"", m.channel}]


async def use_shortcut(slack: FakeSlack, message: Message) -> Message:
    before = len(slack.transcript)
    await slack.shortcut_message("find_similar", message)
    return await slack.wait_for_answer(after=before)


async def test_unfurled_picture_is_found_by_shortcut_and_command(
    slack: FakeSlack, app: SlackApp, pictures: PictureServer
) -> None:
    url = pictures.url("v.png", VALVE)
    said = await slack.unfurl(await slack.say(f"look at <{url}>"), unfurled_image(url))
    page = unfurled_page("https://example.com/a", pictures.url("g.png", GASKET), small=True)
    page_said = await slack.unfurl(await slack.say("<https://example.com/a>"), page)
    await settled(slack, app)
    # Nobody asked yet.
    assert (pictures.requests, said_by_bot(slack)) == ([], [])
    assert "Best match in parts: valve_0042" in (await use_shortcut(slack, said)).text
    assert "Best match in parts: gasket_7" in (await use_shortcut(slack, page_said)).text
    assert "Best match in parts: gasket_7" in (await run_command(slack, "search last")).text


async def test_picture_of_a_link_is_added_and_goes_with_its_message(
    slack: FakeSlack, app: SlackApp, pictures: PictureServer
) -> None:
    url = pictures.url("v.png", VALVE)
    said = await slack.unfurl(await slack.say(f"<{url}>"), unfurled_image(url))
    await fill(app, "logos")
    assert "Added" in (await run_command(slack, "add last in:logos id:star")).text
    [record] = await images_in(app, "logos")
    assert record.origin is not None
    assert (record.origin.channel, record.origin.message_ts) == (GENERAL, said.ts)
    await (await slack.delete_message(said))
    await settled(slack, app)
    assert await images_in(app, "logos") == []


async def test_question_with_an_unfurled_link_is_answered_once(
    slack: FakeSlack, app: SlackApp, pictures: PictureServer
) -> None:
    url = pictures.url("v.png", VALVE)
    at_once = await slack.say_with_link("seen this?", unfurled_image(url), channel=DIRECT)
    assert "Best match in parts: valve_0042" in (await reply(slack, at_once)).text
    later = await slack.say(f"<{url}>", channel=DIRECT)
    await slack.unfurl(later, unfurled_image(url))
    await slack.unfurl(at_once, unfurled_image(url))
    await settled(slack, app)
    answers = said_by_bot(slack, DIRECT)
    assert ["Best match in parts: valve_0042" in answer.text for answer in answers] == [True, True]


async def test_preview_of_a_page_answers_a_question_about_its_link(
    slack: FakeSlack, app: SlackApp, pictures: PictureServer
) -> None:
    page = pictures.url("page.html", b"<html>hello</html>")
    asked = await slack.say(f"<{page}>", channel=DIRECT)
    await slack.unfurl(asked, unfurled_page(page, pictures.url("v.png", VALVE)))
    await settled(slack, app)
    [answer] = said_by_bot(slack, DIRECT)
    assert "Best match in parts: valve_0042" in answer.text
    assert COMPARED_BY_PREVIEW in answer.everything
    without = await slack.say(f"<{page}>", channel=DIRECT)
    await settled(slack, app)
    answers = said_by_bot(slack, DIRECT, without.ts)
    assert ["a web page, not a picture" in one.text for one in answers] == [True]


@pytest.mark.parametrize("is_known", [True, False])
async def test_mention_with_prose_and_a_link_is_answered_once(
    slack: FakeSlack, app: SlackApp, pictures: PictureServer, *, is_known: bool
) -> None:
    """Whichever event has the picture first, and whether both have it."""
    unfurled = unfurled_image(pictures.url("v.png", VALVE))
    asked = await slack.say("have we seen <https://example.com/v> yet?", mention=True)
    if is_known:
        event = {"type": "message", "channel": GENERAL, "channel_type": "channel", "user": SOMEONE, "ts": asked.ts}
        slack.event(event | {"text": asked.text, "attachments": [unfurled]})
    await slack.unfurl(asked, unfurled)
    answer = await reply(slack, asked)
    await settled(slack, app)
    assert "Best match in parts: valve_0042" in answer.text
    assert said_by_bot(slack, GENERAL) == [answer]


async def test_other_apps_image_blocks_are_looked_up_when_somebody_asks(
    slack: FakeSlack, app: SlackApp, pictures: PictureServer
) -> None:
    image = {"type": "image", "image_url": pictures.url("v.png", VALVE), "alt_text": "the valve"}
    file = slack.host(GASKET, "gasket.png")
    file.channels.add(GENERAL)
    of_slack = {"type": "image", "slack_file": {"url": file.info["url_private"]}, "alt_text": "the gasket"}
    icon = {"type": "image", "image_url": pictures.url("icon.png", GASKET), "alt_text": "icon"}
    words = {"type": "section", "text": {"type": "mrkdwn", "text": "New part"}, "accessory": icon}
    context = {"type": "context", "elements": [icon, {"type": "mrkdwn", "text": "by the app"}]}
    posted = await slack.post_as_app("New part", words, image, context)
    attached = await slack.post_as_app("Old part", attachments=({"fallback": "part", "blocks": [of_slack]},))
    # An app's file is neither shared by somebody nor an image block.
    await slack.post_as_app("Chart", files=(slack.host(VALVE, "chart.png"),))
    await settled(slack, app)
    assert (pictures.requests, said_by_bot(slack)) == ([], [])
    assert "Best match in parts: gasket_7" in (await run_command(slack, "search last")).text
    answer = await use_shortcut(slack, posted)
    assert "Best match in parts: valve_0042" in answer.text
    assert pictures.requests == ["/v.png"]
    for text in ("", "have we seen this?", "search in:parts"):
        said = await slack.say(text, thread_ts=attached.ts, mention=True)
        await settled(slack, app)
        [found] = said_by_bot(slack, GENERAL, said.ts)
        assert "Best match in parts: gasket_7" in found.text
        assert (found.to, found.thread_ts) == ("", attached.ts)
    asked = await slack.say("status", thread_ts=attached.ts, mention=True)
    await settled(slack, app)
    [status] = said_by_bot(slack, GENERAL, asked.ts)
    assert "`gasket_7`" not in status.everything


async def test_everything_that_a_message_shows_is_added_by_its_menu(
    slack: FakeSlack, app: SlackApp, pictures: PictureServer
) -> None:
    await fill(app, "logos")
    source = await slack.upload(slack.host(VALVE, "valve.png"), user="U0AUTHOR")
    said = await slack.forward(source, text="for the catalogue")
    said = await slack.unfurl(said, unfurled_page("https://example.com/a", pictures.url("g.png", GASKET)))
    await slack.shortcut_message("add_to_database", said)
    view = await slack.wait_for_view("add_form")
    before = len(slack.transcript)
    await slack.submit(view, {"database": "logos", "entity": "set 1"})
    await slack.wait_for_answer(after=before)
    added = {record.source_name: record.origin for record in await images_in(app, "logos")}
    assert {name: origin and (origin.file_id, origin.message_ts) for name, origin in added.items()} == {
        "valve.png": (source.files[0].id, said.ts),
        "A page": ("", said.ts),
    }
    await (await slack.delete_message(said))
    await settled(slack, app)
    assert await images_in(app, "logos") == []


async def test_own_answers_are_no_pictures_unless_a_person_says_so(
    slack: FakeSlack, app: SlackApp, pictures: PictureServer
) -> None:
    asked = await slack.upload(VALVE, channel=GENERAL, mention=True)
    answer = await reply(slack, asked)
    await (await slack.delete_message(asked))
    await settled(slack, app)
    assert (await run_command(slack, "search last")).text == NO_IMAGE_YET
    said = await slack.say("and this?", thread_ts=answer.ts, mention=True)
    await settled(slack, app)
    assert all("`valve_0042`" not in m.everything for m in said_by_bot(slack, after=said.ts))
    assert "Best match in parts: valve_0042" in (await use_shortcut(slack, answer)).text


async def test_links_of_messages_are_fetched_without_a_token_and_only_from_public_hosts(
    slack: FakeSlack, start: Start, pictures: PictureServer
) -> None:
    await fill(await start(), "parts", valve_0042=VALVE)
    file = slack.host(VALVE, "secret.png")
    file.channels.add("C0ELSE")
    inner = {"type": "image", "image_url": pictures.url("v.png", VALVE), "alt_text": "inner"}
    stolen = {"type": "image", "image_url": file.info["url_private"], "alt_text": "stolen"}
    for block in (inner, stolen):
        answer = await use_shortcut(slack, await slack.post_as_app("look", block))
        assert "can't be opened" in answer.text
    assert (pictures.requests, file.downloads) == ([], [])
    nothing = await slack.post_as_app("look", {"type": "image", "image_url": "file:///etc/passwd", "alt_text": "x"})
    assert (await use_shortcut(slack, nothing)).text == NO_IMAGE_IN_MESSAGE
