"""Parse the values of modifiers. An invalid value raises InvalidInput with the right form."""

from __future__ import annotations

import contextlib
import re
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime

from bot.blocks.wording import commands as wording
from bot.domain.errors import EntityRefused, InvalidInput
from bot.domain.identifiers import ALL_DATABASES, DatabaseName, EntityId, Note
from bot.domain.pages import Order, PageRequest
from bot.services.images.file_names import suggest_entity
from bot.services.search.search import TOP_SCORE
from handlers.parsing.grammar.tokens import MODIFIERS, Token, as_typed, tokenise

MAX_TOP = 50

_OPENED = re.compile(r"[^:：﹕=＝]*[:：﹕=＝].")
_SCORE = re.compile(r"[0-9]{0,3}(?:[.,][0-9]{0,6})?")
_AGE = re.compile(r"([0-9]{1,5})d(?:ays?)?")
_DAY = re.compile(r"([0-9]{4})(?:-([0-9]{1,2}))?(?:-([0-9]{1,2}))?")
_DAY_S = 86_400
_SURROUNDING = " <>`'‘’\"“”,;."
"""Characters to strip: brackets of the help text, left-over quotes, and punctuation."""

_PAIRS = {"<": ">", "`": "`", "'": "'", "‘": "’", '"': '"', "“": "”"}
_WRITTEN = frozenset({"", "id", "prefix"})


def database(value: str) -> DatabaseName:
    """Parse the name of a database."""
    # Phones capitalise the first letter.
    cleaned = value.strip(_SURROUNDING).lower()
    try:
        return DatabaseName(cleaned)
    except InvalidInput as error:
        suggestion = _suggest(cleaned)
        try:
            DatabaseName(suggestion)
        except InvalidInput:
            raise error from None
        raise InvalidInput(f"{error} {wording.did_you_mean(suggestion)}", (value, suggestion)) from None


def database_or_all(value: str) -> DatabaseName:
    """Parse the name of a database, or ``*`` for all."""
    return ALL_DATABASES if value.strip(_SURROUNDING) == ALL_DATABASES else database(value)


def entity(value: str) -> EntityId:
    """Parse an entity id, which is kept as written."""
    return EntityId(value)


def new_entity(value: str) -> EntityId:
    """Parse the id for an image to add. Raises EntityRefused, which may suggest another one."""
    try:
        return EntityId(value)
    except InvalidInput as error:
        raise EntityRefused(str(error), value, suggest_entity(value)) from None


def refused_entity(token: Token, shown: str) -> EntityRefused | None:
    """Return why the id in a token can't be used, if it has one and a similar id can be suggested.

    ``shown`` is the visible text of the message, from which the token is.
    """
    if token.name != "id" or not token.is_attached:
        return None
    if token.is_unclosed:
        return _unclosed_entity(shown[token.start :].split("\n", maxsplit=1)[0])
    try:
        new_entity(as_written(token))
    except EntityRefused as error:
        return error if error.suggestion else None
    return None


def _unclosed_entity(text: str) -> EntityRefused | None:
    """Suggest the rest of the line for an id whose quote isn't closed, unless other modifiers are in it."""
    value = _OPENED.sub("", text, count=1)
    if any(token.name in MODIFIERS for token in tokenise(value)):
        return None
    suggestion = suggest_entity(as_typed(value))
    return EntityRefused(wording.UNCLOSED_QUOTE, value, suggestion) if suggestion else None


def as_written(token: Token) -> str:
    """Return a token's text. Around an id that is not in quotes, punctuation belongs to the sentence."""
    if token.is_quoted or token.name not in _WRITTEN:
        return token.text
    return _without_punctuation(token.text)


def _without_punctuation(text: str) -> str:
    """Return unquoted text without the punctuation of the sentence around it, and the brackets of the help text."""
    text = text.strip().rstrip(",;.")
    while len(text) > 1 and _PAIRS.get(text[0]) == text[-1]:
        text = text[1:-1].strip()
    return text


def entity_of_words(words: Sequence[Token]) -> EntityId:
    """Parse an id that a command has without ``id:``. Blanks in it need no quotes."""
    if len(words) == 1 and words[0].is_quoted:
        return EntityId(words[0].written)
    return EntityId(_without_punctuation(" ".join(word.written if word.is_quoted else word.text for word in words)))


def note(value: str) -> Note:
    """Parse a note."""
    return Note(value)


def top(value: str) -> int:
    """Parse the maximum number of results."""
    digits = value.strip(_SURROUNDING)
    if re.fullmatch(r"[0-9]{1,4}", digits) and 1 <= int(digits) <= MAX_TOP:
        return int(digits)
    raise InvalidInput(wording.top_invalid(MAX_TOP))


def minimum(value: str) -> float:
    """Parse a minimum score. Accept “7.5/10”, because answers show scores that way."""
    digits = value.strip(_SURROUNDING).removesuffix("/10").strip(_SURROUNDING)
    if re.search(r"[0-9]", digits) and _SCORE.fullmatch(digits):
        score = float(digits.replace(",", "."))
        if score <= TOP_SCORE:
            return score
    raise InvalidInput(wording.MINIMUM_INVALID)


def since(value: str) -> float:
    """Parse a day, such as 2024-01-31, or an age in days, such as 90d. Return seconds since 1970."""
    now, written = datetime.now(UTC), value.strip(_SURROUNDING).lower()
    if age := _AGE.fullmatch(written):
        return max(0.0, now.timestamp() - int(age[1]) * _DAY_S)
    if digits := _DAY.fullmatch(written):
        with contextlib.suppress(ValueError):
            day = datetime(*(int(part or 1) for part in digits.groups()), tzinfo=UTC)  # type: ignore[arg-type, misc]
            if day <= now:
                return max(0.0, day.timestamp())
    raise InvalidInput(wording.SINCE_INVALID)


def order(value: str) -> Order:
    """Parse the order of a listing."""
    try:
        return Order(value.strip(_SURROUNDING).lower())
    except ValueError:
        raise InvalidInput(wording.ORDER_INVALID) from None


def prefix(value: str) -> str:
    """Parse the beginning of an entity id."""
    return PageRequest(entity_prefix=value.strip().rstrip("*…")).entity_prefix


def _suggest(cleaned: str) -> str:
    """Return the nearest valid name: without accents, and with underscores for invalid characters."""
    letters = "".join(one for one in unicodedata.normalize("NFKD", cleaned[:256]) if not unicodedata.combining(one))
    return re.sub(r"[^a-z0-9_]+", "_", letters.lower(), flags=re.ASCII).strip("_")[:64]
