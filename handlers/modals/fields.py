"""Validates the fields of submitted modals; every mistake is reported at its field."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from bot.blocks.ids import InputId
from bot.blocks.listing_forms import WHOLE_ENTITY
from bot.blocks.modals import CHANNEL
from bot.blocks.wording import find as find_wording
from bot.blocks.wording import forms as wording
from bot.domain.channels import NO_CHANGES, ChannelMode, FileKind, OwnReposts, RuleChanges
from bot.domain.errors import InvalidInput
from bot.domain.find_words import terms_of
from bot.domain.identifiers import DatabaseName, EntityId, Note, database_or_all
from bot.domain.links import validate_template
from bot.domain.pages import PageRequest
from bot.services.search.search import DEFAULT_MINIMUM, TOP_SCORE
from handlers.parsing.grammar import MAX_TOP
from handlers.parsing.payloads import SharedFile
from handlers.parsing.payloads.interactions import FormValues
from handlers.parsing.watch_rules import parse_rules

T = TypeVar("T")

_URL = re.compile(r"https?://\S+", re.IGNORECASE)


class FieldErrors(InvalidInput):
    """The mistakes by field; Slack shows each sentence at its field."""

    def __init__(self, problems: dict[str, str]) -> None:
        super().__init__(" ".join(problems.values()))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class SearchFields:
    """The fields of the search form: pictures or ``words``. ``conversation`` is the channel for the results."""

    files: tuple[SharedFile, ...]
    url: str
    database: DatabaseName
    top: int
    for_everyone: bool
    conversation: str
    words: str = ""


@dataclass(frozen=True, slots=True)
class AddFields:
    """The fields of the add form; ``entity`` is None for one made from the file's name, ``pictures`` for all."""

    database: DatabaseName
    entity: EntityId | None
    note: Note
    pictures: frozenset[int] | None = None


@dataclass(frozen=True, slots=True)
class PictureFields:
    """The pictures of the form that adds them: files and the address of one; ``added`` are its other fields."""

    files: tuple[SharedFile, ...]
    url: str
    added: AddFields


@dataclass(frozen=True, slots=True)
class EditFields:
    """The fields of the form that edits an image. ``whole_entity``: all images with its id get the same.

    ``note`` is None if the form has no such field.
    """

    entity: EntityId
    note: Note | None
    whole_entity: bool


@dataclass(frozen=True, slots=True)
class WatchFields:
    """The fields of the watch form; ``channel`` is empty if the form had no field for it.

    Forms that earlier versions opened have no fields for ``rules``, which then stay as they are.
    """

    mode: ChannelMode
    database: DatabaseName
    minimum: float | None
    channel: str
    rules: RuleChanges = NO_CHANGES


def search_fields(
    form: FormValues, default: str = "", *, has_files: bool = False, has_channel: bool = True
) -> SearchFields:
    """Validate the search form.

    Args:
        form: what was entered.
        default: the database, if none was chosen.
        has_files: whether the form kept files from an earlier attempt.
        has_channel: whether it was opened in a channel, which then gets the results.

    Raises FieldErrors.
    """
    problems: dict[str, str] = {}
    url = _url(form, problems)
    words = form.texts.get(InputId.WORDS, "").strip()
    if not form.files and not url and not words and not has_files:
        problems[InputId.FILES] = wording.CHOOSE_IMAGE
    if words and (form.files or url or has_files):
        problems[InputId.WORDS] = find_wording.WORDS_OR_IMAGE
    elif words:
        _checked(problems, InputId.WORDS, lambda: terms_of(words))
    database = _checked(problems, InputId.DATABASE, lambda: _database(form, default, or_all=True))
    for_everyone, conversation = _choice(form, InputId.READERS) == CHANNEL, _choice(form, InputId.CONVERSATION)
    if for_everyone and not has_channel and not conversation:
        problems[InputId.CONVERSATION] = wording.CHOOSE_RESULTS_CHANNEL
    top = _choice(form, InputId.TOP)
    if problems or database is None:
        raise FieldErrors(problems)
    return SearchFields(
        form.files,
        url,
        database,
        min(int(top), MAX_TOP) if top.isdecimal() and int(top) else 5,
        for_everyone,
        conversation,
        words,
    )


