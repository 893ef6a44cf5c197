"""The row of actions below search results: a few buttons, and a menu with the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bot.blocks.button_state import (
    MAX_BUTTON_VALUE,
    CompareState,
    EntityState,
    SearchState,
    encode_comparison,
    encode_option,
    encode_searches,
)
from bot.blocks.ids import ActionId
from bot.blocks.limits import OPTIONS, OVERFLOW_OPTIONS, Block, length, shorten, size
from bot.blocks.messages.results.matches import PresentationOptions, RankedAnswer, SearchAnswer
from bot.blocks.mrkdwn import MAX_NAME_SHOWN, one_line
from bot.blocks.reply import button, option, overflow, select
from bot.blocks.wording import buttons as labels
from bot.blocks.wording import results as wording
from bot.blocks.wording.channels import feedback as feedback_wording
from bot.domain.matches import Caveat

MAX_BUTTONS_SIZE = 5000
"""Of a message's 12,000 characters. Each button carries the whole search, and a URL may be long."""

MAX_SHARED_BUTTONS_SIZE = 7000
"""The same for buttons about several pictures: each carries all searches, and still a picture's answer must fit."""

LEAST_OPTIONS = 2
"""Of a menu. Slack's own pages disagree on whether one would do."""

MOST_BUTTONS = 3
"""A phone shows no more than three buttons in a row."""


@dataclass(frozen=True, slots=True)
class _Action:
    """A button or an option: its label, its action id, the search that it carries, and its name in the menu."""

    label: str
    action_id: str
    state: SearchState
    in_menu: str

    @property
    def as_button(self) -> Block | None:
        value = button_value(self.state)
        return None if value is None else button(self.label, self.action_id, value)

    @property
    def as_option(self) -> Block | None:
        value = encode_option(self.in_menu, self.state)
        return None if value is None else option(self.label, value)


_MORE, _ANOTHER, _ADD, _PART, _SHARE, COMPARE = "more", "another", "add", "part", "share", "compare"

MENU_ACTIONS = {
    _MORE: ActionId.MORE,
    _ANOTHER: ActionId.ANOTHER_DATABASE,
    _ADD: ActionId.ADD_THIS,
    _PART: ActionId.CHOOSE_PART,
    _SHARE: ActionId.SHARE,
    COMPARE: ActionId.COMPARE,
}
"""The actions of a menu's options. Messages live for ever, so an option never changes its meaning."""


def result_actions(
    found: SearchAnswer, options: PresentationOptions, *, onward: int | None, back: int | None = None
) -> tuple[list[Block], str]:
    """Return the actions below search results for one picture, and a sentence if some of them don't fit.

    Args:
        found: the results.
        options: how they are shown.
        onward: offset of the next page, if there is one.
        back: offset of the previous page, if there is one.

    """
    if options.state is None:
        return [], ""
    wanted = _wanted(found, options, options.state, onward, back)
    buttons = [element for action in wanted if (element := action.as_button) is not None]
    if len(buttons) < len(wanted):
        return [], wording.NO_BUTTONS
    if len(buttons) > MOST_BUTTONS:
        first = min(MOST_BUTTONS, len(wanted) - LEAST_OPTIONS)
        further = [element for action in wanted[first:] if (element := action.as_option) is not None]
        if len(further) == len(wanted) - first:
            buttons = [*buttons[:first], overflow(ActionId.MENU, further)]
    return _within_limits(buttons, len(wanted))


def _within_limits(elements: list[Block], wanted: int) -> tuple[list[Block], str]:
    if size(elements) > MAX_BUTTONS_SIZE:
        elements = [element for element in elements if element["action_id"] != ActionId.CHOOSE_PART]
    if size(elements) <= MAX_BUTTONS_SIZE:
        is_whole = len(elements) == wanted or elements[-1]["type"] == "overflow"
        return elements, "" if is_whole else wording.FEWER_BUTTONS
    most_wanted = [element for element in elements if element["action_id"] == ActionId.MORE] or elements[:1]
    return most_wanted, wording.FEWER_BUTTONS


def _wanted(
    found: SearchAnswer, options: PresentationOptions, state: SearchState, onward: int | None, back: int | None
) -> list[_Action]:
    """Return the actions, the likeliest first."""
    wanted: list[_Action] = []
    add = [_Action(labels.ADD_IMAGE, ActionId.ADD_THIS, state, _ADD)] if options.can_add else []
    if back is not None:
        wanted.append(_Action(labels.SHOW_PREVIOUS, f"{ActionId.MORE}:previous", replace(state, offset=back), _MORE))
    if onward is not None:
        wanted.append(_Action(labels.SHOW_MORE, ActionId.MORE, replace(state, offset=onward), _MORE))
    if not found.matches:
        wanted += add
    if onward is None and has_weaker(found, state):
        weaker = replace(state, minimum=0.0, offset=len(found.matches))
        wanted.append(_Action(labels.SHOW_WEAKER, f"{ActionId.MORE}:weaker", weaker, _MORE))
    if options.private and options.can_share:
        wanted.append(_Action(labels.SHARE_TO_CHANNEL, ActionId.SHARE, state, _SHARE))
    if found.matches:
        wanted += add
    if options.databases > 1:
        other = replace(state, offset=0)
        wanted.append(_Action(labels.SEARCH_ANOTHER_DATABASE, ActionId.ANOTHER_DATABASE, other, _ANOTHER))
    if options.can_search_part:
        wanted.append(_Action(labels.SEARCH_PART, ActionId.CHOOSE_PART, replace(state, offset=0, part=""), _PART))
    return wanted


