"""Messages about imports of tables: progress, and the report at the end."""

from __future__ import annotations

from collections.abc import Sequence

from bot.blocks.limits import escape, shorten
from bot.blocks.mrkdwn import one_line
from bot.blocks.reply import Reply, context_block, mrkdwn_reply, section
from bot.blocks.wording import imports as wording

MAX_REFUSALS = 15
_MAX_REASON = 160


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
    blocks = [context_block(escape(remark)) for remark in remarks]
    if different:
        blocks.append(section(wording.differing(different)))
    lines = [
        f"• Line {line:,}, {escape(shorten(one_line(file), _MAX_REASON))}: {escape(shorten(reason, _MAX_REASON))}"
        for line, file, reason in refused[:MAX_REFUSALS]
    ]
    if len(refused) > MAX_REFUSALS:
        lines.append(f"… and {len(refused) - MAX_REFUSALS:,} more.")
    # A section takes 3,000 characters.
    blocks += [section("\n".join(lines[start : start + 6])) for start in range(0, len(lines), 6)]
    return mrkdwn_reply(wording.imported(table, database, named), *blocks)