def database_field(form: FormValues, default: str = "") -> DatabaseName:
    """Return the chosen database, or ``default``. Raises FieldErrors."""
    return _only(InputId.DATABASE, lambda: _database(form, default, or_all=True))


def link_field(form: FormValues) -> str:
    """Return the template of a database's link, or an empty text. Raises FieldErrors."""
    return _only(InputId.LINK, lambda: validate_template(form.texts.get(InputId.LINK, "")))


def add_fields(form: FormValues, default: str = "") -> AddFields:
    """Validate the add form; without a chosen database, use ``default``. Raises FieldErrors."""
    problems: dict[str, str] = {}
    typed = form.texts.get(InputId.ENTITY, "").strip()
    entity = _checked(problems, InputId.ENTITY, lambda: EntityId(typed)) if typed else None
    note = _checked(problems, InputId.NOTE, lambda: Note(form.texts.get(InputId.NOTE, "").strip()))
    database = _checked(problems, InputId.DATABASE, lambda: _database(form, default))
    pictures = _checked(problems, InputId.PICTURES, lambda: _pictures(form))
    if problems or database is None or note is None:
        raise FieldErrors(problems)
    return AddFields(database, entity, note, pictures)


def picture_fields(form: FormValues, default: str = "", *, has_files: bool = False) -> PictureFields:
    """Validate the form that adds pictures. Raises FieldErrors.

    ``has_files``: the form kept files from an earlier attempt.
    """
    problems: dict[str, str] = {}
    url = _url(form, problems)
    if not form.files and not url and not has_files:
        problems[InputId.FILES] = wording.CHOOSE_IMAGE
    try:
        added = add_fields(form, default)
    except FieldErrors as error:
        raise FieldErrors(problems | error.problems) from None
    if problems:
        raise FieldErrors(problems)
    return PictureFields(form.files, url, added)


def edit_fields(form: FormValues) -> EditFields:
    """Validate the form that edits an image. Raises FieldErrors."""
    problems: dict[str, str] = {}
    entity = _checked(problems, InputId.ENTITY, lambda: EntityId(form.texts.get(InputId.ENTITY, "")))
    # The form that moves an image has no field for its note.
    has_note = InputId.NOTE in form.texts
    note = _checked(problems, InputId.NOTE, lambda: Note(form.texts[InputId.NOTE].strip())) if has_note else None
    if entity is None or problems:
        raise FieldErrors(problems)
    return EditFields(entity, note, _choice(form, InputId.SCOPE) == WHOLE_ENTITY)


def prefix_field(form: FormValues) -> str:
    """Return how the wanted ids begin; empty for all. Raises FieldErrors."""
    return _only(InputId.PREFIX, lambda: _prefix(form.texts.get(InputId.PREFIX, "")))


def _prefix(text: str) -> str:
    return PageRequest(entity_prefix=text.strip().rstrip("*…")).entity_prefix


def name_field(form: FormValues) -> DatabaseName:
    """Return the typed name of a database. Raises FieldErrors."""
    return _only(InputId.NAME, lambda: DatabaseName(form.texts.get(InputId.NAME, "").strip().lower()))


def watch_fields(form: FormValues, default: str = "") -> WatchFields:
    """Validate the watch form; without a chosen database, use ``default``. Raises FieldErrors."""
    problems: dict[str, str] = {}
    mode = _choice(form, InputId.MODE)
    minimum = _checked(problems, InputId.MINIMUM, lambda: _score(form.texts.get(InputId.MINIMUM, "").strip()))
    database = _checked(problems, InputId.DATABASE, lambda: _database(form, default))
    rules = _rules(form, problems) if mode == ChannelMode.GUARD else NO_CHANGES
    if problems or database is None or minimum is None:
        raise FieldErrors(problems)
    return WatchFields(
        ChannelMode(mode) if mode in set(ChannelMode) else ChannelMode.LOOKUP,
        database,
        None if minimum < 0 else minimum,
        _choice(form, InputId.CHANNEL),
        rules,
    )


