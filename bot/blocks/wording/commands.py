"""Usage of the commands, and texts about invalid ones."""

from __future__ import annotations

from collections.abc import Iterable

USAGE = {
    "search": "/vsearch search <image URL or last>",
    "find": "/vsearch find <words>",
    "add": "/vsearch add <image URL or last> in:<database>",
    "list": "/vsearch list in:<database>",
    "delete": "/vsearch delete <id> in:<database>",
    "rename": "/vsearch rename <id> to <id> in:<database>",
    "note": '/vsearch note <id> "<text>" in:<database>',
    "export": "/vsearch export in:<database>",
    "report": "/vsearch report in:<database>",
    "db": "/vsearch db",
    "db create": "/vsearch db create <name>",
    "db delete": "/vsearch db delete <name>",
    "db link": "/vsearch db link <name> https://erp.example.com/part/{id}",
    "watch": "/vsearch watch guard in:<database>",
    "unwatch": "/vsearch unwatch",
    "import": "/vsearch import here",
    "status": "/vsearch status",
}
"""The shortest right form of each verb."""

UNCLOSED_QUOTE = "A quote isn't closed. Put `\"` on both sides of the text."
URL_INVALID = "An image URL must start with `https://` or `http://`. Check it and try again."
COLLECT_TAKES_NO_MINIMUM = "`watch collect` doesn't take `min:` because it adds every image. Use `watch guard` instead."
QUOTED_NOTE = 'Put a note in quotes: `note:"spare valve"`.'
MINIMUM_INVALID = "`min:` must be a number from 0 to 10."
SINCE_INVALID = "`since:` must be a day that is over, such as `since:2024-01-31`, or an age such as `since:90d`."
ORDER_INVALID = "`order:` must be `desc` (newest first), `asc` (oldest first) or `id`."


def top_invalid(most: int) -> str:
    """Return the right form of ``top:``."""
    return f"`top:` must be a whole number from 1 to {most}."


def usage(verb: str, optional: Iterable[str] = ()) -> str:
    """Return how to write a verb, and the modifiers that may be added."""
    further = names(optional)
    return f"`{USAGE[verb]}`, optionally with {further}" if further else f"`{USAGE[verb]}`"


def write(usage_text: str) -> str:
    """Return the request to write a command this way."""
    return f"Type {usage_text}."


def names(modifiers: Iterable[str]) -> str:
    """Return modifiers as a sentence lists them."""
    return join_words([f"`{name}:`" for name in modifiers])


def join_words(parts: Iterable[str], conjunction: str = "and") -> str:
    """Return several words as a sentence lists them."""
    words = list(parts)
    return f"{', '.join(words[:-1])} {conjunction} {words[-1]}" if len(words) > 1 else "".join(words)


def unknown(quoted: str) -> str:
    """Return that a word is unknown."""
    return f"I don't know “{quoted}”."


def unknown_verb(quoted: str, suggestion: str) -> str:
    """Return that a command is unknown, and what was probably meant or else where all commands are."""
    return f"{unknown(quoted)} {did_you_mean(suggestion) if suggestion else '`/vsearch help` shows all commands.'}"


def did_you_mean(suggestion: str) -> str:
    """Return a suggestion."""
    return f"Did you mean `{suggestion}`?"


def import_what(usage_text: str) -> str:
    """Return how to write the import of a channel's past pictures, and how a table is imported."""
    return f"To add this channel's past pictures, type {usage_text}. To import a table, send it to me with a ZIP."


def which_words(usage_text: str) -> str:
    """Return that a search by words has none."""
    return f"Which words? {write(usage_text)}"


def scheme_missing(quoted: str) -> str:
    """Return that a URL lacks its scheme."""
    return f"Did you mean a URL? Put https:// before “{quoted}”."


def modifier_not_taken(verb: str, name: str, taken: Iterable[str]) -> str:
    """Return that a verb doesn't take a modifier, and which it takes."""
    right = names(taken)
    return f"`{verb}` doesn't take `{name}:`. {f'It takes {right}.' if right else f'Type `{USAGE[verb]}` alone.'}"


def modifier_unknown(verb: str, quoted: str, taken: Iterable[str]) -> str:
    """Return that there is no such modifier, and which the verb takes."""
    return f"I don't know `{quoted}:`. `{verb}` takes {names(taken) or 'no modifiers'}."


def modifier_meant(quoted: str, meant: str) -> str:
    """Return that there is no such modifier, and which was probably meant."""
    return f"I don't know `{quoted}:`. Did you mean `{meant}:`?"


def modifier_twice(name: str) -> str:
    """Return that a modifier was given twice."""
    return f"`{name}:` is there twice. Remove one of them."


def which_image(verb: str, usage_text: str) -> str:
    """Return that a command lacks an image."""
    return f"Which image should I {_action(verb)}? {write(usage_text)}"


def one_image(verb: str, usage_text: str) -> str:
    """Return that a command has more than one image."""
    return f"I can {_action(verb)} one image at a time. {write(usage_text)}"


def not_an_image(quoted: str, usage_text: str) -> str:
    """Return that a word isn't an image, where one is expected."""
    return f"“{quoted}” isn't an image URL or `last`. {write(usage_text)}"


def which_entity(usage_text: str) -> str:
    """Return that a command lacks an id."""
    return f"Which id should I delete? {write(usage_text)}"


def which_ids(usage_text: str) -> str:
    """Return that a command lacks one of two ids, or that it isn't clear where the first one ends."""
    return f"Which id should I change, and to what? {write(usage_text)} Put ids with “to” in them in quotes."


def which_note(usage_text: str) -> str:
    """Return that a command lacks the id or the note."""
    return f"Which id, and which note? Put the note in quotes. {write(usage_text)}"


def one_entity(usage_text: str) -> str:
    """Return that a command has more than one id."""
    return f"I can delete one id at a time. {write(usage_text)}"


def which_database(action: str, usage_text: str) -> str:
    """Return that a command lacks a database's name."""
    return f"Which database should I {action}? {write(usage_text)}"


def unknown_database_action(quoted: str) -> str:
    """Return what ``db`` takes."""
    others = join_words(map(usage, ("db create", "db delete", "db link")), "or")
    return f"{unknown(f'db {quoted}')} Type {usage('db')} for a list, {others}."


def unknown_mode(quoted: str, modes: Iterable[str], usage_text: str) -> str:
    """Return which modes there are."""
    known = join_words([f"`{mode}`" for mode in modes], "or")
    return f"“{quoted}” isn't a mode. Choose {known}, such as {usage_text}."


def too_much(verb: str, quoted: str, usage_text: str) -> str:
    """Return that the verb doesn't take this word."""
    return f"`{verb}` doesn't take “{quoted}”. {write(usage_text)}"


def _action(verb: str) -> str:
    return "add" if verb == "add" else "look up"
