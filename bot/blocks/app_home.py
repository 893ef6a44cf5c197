"""App Home: the databases, and the channels that are watched. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bot.blocks.button_state import NameState
from bot.blocks.ids import ActionId
from bot.blocks.limits import VIEW_BLOCKS, Block
from bot.blocks.messages.notices import watching_text
from bot.blocks.modals import ViewPayload
from bot.blocks.reply import button, buttons, context_block, heading, section
from bot.blocks.wording import code, count, count_images, date_text, escape_sentence, user_mention
from bot.domain.catalogue import DatabaseInfo
from bot.domain.channels import ChannelBinding, ChannelMode
from bot.domain.identifiers import DatabaseName

ENTRY_BLOCKS = 2
"""A line and its buttons."""

FRAME_BLOCKS = 10
"""All that is no entry: the top, headings, and how many more there are."""

ENTRIES = (VIEW_BLOCKS - FRAME_BLOCKS) // ENTRY_BLOCKS


@dataclass(frozen=True, slots=True)
class HomeContent:
    """What App Home shows. ``problem``: empty for a healthy search."""

    databases: tuple[DatabaseInfo, ...]
    bindings: tuple[ChannelBinding, ...]
    backend: str
    problem: str = ""


def home_view(home: HomeContent) -> ViewPayload:
    """The whole tab, in as many entries as Slack takes."""
    databases, bindings = _entry_counts(len(home.databases), len(home.bindings))
    blocks = [
        *_header(home),
        heading("Databases"),
        *_entries(map(_database, home.databases[:databases])),
        *_overflow_note(len(home.databases) - databases, "database"),
        *([] if home.databases else [section("There is no image database yet: create one, then add pictures to it.")]),
        heading("Channels"),
        *_entries(_channel(home, binding) for binding in home.bindings[:bindings]),
        *_overflow_note(len(home.bindings) - bindings, "channel"),
        *([] if home.bindings else [section("Nothing is set for any channel: I look up images in those that I'm in.")]),
    ]
    return {"type": "home", "blocks": blocks}


def _entry_counts(databases: int, bindings: int) -> tuple[int, int]:
    """How many of each are shown: half of the room for either, and what the other leaves."""
    half = ENTRIES // 2
    shown = min(databases, max(half, ENTRIES - bindings))
    return shown, min(bindings, ENTRIES - shown)


def _header(home: HomeContent) -> list[Block]:
    nothing = NameState().encode() or ""
    actions = [button("Create a database", ActionId.CREATE_DATABASE, nothing)]
    if home.databases:
        actions.insert(0, button("Search by image", ActionId.OPEN_SEARCH, nothing, style="primary"))
        actions.append(button("Watch a channel", ActionId.WATCH, nothing))
    images = sum(info.images for info in home.databases)
    summary = f"{count(len(home.databases), 'database')}, {count_images(images)}. Search engine: {code(home.backend)}."
    blocks = [
        section(
            "*Have we seen this picture, and what is it?*\nShare an image in a channel that I'm in, or send me one."
        ),
        buttons(actions),
        context_block(summary),
    ]
    return [*blocks, section(f":warning: {escape_sentence(home.problem)}")] if home.problem else blocks


def _database(info: DatabaseInfo) -> list[Block]:
    value = NameState(database=info.key.name).encode() or ""
    created = f"created {date_text(info.created_at)}"
    if somebody := user_mention(info.created_by):
        created += f" by {somebody}"
    actions = [
        button("Settings", ActionId.DATABASE_SETTINGS, value),
        button("Delete", ActionId.DELETE_DATABASE, value, style="danger"),
    ]
    return [section(f"`{info.key.name}`  ·  {count_images(info.images)}\n{created}"), buttons(actions)]


def _channel(home: HomeContent, binding: ChannelBinding) -> list[Block]:
    value = NameState(channel=binding.channel).encode() or ""
    actions = [button("Edit", ActionId.WATCH, value)]
    if binding.mode is not ChannelMode.OFF:
        actions.append(button("Stop watching", ActionId.UNWATCH, value))
    return [section(watching_text(binding, _effective(home, binding))), buttons(actions)]


def _effective(home: HomeContent, binding: ChannelBinding) -> DatabaseName | None:
    if binding.database is None and len(home.databases) == 1:
        return home.databases[0].key.name
    return binding.database


def _entries(entries: Iterable[list[Block]]) -> list[Block]:
    return [block for entry in entries for block in entry]


def _overflow_note(left_out: int, noun: str) -> list[Block]:
    if not left_out:
        return []
    where = "`/vsearch db` lists some more." if noun == "database" else "`/vsearch status` shows what is set in one."
    return [context_block(f"and {count(left_out, f'more {noun}')}. {where}")]
