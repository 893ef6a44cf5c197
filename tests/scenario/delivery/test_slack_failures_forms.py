"""Forms that Slack does not open, or that are submitted late."""

from __future__ import annotations

import pytest

from bot.blocks.wording.errors import SLACK_BUSY
from bot.blocks.wording.help import FORM_EXPIRED, FORMS_UNSUPPORTED
from tests.fakes.slack import FakeSlack, Message
from tests.scenario.conftest import Start, fill
from tests.scenario.support.requests import UNRELATED, VALVE, idle, press, submit_form


async def answered(slack: FakeSlack, shared: Message) -> Message:
    return await slack.wait_for_reply(shared.channel, shared.ts)


async def test_form_opens_after_a_rate_limit(slack: FakeSlack, start: Start) -> None:
    await fill(await start(), "parts", valve_0042=VALVE)
    slack.rate_limit("views.open", next_calls=1, retry_after_s=0)
    await slack.command("")
    await slack.wait_for_view("search_form")


@pytest.mark.parametrize(
    ("error", "status", "says"),
    [
        ("expired_trigger_id", 200, FORM_EXPIRED),
        ("exchanged_trigger_id", 200, FORM_EXPIRED),
        ("internal_error", 200, SLACK_BUSY),
        ("unwell", 503, SLACK_BUSY),
        ("unknown_method", 200, FORMS_UNSUPPORTED),
    ],
)
async def test_form_that_cannot_be_opened_is_explained(
    slack: FakeSlack, start: Start, error: str, status: int, says: str
) -> None:
    await fill(await start(), "parts", valve_0042=VALVE)
    first = await answered(slack, await slack.upload(VALVE))
    slack.refuse_next("views.open", error, status=status)
    answer = await press(slack, first, "results_add_this")
    assert answer.text == says


async def test_form_submitted_late_is_answered_where_it_was_opened(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    first = await answered(slack, await slack.upload(slack.host(UNRELATED, "x.png"), text="min:0"))
    await slack.press(first, "results_add_this")
    view = await slack.wait_for_view("add_form")
    # The response URL of the press is too old by now.
    slack.pass_time(31 * 60)
    answer = await submit_form(slack, view, entity="stranger")
    assert answer.via == "chat.postEphemeral"
    assert "Added" in answer.text
    await idle(app)
    slack.forgive("used too late")