def has_weaker(found: SearchAnswer, state: SearchState) -> bool:
    """Return whether there are weaker matches to show. What has no detail is like everything and like nothing."""
    return bool(found.weaker) and state.minimum > 0 and Caveat.NOTHING_TO_COMPARE not in found.caveats


def photos_button(ranked: RankedAnswer) -> Block | None:
    """Return the button that shows all pictures of an entity; None if it has only one or isn't in the catalogue."""
    if ranked.record is None or ranked.photos == 1:
        return None
    value = EntityState(database=ranked.record.database.name, entity=ranked.match.entity).encode()
    return button(labels.all_photos(ranked.photos), ActionId.ENTITY_PHOTOS, value) if value else None


def comparison_of(ranked: RankedAnswer, search: SearchState | None) -> CompareState | None:
    """Return how the match is compared with the asked picture; None if nothing shows how they lie over each other."""
    if search is None or ranked.record is None or not ranked.match.is_comparable:
        return None
    return CompareState.of(search, ranked.record.database.name, ranked.match.data_id)


def compare_button(ranked: RankedAnswer, search: SearchState | None) -> Block | None:
    """Return the button that compares a match with the asked picture, if that can be done."""
    state = comparison_of(ranked, search)
    value = state.encode() if state else None
    # Each match of a message has a button of its own.
    about = labels.match_of(ranked.rank, ranked.match.entity)
    return button(labels.COMPARE, f"{ActionId.COMPARE}:{ranked.rank}", value, about=about) if value else None


def actions_for_several(
    pictures: Sequence[tuple[int, str, RankedAnswer | None, PresentationOptions]],
) -> tuple[list[Block], str]:
    """Return the one set of actions for several pictures, and a sentence if some of them don't fit.

    Args:
        pictures: for each picture that was looked up its number, its name, its best match, and how it is shown.

    """
    shown = [
        (number, name, replace(options.state, known=best is not None and best.match.verdict.is_copy), options)
        for number, name, best, options in pictures
        if options.state is not None
    ]
    if not shown:
        return [], ""
    states = [state for _, _, state, _ in shown]
    first, elements = shown[0][3], list[Block]()
    if first.private and first.can_share:
        elements += _button_for_all(labels.SHARE_TO_CHANNEL, ActionId.SHARE, states)
    if addable := [state for _, _, state, options in shown if options.can_add]:
        label = labels.ADD_IMAGE if len(addable) == 1 else labels.ADD_IMAGES
        elements += _button_for_all(label, ActionId.ADD_THIS, addable)
    if first.databases > 1:
        elements += _button_for_all(labels.SEARCH_ANOTHER_DATABASE, ActionId.ANOTHER_DATABASE, states)
    if len(elements) < MOST_BUTTONS and (rated := [state for _, _, state, options in shown if options.fingerprint]):
        # With three other buttons, the menu leads to each picture's own answer, which asks the same.
        elements += _button_for_all(feedback_wording.RATE, ActionId.RATE, rated)
    while size(elements) > MAX_SHARED_BUTTONS_SIZE:
        # The first ones are wanted most.
        elements.pop()
    wanted = bool(first.private and first.can_share) + bool(addable) + (first.databases > 1)
    problem = "" if len(elements) >= wanted else wording.FEWER_BUTTONS if elements else wording.NO_BUTTONS
    return [*elements, *_choice_of_picture(shown, _comparisons(pictures))], problem


def _comparisons(pictures: Sequence[tuple[int, str, RankedAnswer | None, PresentationOptions]]) -> list[Block]:
    """Return the options that compare each picture with its best match, where that can be done."""
    return [
        option(labels.compare_picture(number), value)
        for number, _, best, options in pictures
        if best is not None
        and (state := comparison_of(best, options.state)) is not None
        and (value := encode_comparison(COMPARE, state)) is not None
    ]


def _button_for_all(label: str, action_id: str, states: Sequence[SearchState]) -> list[Block]:
    """Return a button that carries all searches, without the files' names if need be; none if they are too many."""
    for names in (True, False):
        value = encode_searches(states, names=names)
        # A search with a long URL is an empty line.
        if all(value.split("\n")) and length(value) <= MAX_BUTTON_VALUE:
            return [button(label, action_id, value)]
    return []


def _choice_of_picture(
    shown: Sequence[tuple[int, str, SearchState, PresentationOptions]], comparisons: Sequence[Block]
) -> list[Block]:
    """Return a menu that opens the whole answer for one of the pictures, with its own actions, or compares it."""
    options = [
        option(labels.picture(number, one_line(name)), value)
        for number, name, state, _ in shown
        if (value := encode_option(_MORE, replace(state, offset=0))) is not None
    ]
    options = [*options, *comparisons][:OPTIONS]
    if len(options) < LEAST_OPTIONS:
        return []
    if len(options) <= OVERFLOW_OPTIONS:
        return [overflow(ActionId.MENU, options)]
    return [select(labels.CHOOSE_PICTURE, ActionId.MENU, options)]


def button_value(state: SearchState) -> str | None:
    """Return the state as a button's value, with a shortened file name if need be; None if it is too long."""
    # The file's name is only for people, so a shortened name is better than no button.
    return state.encode() or replace(state, name=shorten(state.name, MAX_NAME_SHOWN)).encode()
