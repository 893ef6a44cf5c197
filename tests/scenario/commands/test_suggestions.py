"""Commands that are almost right: one sentence to their author, with a button that runs what was meant."""

from __future__ import annotations

import pytest

from bot.blocks.wording.help import TITLE
from bot.domain.catalogue import SlackOrigin
from bot.domain.channels import ChannelKind
from bot.domain.identifiers import EntityId, Note
from tests.fakes.slack import SOMEONE, FakeSlack
from tests.scenario.conftest import PictureServer, Start, fill
from tests.scenario.support.requests import GASKET, VALVE, action_ids, key_of, press, run_command
from tests.scenario.support.shares import images_in

RUN = "run_command"


async def test_unknown_verb_gets_one_sentence_instead_of_the_help(slack: FakeSlack, start: Start) -> None:
    await fill(await start(), "parts", valve_0042=VALVE)
    answer = await run_command(slack, "zqxzqx now")
    assert answer.text == "I don't know “zqxzqx”. `/vsearch help` shows all commands."
    assert len(answer.blocks) == 1
    assert TITLE not in answer.everything


async def test_unknown_verb_in_a_mention_gets_one_sentence(slack: FakeSlack, start: Start) -> None:
    await fill(await start(), "parts", valve_0042=VALVE)
    await slack.say("what do you think?", mention=True)
    answer = await slack.wait_for_answer()
    assert "“what”" in answer.text
    assert len(answer.blocks) == 1


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("dbs", "`parts`"),
        ("hlep", "Find similar images"),
        ("lits in:parts", "valve_0042"),
        ("list parts", "valve_0042"),
        ("list in:prats", "valve_0042"),
        ("gaurd in:parts", "are checked against `parts`"),
        ("delete valve_042 in:parts", "Delete the image of `valve_0042`"),
    ],
)
async def test_button_runs_the_command_that_was_meant(slack: FakeSlack, start: Start, text: str, result: str) -> None:
    await fill(await start(VSEARCH_ADMINS=SOMEONE), "parts", valve_0042=VALVE)
    suggestion = await run_command(slack, text)
    assert "Did you mean" in suggestion.text
    assert action_ids(suggestion) == [RUN]
    answer = await press(slack, suggestion, RUN)
    assert result in answer.everything


async def test_suggested_addition_of_a_url_comes_from_no_message(
    slack: FakeSlack, start: Start, pictures: PictureServer
) -> None:
    """The message with the button is the bot's own."""
    app = await start(VSEARCH_TRUSTED_HOSTS=pictures.address)
    await fill(app, "parts")
    suggestion = await run_command(slack, f"add {pictures.url('valve.png', VALVE)} in:prats id:valve")
    await press(slack, suggestion, RUN)
    [added] = await images_in(app, "parts")
    assert (added.entity, added.origin) == ("valve", None)


async def test_suggested_command_opens_its_form(slack: FakeSlack, start: Start) -> None:
    await fill(await start(VSEARCH_ADMINS=SOMEONE), "parts", valve_0042=VALVE)
    suggestion = await run_command(slack, "db delte parts")
    await slack.press(suggestion, RUN)
    assert (await slack.wait_for_view("delete_database_form")).callback_id == "delete_database_form"


async def test_suggestion_after_a_mention_is_run(slack: FakeSlack, start: Start) -> None:
    await fill(await start(), "parts", valve_0042=VALVE)
    await slack.say("lits in:parts", mention=True)
    suggestion = await slack.wait_for_answer()
    assert "valve_0042" in (await press(slack, suggestion, RUN)).everything


async def test_id_from_a_private_channel_is_not_suggested(slack: FakeSlack, start: Start) -> None:
    app = await start()
    slack.add_channel("C0SECRET", "secrets", kind="private", members=["U0INSIDER"])
    await fill(app, "parts")
    picture, jpeg = await app.services.normaliser.picture_and_jpeg(GASKET)
    origin = SlackOrigin("F0SECRET", "C0SECRET", "1.1", "", ChannelKind.PRIVATE)
    await app.services.additions.add(
        key_of(app, "parts"), picture, jpeg, EntityId("secret_plan"), Note(), added_by="U0INSIDER", origin=origin
    )
    outside = await run_command(slack, "delete secret_pla in:parts", user=SOMEONE)
    assert "secret_plan" not in outside.everything
    assert action_ids(outside) == []


async def test_question_about_a_picture_gets_a_button_to_the_database_that_was_meant(
    slack: FakeSlack, start: Start
) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    await fill(app, "logos", acme=GASKET)
    await slack.upload(VALVE, text="is it in:prats", mention=True)
    suggestion = await slack.wait_for_answer()
    assert "Did you mean “parts”?" in suggestion.text
    await slack.press(suggestion, "results_more")
    assert "`valve_0042`" in (await slack.wait_for_edit(suggestion)).everything
    slack.add_channel("D0SOMEONE", "", kind="im")
    await slack.upload(VALVE, channel="D0SOMEONE", text="in:prats")
    direct = await slack.wait_for(lambda message: message.channel == "D0SOMEONE" and bool(message.blocks))
    assert "Search “parts”" in direct.everything
