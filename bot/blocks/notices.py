"""Everything the bot says besides results: databases, help, offers. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from bot.blocks.ids import BlockId
from bot.blocks.limits import escape, fit
from bot.blocks.reply import Reply, notice, section, small_print
from bot.blocks.results import count_images
from bot.models import DatabaseInfo

MAKE_ONE = "`vsearch db create parts`"
FILL_IT = "`vsearch import FOLDER --in parts`"
NAMES_SHOWN = 20

_HELP = (
    "*Find pictures by picture*",
    "Share an image in a channel that I'm in: I answer in its thread.",
    "`/vsearch <image URL>` looks an image up for you alone; `in:<database>`, `top:<1-50>` and `min:<0-10>` narrow it.",
    "For example: `/vsearch https://example.com/valve.jpg in:parts top:5 min:7`",
    "`/vsearch db` lists the databases; `/vsearch help` shows this.",
    "Scores run from 0 to 10: 9 and more is a copy, edited or not; 6 to 9 is related; less is probably something else.",
)


def help_reply(problem: str = "") -> Reply:
    """What there is, short; first what was not understood, if anything was."""
    lines = [escape(line) for line in _HELP]
    usage = section("\n".join(lines))
    if not problem:
        return Reply("How to use /vsearch", (usage,))
    first = notice(problem)
    return Reply(first.text, (*first.blocks, usage))


def databases_reply(databases: Sequence[DatabaseInfo]) -> Reply:
    """The workspace's databases with their sizes."""
    if not databases:
        return no_database_reply()
    lines = [[section(f"`{info.key.name}`  ·  {count_images(info.images)}")] for info in databases]
    text = f"{len(databases)} image database{'' if len(databases) == 1 else 's'}"
    title = section(f"*{text}*", BlockId.SUMMARY)
    return Reply(
        text,
        fit([[title], *lines], lambda rest: [small_print(f"and {rest} more", BlockId.LEFT_OUT)] if rest else []),
    )


def no_database_reply() -> Reply:
    """The offer to a workspace that has nothing to search in."""
    text = (
        f"There is no image database yet, so I have nothing to look pictures up in."
        f" Make one with {MAKE_ONE} and fill it with {FILL_IT}, where the bot runs."
    )
    return Reply(text, (section(text, BlockId.NOTICE),))


def several_databases_reply(databases: Sequence[DatabaseInfo]) -> Reply:
    """For an image shared where it isn't clear which database is meant."""
    text = (
        f"I know several image databases ({_names(databases)}) and can't tell which is meant here."
        " `/vsearch <image URL> in:<database>` searches the one that you name."
    )
    safe = escape(text)
    return Reply(safe, (section(safe, BlockId.NOTICE),))


def _names(databases: Sequence[DatabaseInfo]) -> str:
    names = [f"`{info.key.name}`" for info in databases[:NAMES_SHOWN]]
    return ", ".join(names) + (", …" if len(databases) > NAMES_SHOWN else "")
