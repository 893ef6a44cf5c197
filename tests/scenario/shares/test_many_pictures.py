"""Ten and more pictures in one message: each is answered once and can be added, whatever happens in between."""

from __future__ import annotations

import re

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks.button_state import decode_searches
from bot.blocks.ids import ActionId
from bot.blocks.reply import Reply
from bot.domain.channels import ChannelMode
from handlers.replies import delivery
from handlers.replies.delivery import PostedMessage
from tests.fakes.slack import GENERAL, SOMEONE, FakeSlack, Message
from tests.fixtures.pictures import encoded, photo
from tests.scenario.conftest import Start, fill
from tests.scenario.support.requests import GASKET, VALVE, act, images_of
from tests.scenario.support.shares import entities, retry_at_once, settled, watch


@pytest.fixture(autouse=True)
def _retry_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retry failed jobs at once."""
    retry_at_once(monkeypatch)


async def share(slack: FakeSlack, number: int, *, content: bytes = VALVE, mention: bool = False) -> Message:
    """Share this many pictures in one message."""
    # A long title leaves less room in the answer.
    files = [slack.host(content, f"{n:02} {'shelf ' * 8}.png") for n in range(1, number + 1)]
    return await slack.upload(*files, mention=mention)


def addable(messages: list[Message]) -> list[str]:
    """Return the files that the messages' buttons add."""
    elements = [element for message in messages for block in message.blocks for element in block.get("elements", ())]
    return [
        search.file
        for element in elements
        if element.get("action_id") == ActionId.ADD_THIS
        for search in decode_searches(element["value"])
    ]


def numbers(messages: list[Message]) -> list[int]:
    """Return the numbers of the answered pictures, in order."""
    return [int(line.partition(".")[0]) for message in messages for line in message.text.splitlines()]


@pytest.mark.parametrize("number", [10, 12, 19, 20, 27])
async def test_each_picture_of_a_message_is_answered_and_can_be_added(
    slack: FakeSlack, start: Start, number: int
) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    shared = await share(slack, number)
    await settled(slack, app)
    answers = slack.replies(shared.ts)
    assert numbers(answers) == list(range(1, number + 1))
    assert addable(answers) == [file.id for file in shared.files]
    assert sum(len(re.findall("`valve_0042`", message.everything)) for message in answers) >= number


