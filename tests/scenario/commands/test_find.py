"""``/vsearch find``: images by words, as far as their reader may see them."""

from __future__ import annotations

from typing import Any

import pytest

from bot.app.slack_app import SlackApp
from bot.domain.channels import ChannelMode
from bot.domain.errors import BackendDown
from bot.domain.identifiers import DatabaseKey, EntityId, Note
from bot.domain.matches import Matches
from tests.fakes.slack import SOMEONE, FakeSlack
from tests.fakes.texts import text_of
from tests.scenario.commands.test_images import OTHER, collect_in_private_channel, fill_with
from tests.scenario.conftest import Start, fill
from tests.scenario.privacy.private_images import start_with_private_image
from tests.scenario.support.home import open_home
from tests.scenario.support.requests import GASKET, UNRELATED, VALVE, key_of, run_command, submit_form
from tests.scenario.support.shares import reply, watch


async def annotate(app: SlackApp, database: str, entity: str, note: str) -> None:
    """Give an entity's images a note."""
    catalogue = app.services.storage.catalogue
    await catalogue.set_note(await catalogue.of_entity(key_of(app, database), EntityId(entity)), Note(note))


async def test_words_are_found_and_shown_in_bold(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE, gasket=GASKET)
    await annotate(app, "parts", "valve_0042", "Kugelhahn *brass* <@U1>, DN 25")
    for words in ("kugelhahn", "KUGEL brass", "kuglehahn", "valve_0042", '"DN 25"', "dn25 top:3"):
        answer = await run_command(slack, f"find {words}")
        assert "*1 image*" in answer.everything, words
        assert "`valve_0042`" in answer.everything
        assert "gasket" not in answer.everything
    answer = await run_command(slack, "find brass in:parts")
    assert "∗\u200b*brass*\u200b∗ &lt;@U1&gt;, DN 25" in answer.everything
    nothing = await run_command(slack, "find porcelain")
    assert "no image" in nothing.everything.lower()


async def test_text_in_a_picture_is_found(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve=VALVE)
    claim = await app.services.storage.texts.claim()
    assert claim is not None
    await app.services.storage.texts.finish(claim, text_of("Serial 12.345-B"))
    answer = await run_command(slack, "find 12345b")
    assert "In the picture: Serial \u200b*12.345-B*\u200b" in answer.everything


