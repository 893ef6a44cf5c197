"""``vsearch feedback``: what a database learned from answers that people judged."""

from __future__ import annotations

from typing import Annotated

import typer

from bot.cli.maintenance.engine import DatabaseArgument
from bot.cli.session import StorageSession, context_of
from bot.cli.terminal.options import AsJson, InDatabase
from bot.cli.terminal.output import counted, print_line, show_json
from bot.domain.channels.feedback import LABELS_NEEDED, LearnedScores
from bot.domain.errors import InvalidInput
from bot.domain.identifiers import DatabaseKey

app = typer.Typer()


@app.command()
def feedback(
    ctx: typer.Context,
    name: DatabaseArgument = None,
    database: InDatabase = None,
    *,
    undo: Annotated[bool, typer.Option("--undo", help="Go back to the scores before.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what a database learned from answers that people judged, or undo it."""

    async def work(session: StorageSession) -> tuple[DatabaseKey, int, LearnedScores | None]:
        key, storage = await session.database(database or name), session.storage
        learned = await storage.learning.current(key)
        if undo:
            if learned is None:
                raise InvalidInput(f"“{key.name}” has learned nothing that could be undone.")
            await storage.learning.undo(key, learned.id, "")
            learned = await storage.learning.current(key)
        return key, await storage.labels.count(key), learned

    key, labels, learned = context_of(ctx).run_with_storage(work)
    if as_json:
        when = learned.created_at.isoformat() if learned is not None and learned.model is not None else None
        show_json({"database": key.name, "labels": labels, "learned": when, "undone": undo})
        return
    judged = f"People judged {counted(labels, 'answer')} of “{key.name}” that likeness alone gave."
    if undo:
        print_line(f"“{key.name}” scores as it did before.")
    elif learned is not None and learned.model is None:
        print_line(f"{judged} Learned scores no longer helped, so its scores are the default ones again.")
    elif learned is not None:
        print_line(f"{judged} Its scores were learned from {learned.labels:,} on {learned.created_at:%Y-%m-%d}.")
    else:
        print_line(f"{judged} Its scores are the default ones. It learns from {LABELS_NEEDED} on, if that helps.")