async def test_last_of_twenty_pictures_is_added_by_its_button(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    last = encoded(photo(640, 480, seed=77), "PNG")
    files = [slack.host(VALVE, f"{n}.png") for n in range(19)]
    shared = await slack.upload(*files, slack.host(last, "the last one.png"))
    await settled(slack, app)
    answer = slack.replies(shared.ts)[-1]
    await act(slack, answer, ActionId.ADD_THIS, about=shared.files[-1].id)
    form = await slack.wait_for_view("add_form")
    # Pictures that the database has are not chosen at first.
    await slack.submit(form, {})
    await slack.wait_for(lambda message: "Added" in message.text)
    assert await entities(app) == ["valve_0042", "the last one"]


class Crashes:
    """Fails the call with this number once, before or after the message was posted."""

    def __init__(self, at: int, *, posted: bool) -> None:
        self._at = at
        self._posted = posted
        self._calls = 0
        self._post = delivery.post_editable

    async def post(self, client: AsyncWebClient, channel: str, reply: Reply, thread_ts: str = "") -> PostedMessage:
        self._calls += 1
        if self._calls != self._at:
            return await self._post(client, channel, reply, thread_ts)
        if self._posted:
            await self._post(client, channel, reply, thread_ts)
        raise RuntimeError("killed")


@pytest.mark.parametrize("posted", [False, True])
@pytest.mark.parametrize("at", [1, 2, 3])
async def test_answer_in_several_messages_goes_on_after_a_crash(
    slack: FakeSlack, start: Start, monkeypatch: pytest.MonkeyPatch, at: int, posted: bool
) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    monkeypatch.setattr(delivery, "post_editable", Crashes(at, posted=posted).post)
    shared = await share(slack, 40)
    await settled(slack, app)
    answers = slack.replies(shared.ts)
    assert len(answers) >= 3
    assert numbers(answers) == list(range(1, 41))
    assert addable(answers) == [file.id for file in shared.files]


async def test_redelivered_share_of_many_pictures_is_answered_once(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    files = [slack.host(VALVE, f"{n}.png") for n in range(24)]
    shared = await slack.upload(*files, mention=True, redeliveries=2, twins=1)
    await settled(slack, app)
    assert numbers(slack.replies(shared.ts)) == list(range(1, 25))


async def test_pictures_deleted_before_a_later_attempt_are_left_out(
    slack: FakeSlack, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    crashes = Crashes(2, posted=False)
    deleted: list[str] = []

    async def post(client: AsyncWebClient, channel: str, reply: Reply, thread_ts: str = "") -> PostedMessage:
        try:
            return await crashes.post(client, channel, reply, thread_ts)
        except RuntimeError:
            # The last picture that was answered, and the next one.
            answered = numbers(slack.replies(shared.ts))[-1]
            deleted.extend(file.id for file in shared.files[answered - 1 : answered + 1])
            for file in deleted:
                await app.services.storage.inbox.withdraw(workspace, file=file)
            raise

    [workspace] = await app.services.storage.catalogue.workspaces()
    monkeypatch.setattr(delivery, "post_editable", post)
    shared = await share(slack, 40)
    await settled(slack, app)
    expected = [file.id for file in shared.files if file.id != deleted[1]]
    assert addable(slack.replies(shared.ts)) == expected


async def test_reposts_of_many_pictures_are_all_reported(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "ads", bicycle=VALVE)
    await watch(app, ChannelMode.GUARD, "ads")
    shared = await share(slack, 24)
    await settled(slack, app)
    assert addable(slack.replies(shared.ts)) == [file.id for file in shared.files]


async def test_shortcuts_take_twenty_pictures(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    await watch(app, ChannelMode.OFF)
    contents = [encoded(photo(160, 120, seed=seed), "PNG") for seed in range(100, 120)]
    message = await slack.upload(
        *(slack.host(content, f"{n:02} {'shelf ' * 11}.png") for n, content in enumerate(contents, start=1))
    )
    await slack.shortcut_message("find_similar", message)
    await slack.wait_for(lambda found: found.to == SOMEONE and "20." in found.text)
    await settled(slack, app)
    assert addable([found for found in slack.transcript if found.to]) == [file.id for file in message.files]
    await slack.shortcut_message("add_to_database", message)
    form = await slack.wait_for_view("add_form")
    assert "All 20 images" in form.everything
    before = len(slack.transcript)
    await slack.submit(form, {"note": "a note"})
    await slack.wait_for_answer(after=before)
    await settled(slack, app)
    added = await entities(app)
    assert len(added) == 21
    assert {name[:8] for name in added} == {"valve_00", *(f"{n:02} shelf" for n in range(1, 21))}
    told = "".join(found.everything for found in slack.transcript[before:])
    assert all(f"`{name}`" in told for name in added[1:])


async def test_form_about_twenty_pictures_searches_another_database(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    await fill(app, "logos", acme=GASKET)
    await watch(app, ChannelMode.OFF)
    message = await share(slack, 20)
    await slack.shortcut_message("find_similar", message)
    form = await slack.wait_for_view("another_database_form")
    await slack.submit(form, {"database": "parts"})
    await slack.wait_for(lambda found: found.channel == GENERAL and "20." in found.text)
    await settled(slack, app)
    assert len(await images_of(app, "parts", "valve_0042")) == 1
    answers = [found for found in slack.transcript if found.to]
    assert sum(found.everything.count("same image, 10/10") for found in answers) == 20
