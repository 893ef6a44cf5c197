"""Save the page's messages to a file, and post them again when the demo restarts.

The stand-in keeps messages in memory only, and gives them new ids. Blocks and the bot's catalogue refer to messages and
files by id, so these references are renamed.
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
"""Seconds to wait after a change, since messages come in groups."""

_CHANGES = frozenset({"init", "message", "message_update", "message_delete", "channel"})
_NAME = re.compile(r"[0-9]{10}\.[0-9]{6}|\bp[0-9]{16}\b|\b[DF][0-9A-Z]{7,}\b")
"""Ids that the stand-in creates: message times, the same in links, files and direct messages."""

_ID_COLUMNS = {
    "image_origins": ("slack_file", "slack_channel", "slack_message", "slack_permalink"),
    "inbox": ("channel", "message", "payload"),
    "inbox_files": ("channel", "message", "file"),
}
"""Columns of the bot's database that contain these ids."""


_SAVED_FIELDS = ("channel", "thread_ts", "text", "blocks")
"""Fields of the bot's messages that are saved."""


@dataclass(slots=True)
class Renames:
    """Maps old ids to new ones. ``origins`` maps the first part of addresses."""

    origins: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)

    def message(self, old: str, new: str) -> None:
        """Add a message's old and new time."""
        self.names[old] = new
        self.names["p" + old.replace(".", "")] = "p" + new.replace(".", "")

    def apply(self, text: str) -> str:
        """Return the text with new ids."""
        for old, new in self.origins.items():
            text = text.replace(old, new)
        return _NAME.sub(lambda found: self.names.get(found[0], found[0]), text)

    def within(self, value: Any) -> Any:
        """Return a JSON value with new ids."""
        return json.loads(self.apply(json.dumps(value)))


@dataclass(frozen=True, slots=True)
class SavedPage:
    """All messages of the page. ``files`` is the folder with the shared files."""

    stand_in: str
    bot: str
    files: str
    channels: list[dict[str, Any]]
    messages: list[Message]

    @classmethod
    def load(cls, path: Path) -> Self | None:
        """Load from a file. Return None if there is none, or a newer version wrote it."""
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def save(self, path: Path) -> None:
        """Save to a file atomically."""
        partial = path.with_suffix(".part")
        content = {name: getattr(self, name) for name in self.__slots__}
        partial.write_text(json.dumps(content), encoding="utf-8")
        partial.replace(path)


async def current_page(stand_in: StandIn, bot: str, files: Path) -> SavedPage:
    """Return what is on the page now."""
    channels = (await stand_in.state())["channels"]
    said = [message for channel in channels for message in await stand_in.messages(channel["id"])]
    return SavedPage(stand_in.address, bot, files.name, channels, sorted(said, key=lambda one: str(one["ts"])))


async def replay(stand_in: StandIn, remembered: SavedPage, bot: str, directory: Path) -> Renames:
    """Post everything again before the bot connects, and return the renamed ids."""
    renames = Renames({remembered.stand_in: stand_in.address, remembered.bot: bot})
    for known in remembered.channels:
        if known["is_im"]:
            [person] = [member for member in known["members"] if member != workspace.BOT]
            opened = await stand_in.call("conversations.open", users=person)
            renames.names[known["id"]] = opened["channel"]["id"]
    for message in remembered.messages:
        again = await _repost(stand_in, message, renames, directory / remembered.files)
        if again is None:
            continue
        renames.message(message["ts"], again)
        channel = renames.apply(message["channel"])
        for reaction in message.get("reactions", ()):
            for user in reaction["users"]:
                await stand_in.react(channel, again, user, reaction["name"])
    return renames


async def _repost(stand_in: StandIn, message: Message, renames: Renames, files: Path) -> str | None:
    """Post one message again, and return its new time."""
    channel, thread = renames.apply(message["channel"]), renames.apply(message.get("thread_ts", ""))
    text = renames.apply(message.get("text") or "")
    if message["user"] == workspace.BOT:
        whole = {name: message[name] for name in _SAVED_FIELDS if name in message}
        return await _repost_of_bot(stand_in, renames.within(whole), message.get("ephemeral_to", ""))
    kept = [(file, _bytes(files / file["id"])) for file in message.get("files", ())]
    shared = [(file, content) for file, content in kept if content is not None]
    if not shared:
        return (await stand_in.say(channel, message["user"], text, thread))["ts"] if text else None
    given = [(file["name"], content) for file, content in shared]
    again = await stand_in.share(channel, message["user"], given, text, thread)
    for (old, _), new in zip(shared, again["files"], strict=True):
        renames.names[old["id"]] = new["id"]
    return str(again["ts"])


async def _repost_of_bot(stand_in: StandIn, whole: Mapping[str, Any], reader: str) -> str:
    """Post a message of the bot, for one reader or for all, and return its new time."""
    if reader:
        return str((await stand_in.call("chat.postEphemeral", **whole, user=reader))["message_ts"])
    return str((await stand_in.call("chat.postMessage", **whole))["ts"])


def _bytes(folder: Path) -> bytes | None:
    """Return a file's content, or None if it was deleted."""
    found = next(folder.iterdir(), None) if folder.is_dir() else None
    return found.read_bytes() if found is not None else None


def rename_in_catalogue(database: Path, renames: Renames) -> None:
    """Rename the ids in the bot's database, so that its links work and deleting a message still deletes its images."""
    if not database.exists():
        return
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.create_function("renamed", 1, lambda text: text and renames.apply(text), deterministic=True)
        for table, columns in _ID_COLUMNS.items():
            changes = ", ".join(f"{column} = renamed({column})" for column in columns)
            connection.execute(f"UPDATE {table} SET {changes}")


class PageSaver:
    """Saves the page's messages whenever they change."""

    def __init__(self, stand_in: StandIn, bot: str, files: Path, path: Path) -> None:
        self._stand_in = stand_in
        self._bot = bot
        self._files = files
        self._path = path

    async def save_once(self) -> None:
        """Save once."""
        (await current_page(self._stand_in, self._bot, self._files)).save(self._path)

    async def run(self) -> None:
        """Save after every change until cancelled."""
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
