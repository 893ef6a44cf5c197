"""The text of a shared picture: the answer comes first, and is edited in place if the text changes it."""

from __future__ import annotations

import asyncio

import pytest

from bot.app.slack_app import SlackApp
from bot.images.decode.normaliser import decode_stored
from tests.fakes.slack import FakeSlack, Message
from tests.fakes.texts import FakeTextReader, text_of
from tests.scenario.conftest import Start, fill
from tests.scenario.support.requests import GASKET, UNRELATED, VALVE, run_command
from tests.scenario.support.shares import reply, settled

JUICE = text_of("BRAVO", "APPLE", "JUICE")
ASKED = "min:0 in:parts"


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> FakeTextReader:
    """The bot's reader of texts."""
    reader = FakeTextReader()

    def opened(*, enabled: bool) -> FakeTextReader:
        assert enabled
        return reader

    monkeypatch.setattr("bot.app.services.open_text_reader", opened)
    return reader


@pytest.fixture
async def app(start: Start, reader: FakeTextReader) -> SlackApp:
    """The bot with a valve and a gasket whose texts are read. The query has the gasket's words."""
    app = await start()
    await fill(app, "parts", valve_0042=VALVE, gasket_7=GASKET)
    normaliser = app.services.normaliser
    for content, text in ((VALVE, text_of("Arla", "MILK")), (GASKET, JUICE)):
        stored = decode_stored(await normaliser.jpeg(await normaliser.picture(content)))
        reader.texts[stored.digest] = text
    reader.texts[(await normaliser.picture(UNRELATED)).digest] = text_of("BRAVO", "APPLE", "JUICE", "29")
    while await app.services.text_reading.read_next():
        pass
    reader.read_digests.clear()
    return app


async def updates_done(app: SlackApp) -> None:
    """Wait until no answer waits for a text."""
    for _ in range(500):
        if not app.services.query_texts.is_busy:
            break
        await asyncio.sleep(0.01)
    # Time for an edit that must not come.
    await asyncio.sleep(0.2)


async def asked(slack: FakeSlack) -> tuple[Message, Message]:
    """Share a picture, and return its message and the answer, before the picture's text is read."""
    shared = await slack.upload(UNRELATED, text=ASKED, mention=True)
    return shared, await reply(slack, shared)


@pytest.mark.usefixtures("app")
async def test_answer_comes_first_and_is_edited_when_the_text_is_read(slack: FakeSlack, reader: FakeTextReader) -> None:
    reader.may_read.clear()
    shared, first = await asked(slack)
    assert "same item" not in first.everything
    reader.may_read.set()
    edited = await slack.wait_for_edit(first)
    assert "*1.*  `gasket_7`" in edited.everything
    assert "same item, 8.9/10  ·  text: 3 of 3 words agree" in edited.everything
    assert len(slack.replies(shared.reply_to)) == 1
    # The text is known now, so that further answers have it at once.
    second = await slack.upload(UNRELATED, text=ASKED, mention=True)
    assert "same item" in (await reply(slack, second)).everything
    assert len(reader.read_digests) == 1


async def test_answer_of_a_deleted_message_is_not_edited(
    slack: FakeSlack, app: SlackApp, reader: FakeTextReader
) -> None:
    reader.may_read.clear()
    shared, first = await asked(slack)
    await slack.delete_message(shared)
    await settled(slack, app)
    reader.may_read.set()
    await updates_done(app)
    assert [message for message in slack.replies(shared.reply_to) if "same item" in message.everything] == []
    assert slack.replies(shared.reply_to) in ([], [first])


async def test_answer_that_the_text_does_not_change_is_left_alone(
    slack: FakeSlack, app: SlackApp, reader: FakeTextReader
) -> None:
    reader.texts.popitem()
    shared, first = await asked(slack)
    await updates_done(app)
    assert slack.replies(shared.reply_to) == [first]
    assert len(reader.read_digests) == 1


@pytest.mark.usefixtures("app")
async def test_text_of_a_stored_picture_is_known_at_once(slack: FakeSlack, reader: FakeTextReader) -> None:
    answer = await reply(slack, await slack.upload(GASKET, text=ASKED, mention=True))
    assert "same image, 10/10  ·  text: 3 of 3 words agree" in answer.everything
    assert reader.read_digests == []


async def test_answer_to_a_command_stays_and_the_next_one_has_the_text(slack: FakeSlack, app: SlackApp) -> None:
    await slack.upload(UNRELATED, text="")
    app.services.query_texts._known.clear()
    answer = await run_command(slack, "search last min:0 in:parts")
    await updates_done(app)
    # Slack can't change the answer to a command afterwards, so none stands below it.
    assert "same item" not in answer.everything
    assert [message for message in slack.transcript if "same item" in message.everything and message.to] == []
    assert "same item" in (await run_command(slack, "search last min:0 in:parts")).everything


async def test_query_is_not_read_where_no_picture_has_text(
    slack: FakeSlack, start: Start, reader: FakeTextReader
) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    await asked(slack)
    await updates_done(app)
    assert reader.read_digests == []
