"""App Home: the databases, and the channels with a mode."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from bot.blocks.button_state import ListState, NameState
from bot.blocks.ids import ActionId
from bot.blocks.limits import LABEL_TEXT, VIEW_BLOCKS, Block
from bot.blocks.modal_fields import text_input
from bot.blocks.modals import ViewPayload
from bot.blocks.mrkdwn import escape_sentence
from bot.blocks.reply import button, buttons, context_block, heading, plain_text, section
from bot.blocks.wording import buttons as labels
from bot.blocks.wording import find as find_wording
from bot.blocks.wording import home as wording
from bot.blocks.wording.channels import mode_text
from bot.domain.catalogue import DatabaseInfo
from bot.domain.channels import ChannelBinding, ChannelMode
from bot.domain.find_words import MAX_QUESTION
from bot.domain.identifiers import DatabaseName

ENTRY_BLOCKS = 2
"""A section and its buttons."""

OTHER_BLOCKS = 10
"""The header, the headings, and how many entries were left out."""

MAX_ENTRIES = (VIEW_BLOCKS - OTHER_BLOCKS) // ENTRY_BLOCKS


@dataclass(frozen=True, slots=True)
class HomeContent:
    """What App Home shows.

    ``problem`` is empty if the search back end works. ``changeable`` names the databases that the person may change or
    delete; None stands for all.
    """

    databases: tuple[DatabaseInfo, ...]
    bindings: tuple[ChannelBinding, ...]
    backend: str
    problem: str = ""
    changeable: frozenset[str] | None = None


def home_view(home: HomeContent) -> ViewPayload:
    """Return the tab, with as many entries as Slack takes."""
    databases, bindings = _entry_counts(len(home.databases), len(home.bindings))
    blocks = [
        *_header(home),
        heading(wording.DATABASES),
        *_entries(_database(home, info) for info in home.databases[:databases]),
        *_left_out(len(home.databases) - databases, wording.more_databases),
        *([] if home.databases else [section(wording.NO_DATABASES)]),
        heading(wording.CHANNELS),
        *_entries(_channel(home, binding) for binding in home.bindings[:bindings]),
        *_left_out(len(home.bindings) - bindings, wording.more_channels),
        *([] if home.bindings else [section(wording.NO_CHANNELS)]),
    ]
    return {"type": "home", "blocks": blocks}


def _entry_counts(databases: int, bindings: int) -> tuple[int, int]:
    """Return how many databases and channels are shown: half of the entries each, or more if the other has fewer."""
    half = MAX_ENTRIES // 2
    shown = min(databases, max(half, MAX_ENTRIES - bindings))
    return shown, min(bindings, MAX_ENTRIES - shown)


def _header(home: HomeContent) -> list[Block]:
    empty = NameState().encode() or ""
    actions = [button(labels.CREATE_DATABASE, ActionId.CREATE_DATABASE, empty)]
    if home.databases:
        actions.insert(0, button(labels.SEARCH_BY_IMAGE, ActionId.OPEN_SEARCH, empty, style="primary"))
        actions.append(button(labels.WATCH_CHANNEL, ActionId.WATCH, empty))
    blocks = [
        section(wording.INTRODUCTION),
        buttons(actions),
        *([_words_field()] if home.databases else []),
        context_block(wording.summary(home.databases, home.backend)),
    ]
    return [*blocks, section(wording.problem(escape_sentence(home.problem)))] if home.problem else blocks


def _words_field() -> Block:
    """Return the field for words. Slack sends them as soon as somebody presses Enter."""
    words = text_input(max_length=MAX_QUESTION, placeholder=find_wording.WORDS_PLACEHOLDER)
    words |= {"action_id": str(ActionId.FIND_WORDS)}
    label = plain_text(find_wording.HOME_LABEL, LABEL_TEXT)
    return {"type": "input", "label": label, "element": words, "dispatch_action": True}


def _database(home: HomeContent, info: DatabaseInfo) -> list[Block]:
    value = NameState(database=info.key.name).encode() or ""
    listing = ListState(database=info.key.name).encode() or ""
    actions = [button(labels.BROWSE, f"{ActionId.LIST_PAGE}:browse", listing)] if info.images else []
    if home.changeable is None or info.key.name in home.changeable:
        actions += [
            button(labels.EDIT_SETTINGS, ActionId.DATABASE_SETTINGS, value),
            button(labels.DELETE, ActionId.DELETE_DATABASE, value, style="danger"),
        ]
    return [section(wording.database_entry(info)), *([buttons(actions)] if actions else [])]


def _channel(home: HomeContent, binding: ChannelBinding) -> list[Block]:
    value = NameState(channel=binding.channel).encode() or ""
    actions = [button(labels.EDIT, ActionId.WATCH, value)]
    if binding.mode is not ChannelMode.OFF:
        actions.append(button(labels.STOP_WATCHING, ActionId.UNWATCH, value))
    return [section(mode_text(binding, _effective(home, binding))), buttons(actions)]


def _effective(home: HomeContent, binding: ChannelBinding) -> DatabaseName | None:
    if binding.database is None and len(home.databases) == 1:
        return home.databases[0].key.name
    return binding.database


def _entries(entries: Iterable[list[Block]]) -> list[Block]:
    return [block for entry in entries for block in entry]


def _left_out(number: int, text_of: Callable[[int], str]) -> list[Block]:
    return [context_block(text_of(number))] if number else []
