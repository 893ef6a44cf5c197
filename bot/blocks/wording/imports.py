"""Texts about imports and exports in Slack."""

from __future__ import annotations

from bot.blocks.mrkdwn import code, count_images

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