async def test_pages_are_full_and_reachable_by_buttons(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill_with(app, "parts", 10)
    first = await run_command(slack, "find part top:4")
    assert "*10 images*" in first.everything
    assert "1–4" in first.everything
    await slack.press(first, "find_page:next")
    second = await slack.wait_for_edit(first)
    await slack.press(second, "find_page:next")
    third = await slack.wait_for_edit(second)
    assert [text.count("added ") for text in (first.everything, second.everything, third.everything)] == [4, 4, 2]
    assert "`part_00`" in third.everything


@pytest.mark.parametrize("kind", ["private", "im", "shared"])
async def test_words_of_closed_conversations_find_nothing_elsewhere(slack: FakeSlack, start: Start, kind: str) -> None:
    await start_with_private_image(slack, start, kind, hints=True)  # type: ignore[arg-type]
    answers = [
        await run_command(slack, f"find {words} in:parts", user="U0OUTSIDER")
        for words in ("secret", "secret_plan", "nobody", "tell", "plan.png", "secrte")
    ]
    unknown = await run_command(slack, "find zebra in:parts", user="U0OUTSIDER")
    for answer, words in zip(answers, ("secret", "secret_plan", "nobody", "tell", "plan.png", "secrte"), strict=True):
        assert answer.everything.replace(words, "zebra") == unknown.everything
    assert "sofa" in (await run_command(slack, "find sofa in:parts", user="U0OUTSIDER")).everything
    seen = await run_command(slack, "find nobody", user="U0INSIDER")
    assert "secret_plan" in seen.everything


async def test_note_of_another_channel_does_not_find_an_image_that_is_here_too(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve=VALVE)
    await collect_in_private_channel(slack, app, VALVE, "codename")
    assert "*1 image*" in (await run_command(slack, "find codename", user=OTHER)).everything
    assert "no image" in (await run_command(slack, "find codename")).everything
    assert "*1 image*" in (await run_command(slack, "find valve")).everything


async def test_word_that_slack_takes_for_a_host_is_found(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", gasket=GASKET)
    await annotate(app, "parts", "gasket", "see part.de")
    await slack.say("find <http://part.de|part.de>", mention=True)
    answer = await slack.wait_for_answer()
    assert "*1 image* with `part.de`" in answer.everything
    assert "see \u200b*part*\u200b.\u200b*de*\u200b  ·  `gasket`" in answer.everything


async def test_all_databases_are_found_in_unless_a_channel_says_which(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve=VALVE)
    await fill(app, "brand", valve_logo=GASKET)
    await run_command(slack, "watch lookup in:parts")
    here = await run_command(slack, "find valve")
    assert ("valve_logo" in here.everything, "`parts`" in here.everything) == (False, True)
    await slack.press(here, "find_page:all")
    everywhere = await slack.wait_for_edit(here)
    assert "*2 images* with `valve` in all databases" in everywhere.everything
    assert "in `brand`" in everywhere.everything
    assert (await run_command(slack, "find valve in:*")).everything == everywhere.everything


async def test_form_takes_words_or_a_picture(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve=VALVE, gasket=GASKET)
    await fill(app, "brand", valve_logo=UNRELATED)
    await slack.command("")
    form = await slack.wait_for_view("search_form")
    await slack.submit(form, {"words": "valve", "url": "https://example.com/x.png", "database": "parts"})
    assert "not both" in str(form.errors)
    assert "*2 images*" in (await submit_form(slack, form, words="valve", url="", database="*")).everything


async def test_home_takes_words_and_answers_directly(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve=VALVE)
    home = await open_home(slack)
    await slack.press_in_view(home, "find_words", value="valve")
    answer = await slack.wait_for(lambda message: "*1 image*" in message.everything)
    assert "in all databases" in answer.everything


async def test_ids_link_to_another_system(slack: FakeSlack, start: Start) -> None:
    slack.add_person(SOMEONE, is_admin=True)
    app = await start()
    await fill(app, "parts", **{"VLV 0042/A": VALVE})
    set_link = await run_command(slack, "db link parts <https://erp.example.com/part/>{id}")
    assert "https://erp.example.com/part/{id}" in set_link.everything
    link = "<https://erp.example.com/part/VLV%200042%2FA|open link>"
    assert link in (await run_command(slack, "find vlv")).everything
    await slack.upload(VALVE)
    assert link in (await run_command(slack, "search last")).everything
    assert "https" in (await run_command(slack, "db link parts http://erp.example.com/{id}")).everything
    assert "no longer have a link" in (await run_command(slack, "db link parts off")).everything
    assert link not in (await run_command(slack, "find vlv")).everything


async def test_search_in_all_databases_is_merged_and_names_each(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve=VALVE)
    await fill(app, "brand", gasket=GASKET)
    await slack.upload(VALVE)
    answer = await run_command(slack, "search last in:* min:0")
    assert "all databases (2 images)" in answer.everything
    assert answer.everything.index("valve") < answer.everything.index("gasket")
    assert "in `parts`" in answer.everything
    assert "in `brand`" in answer.everything


async def test_database_that_fails_is_named_and_the_others_answer(
    slack: FakeSlack, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = await start()
    await fill(app, "parts", valve=VALVE)
    await fill(app, "brand", gasket=GASKET)
    search = app.services.visual.search

    async def fail(key: DatabaseKey, *arguments: Any) -> Matches:
        if key.name == "brand":
            raise BackendDown("no index")
        return await search(key, *arguments)

    monkeypatch.setattr(app.services.visual, "search", fail)
    await slack.upload(VALVE)
    answer = await run_command(slack, "search last in:*")
    assert "`brand` doesn't answer right now" in answer.everything
    assert "`valve`" in answer.everything


async def test_mention_beside_a_picture_searches_all_databases(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve=VALVE)
    await fill(app, "brand", gasket=GASKET)
    answer = await reply(slack, await slack.upload(VALVE, text=f"<@{slack.state.bot_user}> in:* min:0"))
    assert "all databases (2 images)" in answer.everything


async def test_mention_below_a_picture_searches_all_databases(slack: FakeSlack, start: Start) -> None:
    slack.add_person("U0GUEST", is_ultra_restricted=True)
    slack.add_channel("C0GUESTS", "with-guests", members=[SOMEONE, "U0GUEST"])
    app = await start()
    await fill(app, "parts", valve=VALVE)
    await fill(app, "brand", gasket=GASKET)
    await watch(app, ChannelMode.OFF)
    shared = await slack.upload(VALVE)
    await slack.say("in:* min:0", thread_ts=shared.ts, mention=True)
    assert "all databases (2 images)" in (await reply(slack, shared)).everything
    # The names of databases are not for every guest.
    await watch(app, ChannelMode.COLLECT, "brand", channel="C0GUESTS")
    shared = await slack.upload(VALVE, channel="C0GUESTS")
    await slack.wait_for_reaction(shared)
    await slack.say("in:* min:0", channel="C0GUESTS", thread_ts=shared.ts, mention=True)
    answer = await reply(slack, shared)
    assert "`brand`" in answer.everything
    assert "`parts`" not in answer.everything
