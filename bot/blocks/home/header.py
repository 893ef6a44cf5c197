"""The beginning of App Home: what to do here, and the first steps for beginners."""

from __future__ import annotations

from bot.blocks.button_state import NameState
from bot.blocks.home.content import HomeContent, Section
from bot.blocks.ids import ActionId, InputId
from bot.blocks.limits import Block
from bot.blocks.modal_fields import input_block, text_input
from bot.blocks.mrkdwn import escape_sentence
from bot.blocks.reply import button, buttons, context_block, heading, section
from bot.blocks.wording import buttons as labels
from bot.blocks.wording import find as find_wording
from bot.blocks.wording import home as wording
from bot.domain.find_words import MAX_QUESTION


def header_section(home: HomeContent) -> Section:
    """Return what the bot is for, the search, and what is wrong with it."""
    empty = NameState().encode() or ""
    actions = [button(labels.CREATE_DATABASE, ActionId.CREATE_DATABASE, empty)]
    if home.databases:
        actions.insert(0, button(labels.SEARCH_BY_IMAGE, ActionId.OPEN_SEARCH, empty, style="primary"))
        actions.append(button(labels.WATCH_CHANNEL, ActionId.WATCH, empty))
    return Section(
        (
            section(wording.INTRODUCTION),
            # Without a database, the first steps have the only button.
            *([buttons(actions), _words_field()] if home.databases else []),
            context_block(wording.summary(home.databases, home.backend)),
            *([section(wording.problem(escape_sentence(home.problem)))] if home.problem else []),
        )
    )


def beginners_section(home: HomeContent) -> Section:
    """Return the first steps, where there is no image yet."""
    if home.images:
        return Section()
    if not home.databases:
        value = NameState().encode() or ""
        action = button(labels.CREATE_DATABASE, ActionId.CREATE_DATABASE, value, style="primary")
    else:
        value = NameState(database=home.databases[0].key.name).encode() or ""
        action = button(labels.ADD_IMAGES, ActionId.ADD_PICTURES, value, style="primary")
    name = home.databases[0].key.name if home.databases else ""
    return Section((heading(wording.FIRST_PICTURES), section(wording.first_steps(name)), buttons([action])))


def _words_field() -> Block:
    """Return the field for words. Slack sends them as soon as somebody presses Enter."""
    words = text_input(max_length=MAX_QUESTION, placeholder=find_wording.WORDS_PLACEHOLDER)
    field = input_block(InputId.WORDS, find_wording.HOME_LABEL, words)
    # With the same id, Slack keeps what was typed when Home is refreshed.
    return field | {"element": words | {"action_id": str(ActionId.FIND_WORDS)}, "dispatch_action": True}
