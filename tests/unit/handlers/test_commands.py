"""The command listener has an answer for every command of the grammar."""

from __future__ import annotations

from typing import Any, cast, get_args

from bot.blocks.ids import ActionId
from handlers.listeners.actions import listener as actions
from handlers.listeners.commands import NEEDS_PICTURE, CommandListener
from handlers.parsing import grammar


def test_every_command_has_an_answer() -> None:
    unused = cast("Any", None)
    listener = CommandListener(unused, unused, unused, unused, unused, long_requests=unused)
    assert set(listener._commands) == set(get_args(grammar.Command))


def test_only_commands_with_an_image_need_a_picture() -> None:
    with_image = {command for command in get_args(grammar.Command) if "source" in command.__dataclass_fields__}
    assert set(NEEDS_PICTURE) == with_image


def test_buttons_that_add_pictures_need_them() -> None:
    # Without this, a process of the role “web” would load the model.
    assert {ActionId.ADD_AS, ActionId.ADD_ANYWAY} <= actions.NEEDS_PICTURE
