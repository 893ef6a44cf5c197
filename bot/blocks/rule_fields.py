"""The fields of the watch form that hold the rules of a guard channel."""

from __future__ import annotations

from bot.blocks.ids import InputId
from bot.blocks.limits import PLACEHOLDER_TEXT, Block
from bot.blocks.modal_fields import input_block, text_input
from bot.blocks.reply import context_block, option, plain_text
from bot.blocks.wording import forms as wording
from bot.blocks.wording.channels.rules import KIND_NAMES
from bot.domain.channels import FileKind, GuardRules, OwnReposts

QUIET = "quiet"
MAX_TYPED = 20


def rule_fields(rules: GuardRules) -> list[Block]:
    """Return the fields with a channel's rules."""
    window = text_input(
        initial=str(rules.window_days or ""), max_length=MAX_TYPED, placeholder=wording.WINDOW_PLACEHOLDER
    )
    own = text_input(initial=_own(rules), max_length=MAX_TYPED, placeholder=wording.OWN_PLACEHOLDER)
    quiet = option(wording.QUIET_OPTION, QUIET, wording.QUIET_DESCRIPTION)
    return [
        context_block(wording.RULES_HEADING),
        input_block(InputId.WINDOW, wording.WINDOW_LABEL, window, hint=wording.WINDOW_HINT, optional=True),
        input_block(InputId.OWN, wording.OWN_LABEL, own, hint=wording.OWN_HINT, optional=True),
        input_block(InputId.PEOPLE, wording.PEOPLE_LABEL, _people(rules), optional=True),
        input_block(InputId.EXEMPT, wording.EXEMPT_LABEL, _exempt(rules), optional=True),
        input_block(
            InputId.REPORT_TO, wording.REPORT_TO_LABEL, _channel(rules), hint=wording.REPORT_TO_HINT, optional=True
        ),
        input_block(InputId.QUIET, wording.QUIET_LABEL, _boxes([quiet], [quiet] if rules.quiet else []), optional=True),
    ]


def _own(rules: GuardRules) -> str:
    if rules.own is OwnReposts.IGNORE:
        return OwnReposts.IGNORE
    return f"{rules.leeway_minutes}m" if rules.leeway_minutes else OwnReposts.REPORT


def _people(rules: GuardRules) -> Block:
    placeholder = plain_text(wording.PEOPLE_PLACEHOLDER, PLACEHOLDER_TEXT)
    element: Block = {"type": "multi_users_select", "placeholder": placeholder}
    return element | {"initial_users": sorted(rules.people)} if rules.people else element


def _exempt(rules: GuardRules) -> Block:
    options = {kind: option(KIND_NAMES[kind], kind) for kind in FileKind}
    return _boxes(list(options.values()), [options[kind] for kind in FileKind if kind in rules.exempt])


def _channel(rules: GuardRules) -> Block:
    element: Block = {"type": "conversations_select", "filter": {"include": ["public", "private"]}}
    return element | {"initial_conversation": rules.report_to} if rules.report_to else element


def _boxes(options: list[Block], chosen: list[Block]) -> Block:
    element: Block = {"type": "checkboxes", "options": options}
    return element | {"initial_options": chosen} if chosen else element
