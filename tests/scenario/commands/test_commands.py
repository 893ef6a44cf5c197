"""``/vsearch``: searches, help and mistakes, and the same commands in a mention."""

from __future__ import annotations

import pytest

from bot.blocks.wording import help as help_wording
from handlers.parsing.grammar import VERBS
from tests.fakes.slack import GENERAL, SOMEONE, FakeSlack
from tests.fakes.slack.values import texts
from tests.scenario.conftest import PictureServer, Start, fill
from tests.scenario.support.requests import GASKET, UNRELATED, VALVE, action_ids, idle, images_of, run_command


async def test_url_is_looked_up_with_all_modifiers(slack: FakeSlack, start: Start, pictures: PictureServer) -> None:
    app = await start(VSEARCH_TRUSTED_HOSTS=pictures.address)
    await fill(app, "parts", valve_0042=VALVE, gasket_7=GASKET)
    await fill(app, "logos", acme=UNRELATED)
    address = pictures.url("v.png", VALVE)
    answer = await run_command(slack, f"min:0 search top:2 <{address}> in:parts")
    assert (answer.to, answer.via) == (SOMEONE, "response_url")
    assert "*The same image is* in `parts` (2 images)  ·  2 matches" in answer.everything
    assert "*1.*  `valve_0042`" in answer.everything
    assert "*2.*  `gasket_7`" in answer.everything
    only = await run_command(slack, f"{address} in:parts top:1 min:0")
    assert "`gasket_7`" not in only.everything
    assert "results_more" in action_ids(only)
    strict = await run_command(slack, f"{address} in:parts min:9.9")
    assert "`gasket_7`" not in strict.everything
    assert "1 weaker match hidden." in strict.everything


async def test_phone_punctuation_is_understood(slack: FakeSlack, start: Start, pictures: PictureServer) -> None:
    app = await start(VSEARCH_TRUSTED_HOSTS=pictures.address)
    await fill(app, "parts", valve_0042=VALVE)
    await fill(app, "logos", acme=UNRELATED)
    answer = await run_command(slack, f"Search <{pictures.url('v.png', VALVE)}> in:“Parts” —top:3")
    assert "`valve_0042`" in answer.everything


async def test_default_database_is_the_channels(slack: FakeSlack, start: Start, pictures: PictureServer) -> None:
    app = await start(VSEARCH_TRUSTED_HOSTS=pictures.address)
    await fill(app, "parts", valve_0042=VALVE)
    await fill(app, "logos", acme=VALVE)
    address = pictures.url("v.png", VALVE)
    unclear = await run_command(slack, address)
    assert "`in:logos`, `in:parts`" in unclear.everything
    await run_command(slack, "watch lookup in:logos")
    assert "`acme`" in (await run_command(slack, address)).everything


async def test_url_without_an_image_is_explained(slack: FakeSlack, start: Start, pictures: PictureServer) -> None:
    await fill(await start(VSEARCH_TRUSTED_HOSTS=pictures.address), "parts", valve_0042=VALVE)
    answer = await run_command(slack, pictures.url("page.html", b"<html>hello</html>"))
    assert "Use the link of the picture itself" in answer.text
    assert len(answer.blocks) == 1


async def test_last_is_the_newest_image_of_the_channel(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE, gasket_7=GASKET)
    slack.add_channel("C0OTHER", "other")
    await slack.upload(VALVE)
    newest = await slack.upload(GASKET)
    elsewhere = await slack.upload(VALVE, channel="C0OTHER")
    for shared in (newest, elsewhere):
        await slack.wait_for_reply(shared.channel, shared.ts)
    answer = await run_command(slack, "search last in:parts")
    assert "`gasket_7`" in answer.everything
    assert "10/10" in answer.text
    assert slack.calls("conversations.history") == []


async def test_last_reads_history_from_before_the_bot_joined(slack: FakeSlack, start: Start) -> None:
    general = slack.state.channels[GENERAL]
    general.bot_is_member = False
    await slack.upload(VALVE)
    await slack.upload(slack.host(b"%PDF-1.7", "table.pdf"))
    await slack.say("nice valve")
    general.bot_is_member = True
    await fill(await start(), "parts", valve_0042=VALVE)
    assert "`valve_0042`" in (await run_command(slack, "search last")).everything
    assert "`valve_0042`" in (await run_command(slack, "last")).everything


@pytest.mark.parametrize("kind", ["public", "private"])
async def test_last_says_where_the_bot_is_not_a_member(slack: FakeSlack, start: Start, kind: str) -> None:
    slack.add_channel("C0AWAY", "away", bot_is_member=False, private=kind == "private")
    await slack.upload(VALVE, channel="C0AWAY")
    await fill(await start(), "parts", valve_0042=VALVE)
    assert "`/invite`" in (await run_command(slack, "search last", channel="C0AWAY")).everything


async def test_last_skips_deleted_files(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE, gasket_7=GASKET)
    kept = await slack.upload(VALVE)
    gone = await slack.upload(GASKET)
    for shared in (kept, gone):
        await slack.wait_for_reply(GENERAL, shared.ts)
    await (await slack.delete_file(gone.files[0]))
    await idle(app)
    assert "Best match in parts: valve_0042" in (await run_command(slack, "search last")).text


async def test_last_explains_a_file_deleted_without_an_event(slack: FakeSlack, start: Start) -> None:
    await fill(await start(), "parts", valve_0042=VALVE)
    shared = await slack.upload(VALVE)
    await slack.wait_for_reply(GENERAL, shared.ts)
    shared.files[0].deleted = True
    answer = await run_command(slack, "search last")
    assert "deleted" in answer.text
    assert len(answer.blocks) == 1


