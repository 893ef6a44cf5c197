"""Messages about imports of tables: progress, and the report at the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bot.blocks.ids import BlockId
from bot.blocks.limits import Block, fit, shorten
from bot.blocks.mrkdwn import code, escape_sentence
from bot.blocks.reply import Reply, context_block, mrkdwn_reply, section
from bot.blocks.wording import imports as wording

MAX_REFUSALS = 15
_MAX_REASON = 160
_LINES_PER_SECTION = 3
"""A section takes 3,000 characters, and escaped ones are up to five times as many."""


def progress_reply(table: str, done: int = 0, total: int = 0) -> Reply:
    """Return how far an import is."""
    return mrkdwn_reply(wording.importing(table, done, total))


def import_reply(
    table: str,
    database: str,
    counts: Sequence[tuple[int, str]],
    *,
    different: int,
    refused: Sequence[tuple[int, str, str]],
    remarks: Sequence[str] = (),
) -> Reply:
    """Return the report of an import.

    Args:
        table: Name of the table.
        database: Name of the database.
        counts: How many rows there are of each outcome, such as ``(2, "new")``.
        different: How many images have another id or note and were left so.
        refused: Line, file and reason of each refused row.
        remarks: Sentences about how the table was read.

    """
    named = ", ".join(f"{count:,} {name}" for count, name in counts if count) or "no rows"
    text = wording.imported(table, database, named)
    before = [context_block(escape_sentence(remark)) for remark in remarks]
    if different:
        before.append(section(wording.differing(different)))
    lines = [
        f"• Line {line:,}, {code(file)}: {escape_sentence(shorten(reason, _MAX_REASON))}"
        for line, file, reason in refused[:MAX_REFUSALS]
    ]

    def build(kept: int) -> list[Block]:
        rest = len(refused) - kept
        shown = [*lines[:kept], *([f"… and {rest:,} more."] if rest else [])]
        parts = [shown[start : start + _LINES_PER_SECTION] for start in range(0, len(shown), _LINES_PER_SECTION)]
        return [section(text, BlockId.NOTICE), *before, *(section("\n".join(part)) for part in parts)]

    return replace(mrkdwn_reply(text), blocks=fit(len(lines), build))
