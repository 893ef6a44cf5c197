"""Fuzzed deliveries, signed or not, cause no 5xx and no unhandled error, and the bot keeps working."""

from __future__ import annotations

import asyncio
import copy
import json
import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.blocks.ids import ActionId, InputId, ShortcutId
from tests.fakes.slack import GENERAL, SOMEONE, FakeSlack, Json
from tests.fakes.slack.delivery.http_mode import FORM, JSON, HttpMode
from tests.fakes.slack.values import Ack
from tests.fixtures.pictures import encoded, photo
from tests.scenario.support.requests import act
from tests.scenario.support.web_bot import WebBot, stock, web_bot

VALVE = encoded(photo(320, 240, seed=1), "PNG")
GASKET = encoded(photo(320, 240, seed=2), "PNG")

FUZZ = settings(
    deadline=None,
    max_examples=120,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)

Delivered = tuple[str, Json]
"""Kind and payload of a recorded delivery."""

NESTED: Any = []
for _ in range(200):
    NESTED = [NESTED]

STRANGE: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    10**400,
    1e308,
    float("nan"),
    "",
    "\0",
    "a\0b",
    "\ud800",
    "\u202eabc",
    "x" * 5000,
    "1.1",
    "T0FAKE",
    "C0GENERAL",
    "U0BOT",
    "<@U0BOT> search last top:50 in:parts",
    "db delete parts",
    [],
    {},
    [None],
    {"id": None},
    {"id": {"id": 1}},
    {"": 0},
    NESTED,
)
strange = st.one_of(st.sampled_from(STRANGE), st.text(max_size=20), st.integers(), st.floats())
documents = st.recursive(
    strange,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
)


class Recording:
    """Records the stand-in's deliveries, to send them again mutated."""

    def __init__(self, mode: HttpMode, monkeypatch: pytest.MonkeyPatch) -> None:
        self.kept: list[Delivered] = []
        usual = mode.attempt

        async def attempt(kind: str, payload: Json, attempt: int, reason: str) -> Ack:
            self.kept.append((kind, copy.deepcopy(payload)))
            return await usual(kind, payload, attempt, reason)

        monkeypatch.setattr(mode, "attempt", attempt)


async def perform_all_interactions(slack: FakeSlack) -> None:
    """Do everything that people do, once."""
    slack.add_person(SOMEONE, is_admin=True)
    shared = await slack.upload(VALVE, mention=True, text="in:parts top:1 min:0")
    answer = await slack.wait_for_reply(shared.channel, shared.ts)
    for action in (ActionId.MORE, ActionId.ADD_THIS, ActionId.ANOTHER_DATABASE):
        await act(slack, answer, action)
    view = await slack.wait_for_view()
    await slack.submit(view)
    await slack.say("db", mention=True)
    await slack.shortcut_message(ShortcutId.FIND_SIMILAR, shared)
    await slack.shortcut_message(ShortcutId.ADD_TO_DATABASE, shared)
    await slack.shortcut_global(ShortcutId.SEARCH_BY_IMAGE)
    search = await slack.wait_for_view(lambda v: InputId.FILES in json.dumps(v.body))
    await slack.submit(search, {InputId.FILES: [GASKET], InputId.DATABASE: "parts"})
    await slack.open_home()
    home = await slack.wait_for_home()
    for action in (ActionId.OPEN_SEARCH, ActionId.CREATE_DATABASE, ActionId.WATCH, ActionId.DATABASE_SETTINGS):
        await slack.press_in_view(home, action)
    for text in ("", "help", "list in:parts", "delete valve in:parts", "watch collect in:parts", "status", "unwatch"):
        await slack.command(text)
    question = await slack.wait_for(lambda m: "delete_entity" in json.dumps(m.blocks))
    await slack.press(question, ActionId.DISMISS)
    file = shared.files[0]
    await slack.delete_file(file)
    await slack.edit_message(shared, "another text")
    await slack.delete_message(await slack.say("to be deleted"))


HANDLED = (
    "Slack refused: ",
    "could not reply to the requester: ",
    "Although the app should be installed into this workspace",
)
"""Expected warnings: Slack's about forged ids, and Bolt's about foreign workspaces."""


