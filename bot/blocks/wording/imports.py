"""Texts about imports and exports in Slack."""

from __future__ import annotations

from bot.blocks.mrkdwn import code, count_images
from bot.domain.jobs import LIMITED_PAGE

ONE_TABLE = "Share one table at a time, with a ZIP of its pictures."
TOO_LONG = "This import took too long, so it stopped. Share the same files again to continue."


def importing(table: str, done: int = 0, total: int = 0) -> str:
    """Return that an import is in progress."""
    return f"Importing {code(table)} … {f'{done:,} of {total:,} rows' if total else 'reading the files'}"


def imported(table: str, database: str, counts: str) -> str:
    """Return the result of an import; ``counts`` is such as “2 new, 1 refused”."""
    return f"Imported {code(table)} into {code(database)}: {counts}."


SENT = "I've sent you the archive in a direct message."
NOTHING_TO_EXPORT = "There are no images that you can see in this database."


def exporting(database: str) -> str:
    """Return that an export is in progress."""
    return f"Packing the images of {code(database)} …"


def exported(database: str, written: int, left_out: int, missing: int) -> str:
    """Return what the archive below has."""
    sentences = [f"Exported {count_images(written)} of {code(database)}."]
    if left_out:
        sentences.append(
            f"{left_out:,} more didn't fit into the archive. Ask an admin to run `vsearch export`, which has no limit."
        )
    if missing:
        sentences.append(f"{count_images(missing)} couldn't be read.")
    return " ".join(sentences)


def no_picture(name: str) -> str:
    """Return that a row's picture is nowhere in the message."""
    return f"{name} is not beside the table. Share the pictures in a ZIP with it, or write their web addresses."


def pictures_alike(name: str, count: int) -> str:
    """Return that a row's picture is one of several with the same name."""
    return f"{count} pictures beside the table are named {name}. Rename them, or share them in the folders of a ZIP."


def differing(count: int) -> str:
    """Return how to apply rows that differ from their images."""
    have = "image has" if count == 1 else "images have"
    return f"{count:,} {have} another id or note here. To change this, share the table again with the word `update`."


def too_many_rows(most: int) -> str:
    """Return that a table is too long for an import in Slack."""
    return f"The table has more than {most:,} rows. Divide it, or ask an admin to use `vsearch import`."


HISTORY_NEEDS_CHANNEL = "Direct messages have no past pictures to add. Type `/vsearch import here` in a channel."
HISTORY_RUNS = "This channel's past pictures are being added already. The message with the progress is in the channel."
HISTORY_OVER = "That import is over. Type `/vsearch import here` to start another one."
HISTORY_CONTROL_REFUSED = "Only whoever started this import and admins can pause or stop it. Ask one of them to do it."
HISTORY_UNREADABLE = "I can't read this channel's history now. Try again in a few minutes."
HISTORY_PROBLEMS = {
    "not_in_channel": "I'm not in this channel. `/invite` me here and try again.",
    "channel_not_found": "I can't see this channel. `/invite` me here and try again.",
    "missing_scope": (
        "I'm missing the permission to read this channel's history. Ask an admin to reinstall the app with the scopes"
        " `channels:history` and `groups:history`."
    ),
    "not_watched": "This channel no longer adds pictures, so the import stopped.",
    "unknown_database": "The database is gone, so the import stopped.",
    "no_installation": "The app is no longer installed.",
}
"""Why an import ended, by Slack's error code or our own."""


def history_not_watched(database: str) -> str:
    """Return the question where past pictures go; ``database`` is one that the person may mean, or empty."""
    form = f"/vsearch import here in:{database or '<database>'}"
    return f"This channel adds no pictures by itself. Where should its past pictures go? Type `{form}`."


def history_started(channel: str, estimate: str) -> str:
    """Return that an import begins, and how long it takes."""
    return f"Reading the past pictures of {channel}. {estimate} I show the progress in the channel."


def history_takes(messages: int, seconds: float) -> str:
    """Return how long about this many messages take."""
    take = "takes" if messages == 1 else "take"
    return f"About {_messages(messages)} {take} {duration(seconds)}."


def history_pace(page: int, messages_a_minute: int) -> str:
    """Return how fast Slack lets the app read, for a channel of unknown size."""
    per_thousand = duration(60 * 1000 / messages_a_minute)
    if page <= LIMITED_PAGE:
        return f"Slack lets this app read {messages_a_minute:,} messages a minute: 1,000 messages take {per_thousand}."
    return f"About {messages_a_minute:,} messages are read a minute."


_UNITS = {"day": 86_400, "hour": 3_600, "minute": 60}


def duration(seconds: float) -> str:
    """Return a length of time: ``less than a minute``, ``about 5 minutes``, ``about 3 hours`` or ``about 2 days``."""
    for unit, size in _UNITS.items():
        if seconds >= 2 * size:
            return f"about {round(seconds / size):,} {unit}s"
    return "about a minute" if seconds >= _UNITS["minute"] else "less than a minute"


def history_reading(messages: int, pictures: int) -> str:
    """Return how much of a channel was read."""
    return f"*Reading past messages* … {messages:,} so far, with {_pictures(pictures)}"


def history_adding(done: int, pictures: int) -> str:
    """Return how many past pictures are finished."""
    return f"*Adding past pictures* … {done:,} of {max(done, pictures):,}"


def history_paused(done: int, pictures: int) -> str:
    """Return that an import is paused."""
    return f"*Adding past pictures is paused* at {done:,} of {max(done, pictures):,}"


def history_result(status: str, messages: int, done: int, known: int, refused: int) -> str:
    """Return what an import that is over has done; ``status`` is ``done``, ``stopped`` or ``failed``."""
    begin = {"done": "Past pictures added", "stopped": "Import stopped", "failed": "Import ended early"}[status]
    details = [f"{_pictures(done)} from {_messages(messages)}"]
    if known:
        details.append(f"{known:,} had been added before")
    if refused:
        details.append(f"{refused:,} couldn't be read")
    return f"*{begin}*: {', '.join(details)}."


def history_started_by(user: str) -> str:
    """Return who started an import; ``user`` is a mention, or empty."""
    return f"Started by {user or 'an operator'}"


HISTORY_NEEDS_REINDEX = "The database must be reindexed first. Ask an admin."


def history_waits(reason: str) -> str:
    """Return why an import waits."""
    return f"Waiting: {reason}"


def _pictures(number: int) -> str:
    return f"{number:,} picture{'' if number == 1 else 's'}"


def _messages(number: int) -> str:
    return f"{number:,} message{'' if number == 1 else 's'}"
