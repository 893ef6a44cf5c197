"""Texts about searches by words."""

from __future__ import annotations

from bot.blocks.limits import shorten
from bot.blocks.mrkdwn import code, count, database_code, database_words, one_line

MAX_QUESTION_SHOWN = 80
"""Longer questions are cut."""

SOURCES = {"id": "Id", "note": "Note", "file_name": "File", "picture": "In the picture"}
WORDS_LABEL = "Words"
WORDS_HINT = "Finds images by id, note, file name and the text in the picture."
WORDS_PLACEHOLDER = "ball valve DN 25"
ALL_DATABASES_LABEL = "All databases"
HOME_LABEL = "Find by words"
WORDS_OR_IMAGE = "Search with an image or with words, not both."
SEARCH_ALL = "Search all databases"


def found_alt(rank: int, database: str, entity: str, note: str = "") -> str:
    """Return what a picture that was found shows, for people who don't see it."""
    about = f", {one_line(note)}" if note.strip() else ""
    return f"Result {rank}, from {database}: {entity}{about}"


def summary(question: str, database: str, number: int, start: int, shown: int, *, is_cut: bool) -> str:
    """Return the first line about what was found.

    Args:
        question: the words.
        database: the database, or that all were searched.
        number: how many images were found.
        start: how many of them are on earlier pages.
        shown: how many are on this page.
        is_cut: whether there are more than were looked for.
    """
    where = f"{code(_shown(question))} in {database_code(database)}"
    if not number:
        return f"I found no image with {where} that you can see."
    images = f"The first {count(number, 'image')}" if is_cut else count(number, "image")
    pages = f", {start + 1}–{start + shown}" if shown < number else ""
    return f"*{images}* with {where}{pages}"


def headline(question: str, database: str, number: int) -> str:
    """Return what was found, for notifications."""
    where = f"“{_shown(question)}” in {database_words(database)}"
    return f"{count(number, 'image')} with {where}." if number else f"No image with {where}."


def _shown(question: str) -> str:
    return shorten(one_line(question), MAX_QUESTION_SHOWN)