class LogWatch(logging.Handler):
    """Collects records that must not be logged."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.wrong: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if message.startswith(HANDLED):
            return
        if record.levelno >= logging.ERROR or record.exc_info or ": failed in " in message:
            self.wrong.append(logging.Formatter().format(record))


@pytest.fixture
def watch() -> Iterator[LogWatch]:
    handler = LogWatch()
    loggers = [logging.getLogger(name) for name in ("bot", "handlers", "slack_bolt", "asyncio", "uvicorn")]
    before = [one.level for one in loggers]
    for one in loggers:
        one.addHandler(handler)
    for one in loggers[:2]:
        one.setLevel(logging.DEBUG)
    yield handler
    for one, level in zip(loggers, before, strict=True):
        one.removeHandler(handler)
        one.setLevel(level)


@pytest.fixture
async def bot(slack: FakeSlack, tmp_path: Path, watch: LogWatch) -> AsyncIterator[WebBot]:
    async with web_bot(slack, tmp_path) as running:
        await stock(running.app, slack.state.team, "parts", valve=VALVE, gasket=GASKET)
        await stock(running.app, slack.state.team, "logos")
        yield running
        await still_works(slack, running)
        assert watch.wrong == []
        # Forged payloads make the bot ask for missing things. The stand-in's complaints about that don't matter here.
        slack.failures.clear()


@pytest.fixture
async def recorded(slack: FakeSlack, bot: WebBot, watch: LogWatch, monkeypatch: pytest.MonkeyPatch) -> list[Delivered]:
    assert slack.http_mode is not None
    recording = Recording(slack.http_mode, monkeypatch)
    await perform_all_interactions(slack)
    assert await bot.app.wrapper.drain(10) == 0
    assert watch.wrong == []
    assert slack.failures == []
    kept = recording.kept
    workspace = {"team_id": slack.state.team, "api_app_id": "A0FAKE", "type": "event_callback", "event_id": "Ev0"}
    for event in (
        {"type": "app_uninstalled"},
        {"type": "tokens_revoked", "tokens": {"bot": ["U0OTHER"]}},
        {"type": "team_access_revoked", "team_ids": ["T0NOWHERE"]},
        {"type": "message", "subtype": "message_replied", "channel": GENERAL, "user": SOMEONE, "ts": "1.1"},
    ):
        # Remove other workspaces, so that the mutations stay within one.
        kept.append(("events_api", workspace | {"team_id": "T0ELSEWHERE", "event": event}))
    suggestion = {"type": "block_suggestion", "action_id": "database", "block_id": "database", "value": "p"}
    kept.append(("interactive", suggestion | {"team": {"id": slack.state.team}, "user": {"id": SOMEONE}}))
    return kept


async def still_works(slack: FakeSlack, bot: WebBot) -> None:
    assert await bot.app.wrapper.drain(10) == 0
    inbox = bot.app.services.storage.inbox
    async with asyncio.timeout(20):
        while (await inbox.depth()).waiting:  # noqa: ASYNC110 - it is the database that changes
            await asyncio.sleep(0.01)
    slack.state.planned.clear()
    await stock(bot.app, slack.state.team, "after_the_fuzz", valve=VALVE)
    slack.add_channel("C0AFTER", "after")
    shared = await slack.upload(VALVE, channel="C0AFTER", text="in:after_the_fuzz", mention=True)
    assert "`valve`" in (await slack.wait_for_reply("C0AFTER", shared.ts)).everything


async def send(slack: FakeSlack, bot: WebBot, body: bytes, content_type: str) -> int:
    """Send a signed body, wait until everything that it started is done, and return the status."""
    assert slack.http_mode is not None
    status = await slack.deliver_raw(body, slack.http_mode.signed(body, content_type=content_type))
    assert await bot.app.wrapper.drain(10) == 0
    return status


def encoded_as(kind: str, payload: Any) -> tuple[bytes, str]:
    """Encode a payload as Slack does, whatever it is."""
    if kind == "events_api":
        return json.dumps(payload).encode(), JSON
    if kind == "interactive":
        return urlencode({"payload": json.dumps(payload)}).encode(), FORM
    form = payload if isinstance(payload, dict) else {"text": payload}
    return urlencode({f"{k}": f"{v}" for k, v in form.items()}, errors="replace").encode(), FORM


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every value in a document."""
    yield path
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from places(child, (*path, key))


def mutated(value: Any, path: tuple[Any, ...], how: str, new: Any) -> Any:
    """Return a copy in which one value is replaced, removed, put into a list, or renamed to its own key."""
    if not path:
        return {"replace": new, "remove": {}, "wrap": [value], "quote": json.dumps(value)}[how]
    changed = copy.deepcopy(value)
    holder = changed
    for key in path[:-1]:
        holder = holder[key]
    if how == "remove":
        del holder[path[-1]]
    else:
        holder[path[-1]] = mutated(holder[path[-1]], (), how, new)
    return changed


@FUZZ
@given(data=st.data())
async def test_mutated_deliveries_never_fail(
    slack: FakeSlack, bot: WebBot, recorded: list[Delivered], data: st.DataObject
) -> None:
    kind, payload = data.draw(st.sampled_from(recorded))
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(list(places(payload))))
        how = data.draw(st.sampled_from(["replace", "replace", "replace", "remove", "wrap", "quote"]))
        payload = mutated(payload, path, how, data.draw(documents))
    body, content_type = encoded_as(kind, payload)
    assert await send(slack, bot, body, content_type) < 500


@FUZZ
@given(kind=st.sampled_from(["events_api", "interactive", "slash_commands"]), payload=documents)
async def test_any_signed_json_never_fails(slack: FakeSlack, bot: WebBot, kind: str, payload: Any) -> None:
    body, content_type = encoded_as(kind, payload)
    assert await send(slack, bot, body, content_type) < 500


@FUZZ
@given(
    body=st.binary(max_size=200), content_type=st.sampled_from([JSON, FORM, "text/plain", "", "multipart/form-data"])
)
async def test_any_signed_bytes_never_fail(slack: FakeSlack, bot: WebBot, body: bytes, content_type: str) -> None:
    assert await send(slack, bot, body, content_type) < 500
    assert await send(slack, bot, b"{" + body, content_type) < 500
    assert await send(slack, bot, b"payload=" + body, content_type) < 500


@FUZZ
@given(
    text=st.text(max_size=60), words=st.lists(st.sampled_from(["search", "last", "in:", "top:", "id:", '"', "“", "\0"]))
)
async def test_any_command_text_never_fails(slack: FakeSlack, bot: WebBot, text: str, words: list[str]) -> None:
    typed = " ".join([*words, text.encode(errors="replace").decode()])
    form = {
        "command": "/vsearch",
        "text": typed,
        "team_id": slack.state.team,
        "channel_id": GENERAL,
        "user_id": SOMEONE,
    }
    assert await send(slack, bot, urlencode(form).encode(), FORM) == 200
