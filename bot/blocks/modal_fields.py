"""Fields of modals."""

from __future__ import annotations

from collections.abc import Sequence

from bot.blocks.button_state import SearchState
from bot.blocks.ids import InputId
from bot.blocks.limits import LABEL_TEXT, OPTION_TEXT, OPTIONS, PLACEHOLDER_TEXT, Block, length, sendable, shorten, size
from bot.blocks.mrkdwn import count_images, one_line
from bot.blocks.reply import option, plain_text
from bot.blocks.wording import find
from bot.blocks.wording import forms as wording
from bot.blocks.wording.buttons import picture
from bot.domain.catalogue import DatabaseInfo
from bot.domain.find_words import MAX_QUESTION
from bot.domain.identifiers import ALL_DATABASES, MAX_NOTE

MAX_FILES = 10
MAX_URL = 3000
MAX_ENTITY_TYPED = 255
"""As Slack counts: emoji are two characters each, and an accent may be typed as one of its own."""

CHECKBOXES = 10
"""Options of a group of checkboxes."""

MAX_OPTIONS_SIZE = 200_000
"""Of a view's 250,000 bytes. An option takes about 100, so a menu holds a few thousand databases."""


def input_block(name: InputId, label: str, element: Block, *, hint: str = "", optional: bool = False) -> Block:
    """Return a field. ``name`` serves as ``block_id``, where Slack shows errors, and as ``action_id``."""
    block: Block = {
        "type": "input",
        "block_id": str(name),
        "label": plain_text(label, LABEL_TEXT),
        "element": element | {"action_id": str(name)},
        "optional": optional,
    }
    return block | {"hint": plain_text(hint, LABEL_TEXT)} if hint else block


def text_input(
    *, initial: str = "", max_length: int, min_length: int = 0, placeholder: str = "", multiline: bool = False
) -> Block:
    """Return an element for text."""
    element: Block = {"type": "plain_text_input", "multiline": multiline, "max_length": max_length}
    if min_length:
        element["min_length"] = min_length
    if value := shorten(sendable(initial), max_length):
        element["initial_value"] = value
    return element | {"placeholder": plain_text(placeholder, PLACEHOLDER_TEXT)} if placeholder else element


def words_field(entered: str = "") -> Block:
    """Return a field for words by which images are found."""
    words = text_input(initial=entered, max_length=MAX_QUESTION, placeholder=find.WORDS_PLACEHOLDER)
    return input_block(InputId.WORDS, find.WORDS_LABEL, words, hint=find.WORDS_HINT, optional=True)


def files_field() -> Block:
    """Return a field for pictures. It has no file types: Slack would judge by names, and the bot judges by content."""
    files: Block = {"type": "file_input", "max_files": MAX_FILES}
    return input_block(InputId.FILES, wording.FILES_LABEL, files, hint=wording.files_hint(MAX_FILES), optional=True)


def url_field(entered: str = "") -> Block:
    """Return a field for the address of a picture."""
    element = text_input(initial=entered, max_length=MAX_URL, placeholder=wording.URL_PLACEHOLDER)
    return input_block(InputId.URL, wording.URL_LABEL, element, optional=True)


def entity_and_note_fields(entity: str, note: str, *, entity_hint: str) -> list[Block]:
    """Return the fields for the id and the note of images."""
    named = text_input(initial=entity, max_length=MAX_ENTITY_TYPED, placeholder=wording.ENTITY_PLACEHOLDER)
    noted = text_input(initial=note, max_length=MAX_NOTE, placeholder=wording.NOTE_PLACEHOLDER, multiline=True)
    return [
        input_block(InputId.ENTITY, wording.ENTITY_LABEL, named, hint=entity_hint, optional=True),
        input_block(InputId.NOTE, wording.NOTE_LABEL, noted, optional=True),
    ]


def choice(kind: str, options: Sequence[Block], chosen: str) -> Block:
    """Return an element for one of several options; ``kind`` is ``static_select`` or ``radio_buttons``."""
    element: Block = {"type": kind, "options": list(options)}
    return element | _initial(options, chosen)


def database_field(databases: Sequence[DatabaseInfo], chosen: str, *, or_all: bool = False) -> Block:
    """Return a menu of at least one database, with ``chosen`` or the only one selected.

    ``or_all`` adds all databases, if there are several.
    """
    options = _database_options(databases, chosen)
    only = options[0]["value"] if len(options) == 1 else chosen
    left_out = len(databases) - len(options)
    if or_all and len(databases) > 1:
        options.insert(0, option(find.ALL_DATABASES_LABEL, ALL_DATABASES))
    element: Block = {"type": "static_select"}
    if len(options) <= OPTIONS:
        element["options"] = options
    else:
        groups = [options[start : start + OPTIONS] for start in range(0, len(options), OPTIONS)]
        element["option_groups"] = [{"label": _range(group), "options": group} for group in groups]
    element |= _initial(options, only)
    hint = wording.databases_not_listed(left_out) if left_out else ""
    return input_block(InputId.DATABASE, wording.DATABASE_LABEL, element, hint=hint)


def pictures_field(searches: Sequence[SearchState]) -> Block:
    """Return the choice of some of several pictures. Those without a copy in the database are chosen at first."""
    options = [
        option(shorten(picture(number, one_line(search.name)), OPTION_TEXT), str(number - 1))
        for number, search in enumerate(searches[:OPTIONS], start=1)
    ]
    new = [entry for entry, search in zip(options, searches, strict=False) if not search.known]
    element: Block = {"type": "checkboxes", "options": options, "initial_options": new or options}
    if len(options) > CHECKBOXES:
        element |= {"type": "multi_static_select", "placeholder": plain_text(wording.CHOOSE_PICTURES, PLACEHOLDER_TEXT)}
    return input_block(InputId.PICTURES, wording.PICTURES_LABEL, element)


def _database_options(databases: Sequence[DatabaseInfo], chosen: str) -> list[Block]:
    with_sizes = len(databases) <= OPTIONS
    # The chosen database is always listed, whichever others are left out.
    first_chosen = sorted(databases, key=lambda info: (info.key.name != chosen, info.key.name))
    options: list[Block] = []
    bytes_left = MAX_OPTIONS_SIZE
    for info in first_chosen[: OPTIONS * OPTIONS]:
        entry = option(_label(info) if with_sizes else info.key.name, info.key.name)
        bytes_left -= size([entry])
        if bytes_left < 0:
            break
        options.append(entry)
    return sorted(options, key=lambda entry: str(entry["value"]))


def _label(info: DatabaseInfo) -> str:
    label = f"{info.key.name} ({count_images(info.images)})"
    return label if length(label) <= OPTION_TEXT else info.key.name


def _range(options: Sequence[Block]) -> Block:
    first, last = options[0]["value"], options[-1]["value"]
    half = OPTION_TEXT // 2 - 2
    return plain_text(f"{shorten(first, half)} – {shorten(last, half)}", OPTION_TEXT)


def _initial(options: Sequence[Block], chosen: str) -> Block:
    found = next((entry for entry in options if entry["value"] == chosen), None)
    return {} if found is None else {"initial_option": found}
