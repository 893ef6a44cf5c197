"""What the page's messages were: kept in a file, and said again when the demo is started again.

The stand-in keeps messages in its memory alone, and names them afresh: what names a message or a file, in blocks and
in the bot's catalogue, is renamed with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from examples.demo import workspace
from examples.demo.stand_in import Message, StandIn

KEEP_AFTER_S = 1.0
"""Messages come in groups."""

_CHANGES = frozenset({"init", "message", "message_update", "message_delete", "channel"})
_NAME = re.compile(r"[0-9]{10}\.[0-9]{6}|\bp[0-9]{16}\b|\b[DF][0-9A-Z]{7,}\b")
"""What the stand-in makes: a message's time, the same in links, and the ids of files and direct messages."""

_NAMING = {
    "images": ("slack_file", "slack_channel", "slack_message", "slack_permalink"),
    "inbox": ("channel", "message", "payload"),
    "inbox_files": ("channel", "message", "file"),
}
"""Where the bot's database names them."""


_SAID = ("channel", "thread_ts", "text", "blocks")
"""Of a message of the bot's."""


@dataclass(slots=True)
class Renames:
    """Old names and what they are called now; ``origins`` are beginnings of addresses."""

    origins: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)

    def message(self, old: str, new: str) -> None:
        """A message has another time now."""
        self.names[old] = new
        self.names["p" + old.replace(".", "")] = "p" + new.replace(".", "")

    def apply(self, text: str) -> str:
        """The text with new names."""
        for old, new in self.origins.items():
            text = text.replace(old, new)
        return _NAME.sub(lambda found: self.names.get(found[0], found[0]), text)

    def within(self, value: Any) -> Any:
        """The same for a JSON value."""
        return json.loads(self.apply(json.dumps(value)))


@dataclass(frozen=True, slots=True)
class SavedPage:
    """All that was on the page. ``files`` is the folder with the bytes of what was shared."""

    stand_in: str
    bot: str
    files: str
    channels: list[dict[str, Any]]
    messages: list[Message]

    @classmethod
    def load(cls, path: Path) -> Self | None:
        """From its file; None if there is none, or a newer version's."""
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def save(self, path: Path) -> None:
        """To its file, whole or not at all."""
        partial = path.with_suffix(".part")
        content = {name: getattr(self, name) for name in self.__slots__}
        partial.write_text(json.dumps(content), encoding="utf-8")
        partial.replace(path)


async def current_page(stand_in: StandIn, bot: str, files: Path) -> SavedPage:
    """What is on the page now."""
    channels = (await stand_in.state())["channels"]
    said = [message for channel in channels for message in await stand_in.messages(channel["id"])]
    return SavedPage(stand_in.address, bot, files.name, channels, sorted(said, key=lambda one: str(one["ts"])))


async def replay(stand_in: StandIn, remembered: SavedPage, bot: str, directory: Path) -> Renames:
    """Say everything again, before the bot is there to hear it; what is named differently now."""
    renames = Renames({remembered.stand_in: stand_in.address, remembered.bot: bot})
    for known in remembered.channels:
        if known["is_im"]:
            [person] = [member for member in known["members"] if member != workspace.BOT]
            opened = await stand_in.call("conversations.open", users=person)
            renames.names[known["id"]] = opened["channel"]["id"]
    for message in remembered.messages:
        again = await _said(stand_in, message, renames, directory / remembered.files)
        if again is None:
            continue
        renames.message(message["ts"], again)
        channel = renames.apply(message["channel"])
        for reaction in message.get("reactions", ()):
            for user in reaction["users"]:
                await stand_in.react(channel, again, user, reaction["name"])
    return renames


async def _said(stand_in: StandIn, message: Message, renames: Renames, files: Path) -> str | None:
    """One message, said again; its time."""
    channel, thread = renames.apply(message["channel"]), renames.apply(message.get("thread_ts", ""))
    text = renames.apply(message.get("text") or "")
    if message["user"] == workspace.BOT:
        whole = {name: message[name] for name in _SAID if name in message}
        return await _answered(stand_in, renames.within(whole), message.get("ephemeral_to", ""))
    kept = [(file, _bytes(files / file["id"])) for file in message.get("files", ())]
    shared = [(file, content) for file, content in kept if content is not None]
    if not shared:
        return (await stand_in.say(channel, message["user"], text, thread))["ts"] if text else None
    given = [(file["name"], content) for file, content in shared]
    again = await stand_in.share(channel, message["user"], given, text, thread)
    for (old, _), new in zip(shared, again["files"], strict=True):
        renames.names[old["id"]] = new["id"]
    return str(again["ts"])


async def _answered(stand_in: StandIn, whole: Mapping[str, Any], reader: str) -> str:
    """A message of the bot's, for one reader or for all."""
    if reader:
        return str((await stand_in.call("chat.postEphemeral", **whole, user=reader))["message_ts"])
    return str((await stand_in.call("chat.postMessage", **whole))["ts"])


def _bytes(folder: Path) -> bytes | None:
    """A file's content; None if it was deleted."""
    found = next(folder.iterdir(), None) if folder.is_dir() else None
    return found.read_bytes() if found is not None else None


def rename_in_catalogue(database: Path, renames: Renames) -> None:
    """Let the bot's own records name what is there now: links lead to it, and deleting it deletes its images."""
    if not database.exists():
        return
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.create_function("renamed", 1, lambda text: text and renames.apply(text), deterministic=True)
        for table, columns in _NAMING.items():
            changes = ", ".join(f"{column} = renamed({column})" for column in columns)
            connection.execute(f"UPDATE {table} SET {changes}")


class PageSaver:
    """Writes the page's messages down whenever they change."""

    def __init__(self, stand_in: StandIn, bot: str, files: Path, path: Path) -> None:
        self._stand_in = stand_in
        self._bot = bot
        self._files = files
        self._path = path

    async def save_once(self) -> None:
        """Once."""
        (await current_page(self._stand_in, self._bot, self._files)).save(self._path)

    async def run(self) -> None:
        """Until cancelled."""
        changed = asyncio.Event()
        watching = asyncio.create_task(self._watch(changed))
        try:
            while True:
                await changed.wait()
                await asyncio.sleep(KEEP_AFTER_S)
                changed.clear()
                await self.save_once()
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    async def _watch(self, changed: asyncio.Event) -> None:
        async with contextlib.aclosing(self._stand_in.news()) as news:
            async for item in news:
                if item["t"] in _CHANGES:
                    changed.set()