async def test_ephemeral_answer_can_be_shared_with_the_channel(slack: FakeSlack, start: Start) -> None:
    await fill(await start(), "parts", valve_0042=VALVE)
    shared = await slack.upload(VALVE)
    await slack.wait_for_reply(GENERAL, shared.ts)
    answer = await run_command(slack, "search last")
    await slack.press(answer, "results_share")
    public = await slack.wait_for(lambda m: "Shared by" in m.everything)
    assert public.to == ""
    assert f"<@{SOMEONE}>" in public.everything
    assert "`valve_0042`" in public.everything


async def test_more_replaces_the_page_in_an_ephemeral_answer(
    slack: FakeSlack, start: Start, pictures: PictureServer
) -> None:
    app = await start(VSEARCH_TRUSTED_HOSTS=pictures.address)
    await fill(app, "parts", valve_0042=VALVE, gasket_7=GASKET, stranger=UNRELATED)
    first = await run_command(slack, f"{pictures.url('v.png', VALVE)} top:1 min:0")
    await slack.press(first, "results_more")
    second = await slack.wait_for_edit(first)
    assert "*Match 2 of 3*" in second.everything
    await slack.press(second, "results_more", about='"offset":2')
    third = await slack.wait_for_edit(second)
    assert "*Match 3 of 3*" in third.everything
    await slack.press(third, "results_more:previous")
    again = await slack.wait_for_edit(third)
    assert "*Match 2 of 3*" in again.everything


async def test_help_names_every_verb(slack: FakeSlack, start: Start) -> None:
    await start()
    answer = await run_command(slack, "help")
    assert answer.to == SOMEONE
    topics = [await run_command(slack, f"help {topic}") for topic in help_wording.TOPICS]
    everything = "".join(topic.everything for topic in topics)
    commands = {*VERBS, "search last", "db create", "db delete", "db link"} - {"last", "help"}
    assert [command for command in sorted(commands) if f"/vsearch {command}" not in everything] == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("lisst", "Did you mean `/vsearch list`?"),
        ("create parts", "Did you mean `/vsearch db create`?"),
        ("list parts", "Did you mean `/vsearch list in:parts`?"),
        ("delete db parts", "Did you mean `/vsearch db delete parts`?"),
        ("search last database:parts", "Did you mean `in:`?"),
        ("search last min:11", "from 0 to 10"),
        ("search last order:asc", "doesn't take `order:`"),
        ("list in:parts order:up", "`asc` (oldest first)"),
        ("watch gaurd in:parts", "Did you mean `/vsearch watch guard`?"),
        ("watch off", "Did you mean `/vsearch unwatch`?"),
        ("add last in:parts id:", "An id must have"),
        ("delete", "Which id should I delete?"),
        ("db creat parts", "Did you mean `/vsearch db create <name>`?"),
        ("list in:prats", "Did you mean “parts”?"),
    ],
)
async def test_mistake_gets_one_sentence_to_its_author(slack: FakeSlack, start: Start, text: str, says: str) -> None:
    await fill(await start(), "parts", valve_0042=VALVE)
    answer = await run_command(slack, text)
    assert says in "\n".join(texts(list(answer.blocks))).replace("&lt;", "<").replace("&gt;", ">")
    assert answer.to == SOMEONE


async def test_mention_takes_the_same_commands(slack: FakeSlack, start: Start, pictures: PictureServer) -> None:
    app = await start(VSEARCH_TRUSTED_HOSTS=pictures.address)
    await fill(app, "parts", valve_0042=VALVE)
    root = await slack.say("what is this?")
    await slack.say("help", mention=True)
    answer = await slack.wait_for_answer()
    assert "/vsearch help watch" in answer.everything
    before = len(slack.transcript)
    await slack.say(f"<{pictures.url('v.png', VALVE)}>", mention=True, thread_ts=root.ts)
    found = await slack.wait_for_answer(after=before)
    assert "`valve_0042`" in found.everything
    assert (found.thread_ts, found.via) == (root.ts, "chat.postEphemeral")


async def test_mention_without_a_command_gets_the_help(slack: FakeSlack, start: Start) -> None:
    await start()
    await slack.say("", mention=True)
    assert "/vsearch help" in (await slack.wait_for_answer()).everything


async def test_mention_says_that_it_cannot_open_a_form(slack: FakeSlack, start: Start) -> None:
    await fill(await start(), "parts", valve_0042=VALVE)
    await slack.say("db delete parts", mention=True)
    assert "`/vsearch db delete parts`" in (await slack.wait_for_answer()).everything


async def test_buttons_of_a_mentions_answer_work(slack: FakeSlack, start: Start) -> None:
    slack.add_person(SOMEONE, is_admin=True)
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    await slack.say("delete valve_0042 in:parts", mention=True)
    question = await slack.wait_for_answer()
    await slack.press(question, "delete_entity")
    done = await slack.wait_for_edit(question)
    assert "Deleted 1 image of `valve_0042` from `parts`." in done.everything
    assert await images_of(app, "parts", "valve_0042") == ()


async def test_buttons_still_work_after_an_hour(slack: FakeSlack, start: Start, pictures: PictureServer) -> None:
    app = await start(VSEARCH_TRUSTED_HOSTS=pictures.address)
    await fill(app, "parts", valve_0042=VALVE, gasket_7=GASKET)
    first = await run_command(slack, f"{pictures.url('v.png', VALVE)} top:1 min:0")
    slack.pass_time(3600)
    await slack.press(first, "results_more")
    assert "`gasket_7`" in (await slack.wait_for_edit(first)).everything

    await slack.press(first, "results_more", value="{")
    stale = await slack.wait_for(lambda m: "out of date" in m.text)
    assert stale.to == SOMEONE
