"""Commands and button presses in scenarios, and what people see of them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bot.app.slack_app import SlackApp
from bot.blocks.ids import ActionId
from bot.blocks.messages.results.actions import MENU_ACTIONS
from bot.domain.catalogue import ImageRecord, SlackOrigin
from bot.domain.identifiers import DatabaseKey, DatabaseName, EntityId, Note, WorkspaceId
from tests.fakes.slack import GENERAL, SOMEONE, FakeSlack, Json, Message, View
from tests.fixtures.pictures import encoded, photo

VALVE = encoded(photo(640, 480, seed=1), "PNG")
GASKET = encoded(photo(640, 480, seed=2), "PNG")
UNRELATED = encoded(photo(640, 480, seed=3), "PNG")


async def run_command(slack: FakeSlack, text: str, *, user: str = SOMEONE, channel: str = GENERAL) -> Message:
    """Send a command, and return its answer."""
    before = len(slack.transcript)
    await slack.command(text, user=user, channel=channel)
    return await slack.wait_for_answer(to=user, after=before)


async def press(slack: FakeSlack, message: Message, action_id: str, *, user: str = SOMEONE) -> Message:
    """Press a button, and return the next answer to that person."""
    before = len(slack.transcript)
    await act(slack, message, action_id, user=user)
    return await slack.wait_for_answer(to=user, after=before)


async def submit_form(slack: FakeSlack, view: View, **values: object) -> Message:
    """Submit a form, and return the answer to that person alone."""
    before = len(slack.transcript)
    await slack.submit(view, values)
    return await slack.wait_for_answer(to=view.user, after=before)


def press_as(slack: FakeSlack, monkeypatch: pytest.MonkeyPatch, user: str) -> None:
    """Let all further presses be somebody else's, as in forged deliveries about messages that they don't see."""
    deliver = slack.deliver

    def sent(kind: str, payload: Json) -> asyncio.Task[Json]:
        if payload.get("type") == "block_actions":
            payload["user"] = payload["user"] | {"id": user}
        return deliver(kind, payload)

    monkeypatch.setattr(slack, "deliver", sent)


async def act(slack: FakeSlack, message: Message, action_id: str, *, user: str = SOMEONE, about: str = "") -> None:
    """Press a button, or choose the action in a menu of the message."""
    current = slack.current(message) or message
    options = [value for name, value in _options(current) if name == action_id and about in value]
    if options and not any(name.partition(":")[0] == action_id for name in _buttons(current)):
        await slack.press(message, ActionId.MENU, user=user, value=options[0])
    else:
        await slack.press(message, action_id, user=user, about=about)


def shown_pictures(message: Message) -> list[Json]:
    """Return the pictures of an answer, in order, large or small."""
    shown = (block if block["type"] == "image" else block.get("accessory", {}) for block in message.blocks)
    return [picture for picture in shown if picture.get("type") == "image"]


def _buttons(message: Message) -> list[str]:
    return [element["action_id"] for element in _elements(message) if "options" not in element]


def _options(message: Message) -> list[tuple[str, str]]:
    """Return the action and the value of each option of the message's menus."""
    menus = [element for element in _elements(message) if element["action_id"] == ActionId.MENU]
    options = [option["value"] for menu in menus for option in menu["options"]]
    return [(MENU_ACTIONS[value.partition("|")[0].partition(":")[0]], value) for value in options]


def _elements(message: Message) -> list[dict[str, Any]]:
    return [element for block in message.blocks if block["type"] == "actions" for element in block["elements"]]


async def add_secret(slack: FakeSlack, app: SlackApp) -> None:
    """Add the valve to the database ``parts`` as ``secret_valve``, from a private channel, with the note “hush”."""
    slack.add_channel("C0PRIVATE", "secrets", kind="private")
    picture = await app.services.normaliser.picture(VALVE)
    jpeg = await app.services.normaliser.jpeg(picture)
    origin = SlackOrigin("F0SECRET", "C0PRIVATE", "1.2")
    key = key_of(app, "parts")
    await app.services.additions.add(key, picture, jpeg, EntityId("secret_valve"), Note("hush"), origin=origin)


async def message_after(slack: FakeSlack, before: int) -> Message:
    """Return the first message that comes after the transcript had ``before`` messages."""
    return await slack.wait_for(lambda message: message in slack.transcript[before:])


async def idle(app: SlackApp) -> None:
    """Wait until all deliveries and jobs are handled."""
    for _ in range(1000):
        if not (await app.services.storage.inbox.depth()).waiting:
            break
        # Asking takes a tenth of this.
        await asyncio.sleep(0.01)
    assert await app.wrapper.drain(5) == 0


async def images_of(app: SlackApp, database: str, entity: str) -> tuple[ImageRecord, ...]:
    """Return the images of an entity in a database."""
    return await app.services.storage.catalogue.of_entity(key_of(app, database), EntityId(entity))


def key_of(app: SlackApp, database: str) -> DatabaseKey:
    """Return the key of a database in the bot's workspace."""
    assert app.identity is not None
    return DatabaseKey(WorkspaceId(app.identity.workspace), DatabaseName(database))


async def names_of(app: SlackApp) -> list[str]:
    """Return the names of the databases."""
    assert app.identity is not None
    databases = await app.services.databases.all(WorkspaceId(app.identity.workspace))
    return [str(info.key.name) for info in databases]


def control_ids(message: Message) -> list[str]:
    """Return the action ids of a message's buttons and menus in their order, without what the menus offer."""
    return [element["action_id"] for element in _elements(message)]


def action_ids(message: Message) -> list[str]:
    """Return the actions of a message's buttons and menus."""
    return [*_buttons(message), *(name for name, _ in _options(message))]
