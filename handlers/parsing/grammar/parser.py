"""Parse ``/vsearch`` commands. An invalid command raises one sentence with the right form."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from bot.blocks.wording import commands as wording
from bot.blocks.wording.help import TOPIC_OF
from bot.domain.errors import InvalidInput
from handlers.parsing.grammar import values
from handlers.parsing.grammar.arguments import ParsedCommand, is_word
from handlers.parsing.grammar.commands import Command, HelpCommand, OpenForm
from handlers.parsing.grammar.forms import closest, looks_like_url
from handlers.parsing.grammar.image_verbs import (
    parse_add,
    parse_delete,
    parse_find,
    parse_list,
    parse_note,
    parse_rename,
    parse_search,
)
from handlers.parsing.grammar.tokens import Token, quote_back, tokenise
from handlers.parsing.grammar.workspace_verbs import (
    MODES,
    parse_db,
    parse_export,
    parse_import,
    parse_report,
    parse_status,
    parse_unwatch,
    parse_watch,
)

_COMMAND = Token("/vsearch")
"""First token if somebody copied a whole command from the help text."""

_VERB_SYNONYMS = {
    "remove": "delete",
    "database": "db",
    "databases": "db",
    "?": "help",
    # Greetings in direct messages and mentions.
    "hello": "help",
    "hi": "help",
    "hey": "help",
    "thanks": "help",
}
"""Alternative names of verbs."""

_SUGGESTIONS = {
    "create": "db create",
    "new": "db create",
    "lookup": "watch lookup",
    "collect": "watch collect",
    "guard": "watch guard",
    "mute": "unwatch",
    "stop": "unwatch",
    "show": "list",
    "settings": "status",
    "download": "export",
    "backup": "export",
    "history": "import here",
    "backfill": "import here",
    "move": "rename",
    "merge": "rename",
    "edit": "rename",
}
"""Words that people write instead of a verb, and the verb to suggest."""


def parse(text: str) -> Command:
    """Parse a command. Raises InvalidInput with the right form for a command that is almost right."""
    tokens = tokenise(text)
    if tokens and tokens[0] == _COMMAND:
        tokens = tokens[1:]
    if not tokens:
        return OpenForm()
    words = tuple(token.text for token in tokens if is_word(token))
    verb = words[0].lower() if words else "search"
    verb = _VERB_SYNONYMS.get(verb.rstrip("!?.,") or verb, verb)
    if verb == "help":
        return HelpCommand(TOPIC_OF.get(words[1].lower(), "") if len(words) > 1 else "")
    _refuse_malformed(tokens)
    parsed = ParsedCommand(
        words if verb == "last" else words[1:],
        tuple(token.text for token in tokens if token.is_address),
        tuple((token.name, values.as_written(token)) for token in tokens if token.name),
        tokens if verb == "last" else _without_verb(tokens),
    )
    if parse_verb := _VERBS.get(verb):
        return parse_verb(parsed)
    raise _unknown_verb(words[0])


def is_command(text: str) -> bool:
    """Return whether a text is a complete command."""
    try:
        return not isinstance(parse(text), OpenForm)
    except InvalidInput:
        return False


def is_prose(text: str) -> bool:
    """Return whether a text doesn't even try to be a command: it is empty, or does not begin with a verb."""
    words = [token.text.lower() for token in tokenise(text) if is_word(token)]
    verb = (words[0].rstrip("!?.,") or words[0]) if words else ""
    known = {*VERBS, *_VERB_SYNONYMS, *_SUGGESTIONS, *MODES, _COMMAND.text}
    return not is_command(text) and verb not in known


_POINTING = frozenset({"similar", "same", "alike", "like", "the", "this", "that", "it", "these", "those", "one"})
_POINTING |= {"image", "images", "picture", "pictures", "photo", "photos", "match", "matches", "ones"}
"""Words after “find” that name no words to look for, but mean a picture: “find similar images”."""


def is_question(text: str) -> bool:
    """Return whether a text in a thread asks about a picture that it doesn't name: it gives no command."""
    tokens = tokenise(text)
    words = [token.text.lower() for token in tokens if is_word(token)]
    if any(token.is_address for token in tokens):
        return False
    if not words:
        return True
    verb = words[0].rstrip("!?.,") or words[0]
    verb = _VERB_SYNONYMS.get(verb, verb)
    if verb == "search":
        return "last" not in words
    if verb == "find":
        return _POINTING.issuperset(word.rstrip("!?.,") for word in words[1:])
    if verb in {*VERBS, *_SUGGESTIONS, *MODES} or tokens[0] == _COMMAND:
        return False
    return len(words) > 1 or words[0].endswith("?")


def _without_verb(tokens: Sequence[Token]) -> tuple[Token, ...]:
    verb = next((place for place, token in enumerate(tokens) if is_word(token)), len(tokens))
    return (*tokens[:verb], *tokens[verb + 1 :])


def _refuse_malformed(tokens: Iterable[Token]) -> None:
    for token in tokens:
        if token.is_unclosed:
            raise InvalidInput(wording.UNCLOSED_QUOTE)
        if is_word(token) and not token.is_quoted and "://" in token.text:
            raise InvalidInput(wording.URL_INVALID)


def _unknown_verb(word: str) -> InvalidInput:
    verb = word.lower()
    if looks_like_url(verb):
        return InvalidInput(wording.scheme_missing(quote_back(word)), (word, f"https://{word}"))
    known = _SUGGESTIONS.get(verb) or closest(verb, (*_VERBS, "help", *_VERB_SYNONYMS, *MODES))
    meant = _SUGGESTIONS.get(known, _VERB_SYNONYMS.get(known, known))
    sentence = wording.unknown_verb(quote_back(word), f"/vsearch {meant}" if meant else "")
    return InvalidInput(sentence, (word, meant) if meant else None)


_VERBS: Mapping[str, Callable[[ParsedCommand], Command]] = {
    "search": parse_search,
    "last": parse_search,
    "find": parse_find,
    "add": parse_add,
    "list": parse_list,
    "delete": parse_delete,
    "rename": parse_rename,
    "note": parse_note,
    "export": parse_export,
    "report": parse_report,
    "db": parse_db,
    "watch": parse_watch,
    "unwatch": parse_unwatch,
    "import": parse_import,
    "status": parse_status,
}

VERBS = (*_VERBS, "help")
