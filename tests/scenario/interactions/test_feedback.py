"""Right or wrong: what a press below an answer records, who may press, and what goes with what."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import select

from bot.app.slack_app import SlackApp
from bot.blocks.ids import ActionId
from bot.blocks.limits import Block
from bot.domain.errors import BackendDown
from bot.domain.identifiers import EntityId
from bot.services.feedback.labels import FeedbackService
from bot.storage.sql.schema.tables import feedback_labels, images
from tests.fakes.slack import GENERAL, SOMEONE, FakeSlack, Message
from tests.scenario.conftest import Start, fill
from tests.scenario.privacy.private_images import OUTSIDER, reveals_nothing, start_with_private_image
from tests.scenario.support.requests import (
    GASKET,
    UNRELATED,
    VALVE,
    act,
    idle,
    images_of,
    key_of,
    press,
)
from tests.scenario.support.shares import ORIGINAL

RIGHT, WRONG = "positive_button", "negative_button"
OTHER = "U0OTHER"


async def ask(slack: FakeSlack, *pictures: bytes, text: str = "min:0") -> Message:
    """Ask about pictures in a message, and return the answer in its thread."""
    shared = await slack.upload(*pictures, text=text, mention=True)
    return await slack.wait_for_reply(GENERAL, shared.ts)


async def judge(slack: FakeSlack, answer: Message, verdict: str, *, user: str = SOMEONE) -> Message:
    """Press one of the two buttons, and return what the person alone is told."""
    before = len(slack.transcript)
    await slack.press(answer, ActionId.FEEDBACK, user=user, value=verdict)
    return await slack.wait_for_answer(to=user, after=before)


async def labels(app: SlackApp) -> list[tuple[str, str, bool]]:
    """Return the entity, the person and the verdict of each label."""
    query = select(images.c.entity, feedback_labels).join_from(
        feedback_labels, images, feedback_labels.c.image_id == images.c.id
    )
    rows = await app.services.storage._database.read(
        lambda connection: connection.execute(query.order_by(feedback_labels.c.id)).all()
    )
    assert all(len(row.fingerprint) == 32 for row in rows)
    return [(row.entity, row.user, row.is_same) for row in rows]


async def test_last_press_of_each_person_counts(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    answer = await ask(slack, VALVE)
    told = await judge(slack, answer, WRONG)
    assert "noted as wrong" in told.text
    await judge(slack, answer, WRONG, user=OTHER)
    await judge(slack, answer, RIGHT)
    assert await labels(app) == [("valve_0042", OTHER, False), ("valve_0042", SOMEONE, True)]
    # The same picture in another message is the same question.
    await judge(slack, await ask(slack, VALVE), WRONG)
    assert await labels(app) == [("valve_0042", OTHER, False), ("valve_0042", SOMEONE, False)]
    # The message that all see stays as it is.
    assert slack.current(answer) == answer


async def test_presses_at_the_same_time_record_one_label(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    answer = await ask(slack, VALVE)
    # The last press counts, in whichever order they are handled.
    await asyncio.gather(*(slack.press(answer, ActionId.FEEDBACK, value=verdict) for verdict in [WRONG, RIGHT] * 3))
    await idle(app)
    assert await labels(app) == [("valve_0042", SOMEONE, True)]


async def test_label_has_score_and_fingerprint_and_no_picture(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    await judge(slack, await ask(slack, GASKET), RIGHT)
    [row] = await app.services.storage._database.read(
        lambda connection: connection.execute(select(feedback_labels)).all()
    )
    picture = await app.services.normaliser.picture(GASKET)
    [match] = await app.services.visual.search(key_of(app, "parts"), picture)
    assert row.score == round(match.score, 3)
    assert (row.verdict, row.by_likeness) == (str(match.verdict), True)
    assert not await images_of(app, "parts", "gasket")


NO_THUMBS = "[ERROR] unsupported type: context_actions [json-pointer:/blocks/2/type]"
NO_PICTURE = "[ERROR] downloading image failed [json-pointer:/blocks/1/image_url]"


def row_of(answer: Message) -> Block:
    """Return the row that asks whether a match is right."""
    [row] = [block for block in answer.blocks if block.get("block_id") == "feedback"]
    return row


def has_picture(answer: Message) -> bool:
    """Return whether an answer shows a picture."""
    return any(block["type"] == "image" for block in answer.blocks)


async def test_ordinary_buttons_where_slack_refuses_thumbs(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    slack.refuse_next("chat.postMessage", "invalid_blocks", messages=[NO_THUMBS])
    answer = await ask(slack, VALVE)
    assert [element["text"]["text"] for element in row_of(answer)["elements"]] == ["Right", "Wrong"]
    # The picture is still there: only the thumbs were given up.
    assert has_picture(answer)
    await press(slack, answer, "feedback:negative_button")
    assert await labels(app) == [("valve_0042", SOMEONE, False)]
    # The next answer needs no second attempt.
    before = len(slack.calls("chat.postMessage"))
    assert row_of(await ask(slack, VALVE))["type"] == "actions"
    assert len(slack.calls("chat.postMessage")) == before + 1


@pytest.mark.parametrize(("messages", "next_row"), [((), "actions"), ((NO_PICTURE,), "context_actions")])
async def test_refused_answer_loses_its_pictures_first_unless_thumbs_are_named(
    slack: FakeSlack, start: Start, messages: tuple[str, ...], next_row: str
) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    slack.refuse_next("chat.postMessage", "invalid_blocks", messages=messages)
    answer = await ask(slack, VALVE)
    assert row_of(answer)["type"] == "actions"
    assert not has_picture(answer)
    # If Slack gave no reason, it may have been the thumbs, and pictures are worth more.
    following = await ask(slack, VALVE)
    assert row_of(following)["type"] == next_row
    assert has_picture(following)


async def test_nobody_judges_what_they_may_not_see(slack: FakeSlack, start: Start) -> None:
    app = await start_with_private_image(slack, start, "private")
    [record] = await images_of(app, "parts", "secret_plan")
    answer = await ask(slack, VALVE)
    [block] = [block for block in answer.blocks if block["type"] == "context_actions"]
    [sofa] = await images_of(app, "parts", "sofa")
    for name in (RIGHT, WRONG):
        button = block["elements"][0][name]
        assert sofa.data_id in button["value"]
        button["value"] = button["value"].replace(sofa.data_id, record.data_id)
    before = len(slack.transcript)
    await slack.press(answer, ActionId.FEEDBACK, user=OUTSIDER, value=RIGHT)
    told = await slack.wait_for_answer(to=OUTSIDER, after=before)
    assert reveals_nothing(told)
    assert await labels(app) == []


async def test_matches_to_judge_are_those_that_their_reader_sees(slack: FakeSlack, start: Start) -> None:
    await start_with_private_image(slack, start, "private")
    answer = await ask(slack, VALVE, ORIGINAL)
    before = len(slack.transcript)
    await slack.press(answer, ActionId.RATE, user=OUTSIDER)
    told = await slack.wait_for_answer(to=OUTSIDER, after=before)
    assert "Which of these are right?" in told.text
    assert reveals_nothing(told)


async def test_labels_go_with_the_image_and_with_the_asked_message(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE, gasket=GASKET)
    first = await ask(slack, VALVE)
    await judge(slack, first, RIGHT)
    await judge(slack, await ask(slack, GASKET), RIGHT)
    await judge(slack, await ask(slack, UNRELATED), WRONG)
    assert len(await labels(app)) == 3
    shared = slack.state.find(GENERAL, first.thread_ts)
    assert shared is not None
    await (await slack.delete_message(shared))
    await idle(app)
    assert {entity for entity, _, _ in await labels(app)} == {"gasket"}
    key = key_of(app, "parts")
    await app.services.deletions.delete(key, EntityId("gasket"))
    assert await labels(app) == []


async def test_press_after_the_asked_message_is_deleted_records_nothing(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    answer = await ask(slack, GASKET)
    shared = slack.state.find(GENERAL, answer.thread_ts)
    assert shared is not None
    await (await slack.delete_message(shared))
    await idle(app)
    await judge(slack, answer, WRONG)
    assert await labels(app) == []


async def test_failure_to_learn_keeps_the_label(
    slack: FakeSlack, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)

    async def down(*given: object) -> bool:
        raise BackendDown("down")

    monkeypatch.setattr(FeedbackService, "learn", down)
    assert "noted as right" in (await judge(slack, await ask(slack, GASKET), RIGHT)).text
    assert await labels(app) == [("valve_0042", SOMEONE, True)]


async def test_confirmed_photo_is_added_by_one_button(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    told = await judge(slack, await ask(slack, GASKET), RIGHT)
    assert "Add this photo to valve_0042" in told.everything
    await act(slack, told, ActionId.ADD_AS)
    await slack.wait_for_edit(told)
    records = await images_of(app, "parts", "valve_0042")
    assert len(records) == 2
    [origin] = records[1].origins
    assert origin.slack is not None
    assert (origin.slack.channel, origin.author) == (GENERAL, SOMEONE)
    # A copy adds nothing, and a wrong answer isn't added.
    assert ActionId.ADD_AS not in (await judge(slack, await ask(slack, VALVE), RIGHT)).everything
    wrong = await judge(slack, await ask(slack, UNRELATED), WRONG)
    assert "Add this photo" not in wrong.everything


async def test_who_can_not_read_where_it_was_shared_gets_no_button(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    slack.add_channel("C0PRIVATE", "secrets", kind="private", members=[SOMEONE])
    shared = await slack.upload(GASKET, text="min:0", mention=True, channel="C0PRIVATE")
    answer = await slack.wait_for_reply("C0PRIVATE", shared.ts)
    before = len(slack.transcript)
    await slack.press(answer, ActionId.FEEDBACK, user=OUTSIDER, value=RIGHT)
    told = await slack.wait_for_answer(to=OUTSIDER, after=before)
    assert "Add this photo" not in told.everything


async def test_several_pictures_are_judged_one_by_one(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE, gasket=GASKET)
    answer = await ask(slack, VALVE, GASKET, VALVE)
    elements = [element for block in answer.blocks for element in block.get("elements", ())]
    assert len(answer.blocks) <= 12
    assert sum(element["type"] in {"button", "overflow", "feedback_buttons"} for element in elements) <= 4
    asked = await press(slack, answer, ActionId.RATE)
    await slack.press(asked, f"{ActionId.FEEDBACK}:2", value=WRONG)
    await slack.press(asked, f"{ActionId.FEEDBACK}:1", value=RIGHT)
    await idle(app)
    assert sorted(await labels(app)) == [("gasket", SOMEONE, False), ("valve_0042", SOMEONE, True)]