def _url(form: FormValues, problems: dict[str, str]) -> str:
    """Return the address of a picture, and report what is wrong with it or with the files."""
    url = form.texts.get(InputId.URL, "").strip().strip("<>")
    others = [file.name for file in form.files if not file.is_shown]
    if others:
        problems[InputId.FILES] = wording.not_an_image(others[0])
    if url and not _URL.fullmatch(url):
        problems[InputId.URL] = wording.URL_INVALID
    return url


def _rules(form: FormValues, problems: dict[str, str]) -> RuleChanges:
    """Return the rules that a form for a guard channel has fields for."""
    given: dict[str, str] = {}
    for field, name in ((InputId.WINDOW, "window"), (InputId.OWN, "own")):
        if field in form.texts:
            typed = form.texts[field].strip()
            value = typed or ("off" if field == InputId.WINDOW else OwnReposts.REPORT)
            given |= {name: value} if _checked(problems, field, partial(parse_rules, {name: value})) else {}
    changes = parse_rules(given)
    if InputId.PEOPLE in form.choices:
        changes = replace(changes, people=form.choices[InputId.PEOPLE])
    if InputId.EXEMPT in form.choices:
        chosen = form.choices[InputId.EXEMPT]
        changes = replace(changes, exempt=frozenset(kind for kind in FileKind if kind in chosen))
    if InputId.REPORT_TO in form.choices:
        changes = replace(changes, report_to=_choice(form, InputId.REPORT_TO))
    if InputId.QUIET in form.choices:
        changes = replace(changes, quiet=bool(form.choices[InputId.QUIET]))
    return changes


def _database(form: FormValues, default: str, *, or_all: bool = False) -> DatabaseName:
    """Return the chosen database, or ``default``: some clients don't send a field's initial value."""
    named = _choice(form, InputId.DATABASE) or default
    if not named:
        raise InvalidInput(wording.CHOOSE_DATABASE)
    return database_or_all(named) if or_all else DatabaseName(named)


def _pictures(form: FormValues) -> frozenset[int] | None:
    """Return the chosen pictures, or None if there is no choice. Raises InvalidInput if none is chosen."""
    if InputId.PICTURES not in form.choices:
        return None
    chosen = frozenset(int(value) for value in form.choices[InputId.PICTURES] if value.isdecimal())
    if not chosen:
        raise InvalidInput(wording.CHOOSE_PICTURES)
    return chosen


def _score(text: str) -> float:
    """Return the score, or -1 if none was typed. Raises InvalidInput."""
    if not text:
        return -1.0
    try:
        number = float(text.replace(",", "."))
    except ValueError:
        number = TOP_SCORE + 1
    if not 0 <= number <= TOP_SCORE:
        raise InvalidInput(wording.score_invalid(DEFAULT_MINIMUM))
    return number


def _choice(form: FormValues, name: InputId) -> str:
    return next(iter(form.choices.get(name, ())), "")


def _checked(problems: dict[str, str], name: InputId, read: Callable[[], T]) -> T | None:
    try:
        return read()
    except InvalidInput as error:
        problems[name] = plain(str(error))
        return None


def _only(name: InputId, read: Callable[[], T]) -> T:
    """Return the value of a form's only field. Raises FieldErrors."""
    try:
        return read()
    except InvalidInput as error:
        raise FieldErrors({name: plain(str(error))}) from None


def plain(sentence: str) -> str:
    """Return a sentence as Slack shows it at a field: plain text, without inline code."""
    return sentence.replace("`", "")
