"""App Home: the databases, and the channels that are watched. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bot.blocks.ids import ActionId
from bot.blocks.limits import VIEW_BLOCKS, Block
from bot.blocks.modals import View
from bot.blocks.notices import watching_text
from bot.blocks.reply import button, buttons, heading, section, small_print
from bot.blocks.state import NameState
from bot.blocks.wording import code, count, count_images, day, person, prose
from bot.conversations import ChannelBinding, Mode
from bot.models import DatabaseInfo, DatabaseName

ENTRY_BLOCKS = 2
"""A line and its buttons."""

FRAME_BLOCKS = 10
"""All that is no entry: the top, headings, and how many more there are."""

ENTRIES = (VIEW_BLOCKS - FRAME_BLOCKS) // ENTRY_BLOCKS


@dataclass(frozen=True, slots=True)
class Home:
    """What App Home shows. ``problem``: empty for a healthy search."""

    databases: tuple[DatabaseInfo, ...]
    bindings: tuple[ChannelBinding, ...]
    backend: str
    problem: str = ""


def home_view(home: Home) -> View:
    """The whole tab, in as many entries as Slack takes."""
    databases, bindings = _shares(len(home.databases), len(home.bindings))
    blocks = [
        *_top(home),
        heading("Databases"),
        *_entries(map(_database, home.databases[:databases])),
        *_rest(len(home.databases) - databases, "database"),
        *([] if home.databases else [section("There is no image database yet: create one, then add pictures to it.")]),
        heading("Channels"),
        *_entries(_channel(home, binding) for binding in home.bindings[:bindings]),
        *_rest(len(home.bindings) - bindings, "channel"),
        *([] if home.bindings else [section("Nothing is set for any channel: I look up images in those that I'm in.")]),
    ]
    return {"type": "home", "blocks": blocks}


def _shares(databases: int, bindings: int) -> tuple[int, int]:
    """How many of each are shown: half of the room for either, and what the other leaves."""
    half = ENTRIES // 2
    shown = min(databases, max(half, ENTRIES - bindings))
    return shown, min(bindings, ENTRIES - shown)


def _top(home: Home) -> list[Block]:
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
        small_print(summary),
    ]
    return [*blocks, section(f":warning: {prose(home.problem)}")] if home.problem else blocks


def _database(info: DatabaseInfo) -> list[Block]:
    value = NameState(database=info.key.name).encode() or ""
    created = f"created {day(info.created_at)}"
    if somebody := person(info.created_by):
        created += f" by {somebody}"
    actions = [
        button("Settings", ActionId.DATABASE_SETTINGS, value),
        button("Delete", ActionId.DELETE_DATABASE, value, style="danger"),
    ]
    return [section(f"`{info.key.name}`  ·  {count_images(info.images)}\n{created}"), buttons(actions)]


def _channel(home: Home, binding: ChannelBinding) -> list[Block]:
    value = NameState(channel=binding.channel).encode() or ""
    actions = [button("Edit", ActionId.WATCH, value)]
    if binding.mode is not Mode.OFF:
        actions.append(button("Stop watching", ActionId.UNWATCH, value))
    return [section(watching_text(binding, _effective(home, binding))), buttons(actions)]


def _effective(home: Home, binding: ChannelBinding) -> DatabaseName | None:
    if binding.database is None and len(home.databases) == 1:
        return home.databases[0].key.name
    return binding.database


def _entries(entries: Iterable[list[Block]]) -> list[Block]:
    return [block for entry in entries for block in entry]


def _rest(left_out: int, noun: str) -> list[Block]:
    if not left_out:
        return []
    where = "`/vsearch db` lists some more." if noun == "database" else "`/vsearch status` shows what is set in one."
    return [small_print(f"and {count(left_out, f'more {noun}')}. {where}")]
