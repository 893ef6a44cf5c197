"""The buttons below an answer: pages and sharing, in threads and in ephemeral answers."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import pytest

from bot.blocks.wording.errors import STILL_WORKING
from bot.domain.catalogue import SlackOrigin
from bot.domain.channels import ChannelKind
from bot.domain.errors import BackendDown
from bot.domain.identifiers import EntityId, Note
from bot.domain.matches import Matches
from bot.telemetry import logs
from handlers import errors
from tests.fakes.slack import GENERAL, SOMEONE, FakeSlack, Message
from tests.fixtures.pictures import encoded, photo
from tests.scenario.conftest import PictureServer, Start, fill
from tests.scenario.support.requests import (
    GASKET,
    UNRELATED,
    VALVE,
    act,
    action_ids,
    add_secret,
    key_of,
    press,
    run_command,
)

FIVE = {f"part_{seed}": encoded(photo(320, 240, seed=seed), "PNG") for seed in range(10, 15)}
WANTED = FIVE["part_10"]


def entities(message: Message) -> list[str]:
    """Return the entities that an answer shows, best first."""
    return re.findall(r"\*\d+\.\*  (?:\*[^*]+\*  ·  )?`(\w+)`", message.everything)


async def shared(slack: FakeSlack, *images: bytes, text: str = "top:2 min:0", channel: str = GENERAL) -> Message:
    """Share pictures with a mention, and return the answer in the thread."""
    message = await slack.upload(*images, text=text, mention=True, channel=channel)
    return await slack.wait_for_reply(channel, message.ts)


async def change_page(slack: FakeSlack, message: Message, label: str) -> Message:
    """Press More or Previous in an ephemeral message, and return the message that replaces it."""
    rows = [block["elements"] for block in message.blocks if block["type"] == "actions"]
    [button] = [button for row in rows for button in row if button.get("text", {}).get("text") == label]
    await slack.press(message, button["action_id"], user=message.to, value=button["value"])
    return await slack.wait_for_edit(message)


async def test_pages_lead_through_all_matches_and_back(slack: FakeSlack, start: Start) -> None:
    await fill(await start(), "parts", **FIVE)
    first = await shared(slack, WANTED)
    assert "results_more:previous" not in action_ids(first)
    second = await press(slack, first, "results_more")
    assert (second.to, second.thread_ts) == (SOMEONE, first.thread_ts)
    assert "Matches 3 to 4 of 5" in second.everything
    third = await change_page(slack, second, "Show more")
    assert "Match 5 of 5" in third.everything
    seen = entities(first) + entities(second) + entities(third)
    assert sorted(seen) == sorted(FIVE)
    assert "results_more" not in action_ids(third)
    back = await change_page(slack, third, "Show previous")
    assert entities(back) == entities(second)
    beginning = await change_page(slack, back, "Show previous")
    assert entities(beginning) == entities(first)
    assert "results_more:previous" not in action_ids(beginning)
    # The message that everybody sees does not change.
    assert slack.current(first) == first


async def test_pages_count_ids_and_not_photos(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", **FIVE)
    services = app.services
    for seed in (20, 21, 22):
        picture = await services.normaliser.picture(encoded(photo(320, 240, seed=seed), "PNG"))
        jpeg = await services.normaliser.jpeg(picture)
        await services.additions.add(key_of(app, "parts"), picture, jpeg, EntityId("part_10"), Note(""))
    first = await shared(slack, WANTED)
    assert "top 2 of 5 matches" in first.everything
    assert first.everything.count("·  4 photos") == 1
    second = await press(slack, first, "results_more")
    third = await change_page(slack, second, "Show more")
    assert sorted(entities(first) + entities(second) + entities(third)) == sorted(FIVE)


async def test_each_person_has_their_own_page(slack: FakeSlack, start: Start) -> None:
    await fill(await start(), "parts", **FIVE)
    first = await shared(slack, WANTED)
    for user in (SOMEONE, "U0OTHER"):
        assert (await press(slack, first, "results_more", user=user)).to == user
    assert len(slack.replies(first.thread_ts)) == 3


async def test_pages_replace_a_commands_answer(slack: FakeSlack, start: Start, pictures: PictureServer) -> None:
    await fill(await start(VSEARCH_TRUSTED_HOSTS=pictures.address), "parts", **FIVE)
    first = await run_command(slack, f"{pictures.url('v.png', WANTED)} top:3 min:0")
    second = await change_page(slack, first, "Show more")
    assert sorted(entities(first) + entities(second)) == sorted(FIVE)
    assert (second.to, second.ts) == (SOMEONE, first.ts)


async def test_ephemeral_answer_is_shared_with_the_channel(
    slack: FakeSlack, start: Start, pictures: PictureServer
) -> None:
    await fill(await start(VSEARCH_TRUSTED_HOSTS=pictures.address), "parts", **FIVE)
    mine = await run_command(slack, f"{pictures.url('v.png', WANTED)} top:3 min:0", user="U0OTHER")
    assert "results_share" in action_ids(mine)
    await act(slack, mine, "results_share", user="U0OTHER")
    public = await slack.wait_for(lambda m: not m.to and m.user == slack.state.bot_user)
    assert public.channel == mine.channel
    assert entities(public) == entities(mine)
    assert "Shared by <@U0OTHER>" in public.everything
    assert "results_share" not in action_ids(public)


async def test_exactly_the_page_that_is_seen_is_shared(slack: FakeSlack, start: Start, pictures: PictureServer) -> None:
    await fill(await start(VSEARCH_TRUSTED_HOSTS=pictures.address), "parts", **FIVE)
    mine = await run_command(slack, f"{pictures.url('v.png', WANTED)} top:2 min:0")
    second = await change_page(slack, mine, "Show more")
    await act(slack, second, "results_share")
    public = await slack.wait_for(lambda m: not m.to and m.user == slack.state.bot_user)
    assert "Matches 3 to 4 of 5" in public.everything
    assert entities(public) == entities(second)
    assert "asked about `v.png`" in public.everything
    assert f"<{pictures.url('v.png', WANTED)}|the picture>" in public.everything


async def test_shared_answer_links_to_the_picture_of_its_channel(slack: FakeSlack, start: Start) -> None:
    await fill(await start(), "parts", **FIVE)
    shared = await slack.upload(slack.host(WANTED, "wanted.png"), text="look")
    mine = await run_command(slack, "search last")
    await act(slack, mine, "results_share")
    public = await slack.wait_for(lambda m: "Shared by" in m.everything)
    assert "asked about `wanted.png`" in public.everything
    assert f"/p{shared.ts.replace('.', '')}|the picture>" in public.everything


async def test_weaker_matches_are_shown_by_a_button(slack: FakeSlack, start: Start) -> None:
    await fill(await start(), "parts", **FIVE)
    first = await shared(slack, WANTED, text="min:9")
    assert entities(first) == ["part_10"]
    weaker = await press(slack, first, "results_more")
    assert "part_10" not in entities(weaker)
    assert len(entities(weaker)) == 4


async def test_all_photos_of_an_entity_are_shown_to_whoever_may_see_them(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", **FIVE)
    slack.add_channel("C0PRIVATE", "secrets", kind="private", members=[SOMEONE])
    for seed, channel in ((20, ""), (21, "C0PRIVATE")):
        picture, jpeg = await app.services.normaliser.picture_and_jpeg(encoded(photo(320, 240, seed=seed), "PNG"))
        origin = SlackOrigin(f"F0{seed}", channel, "1.2", kind=ChannelKind.PRIVATE) if channel else None
        await app.services.additions.add(
            key_of(app, "parts"), picture, jpeg, EntityId("part_10"), Note(""), origin=origin
        )
    first = await shared(slack, WANTED)
    for user, photos in ((SOMEONE, "*3 photos*"), ("U0OTHER", "*2 photos*")):
        before = len(slack.transcript)
        await slack.press(first, "entity_photos", user=user)
        gallery = await slack.wait_for_answer(to=user, after=before)
        assert f"{photos} of `part_10` in `parts`" in gallery.everything
        assert sum(block["type"] == "image" for block in gallery.blocks) == int(photos[1])


async def test_answer_shared_from_a_thread_stays_in_the_thread(slack: FakeSlack, start: Start) -> None:
    await fill(await start(), "parts", **FIVE)
    first = await shared(slack, WANTED)
    second = await press(slack, first, "results_more")
    await act(slack, second, "results_share")
    public = await slack.wait_for(lambda m: "Shared by" in m.everything)
    assert (public.to, public.thread_ts) == ("", first.thread_ts)


async def test_shared_answer_shows_only_what_the_whole_channel_may_see(
    slack: FakeSlack, start: Start, pictures: PictureServer
) -> None:
    app = await start(VSEARCH_TRUSTED_HOSTS=pictures.address)
    await fill(app, "parts", gasket_7=GASKET)
    await add_secret(slack, app)
    mine = await run_command(slack, f"{pictures.url('v.png', VALVE)} min:0 in:parts")
    assert "secret_valve" in mine.everything
    await act(slack, mine, "results_share")
    public = await slack.wait_for(lambda m: "Shared by" in m.everything)
    assert "secret_valve" not in public.everything
    assert "hush" not in public.everything
    assert entities(public) == ["gasket_7"]
    outsider = await run_command(slack, f"{pictures.url('v.png', VALVE)} min:0 in:parts", user="U0OTHER")
    assert "secret_valve" not in outsider.everything


async def test_more_shows_what_the_person_may_see(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", **FIVE)
    await add_secret(slack, app)
    first = await shared(slack, VALVE)
    member = await press(slack, first, "results_more")
    other = await press(slack, first, "results_more", user="U0OTHER")
    assert "of 6" in member.everything
    assert "of 5" in other.everything
    assert "secret" not in first.everything + other.everything


async def test_each_of_several_pictures_has_its_whole_answer(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE, gasket_7=GASKET, other_1=UNRELATED, **FIVE)
    await fill(app, "logos", acme=GASKET)
    message = await slack.upload(
        slack.host(VALVE, "valve.png"), slack.host(GASKET, "gasket.png"), text="in:parts min:0", mention=True
    )
    answer = await slack.wait_for_reply(GENERAL, message.ts)
    assert "2 of 2 found" in answer.everything
    assert action_ids(answer).count("results_more") == 2
    before = len(slack.transcript)
    await act(slack, answer, "results_more", about=message.files[1].id)
    whole = await slack.wait_for_answer(after=before)
    # The answer for this one picture, from its first match.
    assert entities(whole)[0] == "gasket_7"
    assert "10/10" in whole.text
    await act(slack, whole, "results_another_database")
    view = await slack.wait_for_view("another_database_form")
    before = len(slack.transcript)
    await slack.submit(view)
    assert entities(await slack.wait_for_answer(after=before)) == ["acme"]
    before = len(slack.transcript)
    await act(slack, answer, "results_another_database")
    await slack.submit(await slack.wait_for_view("another_database_form"))
    assert "of 2 found" in (await slack.wait_for_answer(after=before)).everything


async def test_response_url_budget_is_not_exceeded(slack: FakeSlack, start: Start, pictures: PictureServer) -> None:
    await fill(await start(VSEARCH_TRUSTED_HOSTS=pictures.address), "parts", **FIVE)
    message = await run_command(slack, f"{pictures.url('v.png', WANTED)} top:1 min:0")
    for _ in range(4):
        message = await change_page(slack, message, "Show more")
    for _ in range(4):
        message = await change_page(slack, message, "Show previous")
    assert entities(message) == ["part_10"]
    assert max(location.posts for location in slack.state.response_urls.values()) == 1


async def test_slow_search_is_announced_and_then_answered(
    slack: FakeSlack, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(errors, "PROGRESS_AFTER_S", 0.01)
    app = await start(VSEARCH_CACHE_TTL_S="0")
    await fill(app, "parts", **FIVE)
    first = await shared(slack, WANTED)
    search, announced = app.services.visual.search, asyncio.Event()

    async def slow(_: object, *given: Any) -> Matches:
        await announced.wait()
        return await search(*given)

    monkeypatch.setattr(type(app.services.visual), "search", slow)
    before = len(slack.transcript)
    await act(slack, first, "results_more")
    progress = await slack.wait_for_answer(after=before)
    assert progress.text == STILL_WORKING
    announced.set()
    answer = await slack.wait_for_answer(after=before + 1)
    assert "Matches 3 to 4 of 5" in answer.everything
    assert max(location.posts for location in slack.state.response_urls.values()) == 2


async def test_failed_search_is_reported_without_secrets_in_the_log(
    slack: FakeSlack, start: Start, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.set_up("json", "debug", [slack.state.bot_token, slack.state.app_token])
    app = await start(VSEARCH_CACHE_TTL_S="0")
    await fill(app, "parts", **FIVE)
    first = await shared(slack, WANTED)

    async def fail(*_: object) -> None:
        raise BackendDown(f"no answer with {slack.state.bot_token}")

    monkeypatch.setattr(type(app.services.visual), "search", fail)
    answer = await press(slack, first, "results_more")
    assert answer.text == BackendDown.user_message
    assert (await app.wrapper.drain(5)) == 0
    written = capsys.readouterr().err
    lines = [json.loads(line) for line in written.splitlines()]
    [failed] = [line for line in lines if line["message"] == "the search back end failed"]
    assert len(failed["request_id"]) == 8
    assert {line["request_id"] for line in lines if "ActionListener" in line["message"]} == {failed["request_id"]}
    for secret in (slack.state.bot_token, slack.state.app_token, *slack.state.response_urls):
        assert f"commands/{secret}" not in written
        assert not secret.startswith("x") or secret not in written
