"""``vsearch migrate --from``: a house moves to the storage that the settings name."""

from __future__ import annotations

from contextlib import ExitStack

from bot.cli.output import counted, remark, say, show_json, show_table
from bot.cli.progress import ProgressLine, stop_on_interrupt
from bot.cli.reconcile import end
from bot.cli.session import Session
from bot.services.moving import Moved, MoveService, Phase

AGAIN = "Stopped before the end; what has come stays. Run the same command again to go on."

_LABELS = {
    Phase.ROWS: "Moving rows",
    Phase.PICTURES: "Moving pictures",
    Phase.VECTORS: "Making vectors ready",
}


class _Lines(ExitStack):
    """A line of progress for each phase, one after another."""

    def __init__(self) -> None:
        super().__init__()
        self._phase: Phase | None = None

    def update(self, phase: Phase, done: int, total: int) -> None:
        """Show how far it is."""
        if phase is not self._phase:
            self.close()
            self._phase, self._line = phase, self.enter_context(ProgressLine(_LABELS[phase]))
        # Something may have been made ready beyond what has come.
        self._line.update(done, max(done, total))


def move_house(session: Session, source: str, *, as_json: bool) -> None:
    """Move all of it, and say what to do next."""

    async def work(service: MoveService) -> Moved:
        with _Lines() as lines, stop_on_interrupt() as stop:
            return await service.move(lines.update, stop)

    moved = session.move(source, work)
    if as_json:
        show_json(_document(moved))
    else:
        _tell(moved, session.settings().backend)
    end(interrupted=moved.interrupted, well=moved.complete)


def _tell(moved: Moved, back_end: str) -> None:
    source = moved.source
    if moved.anew:
        remark(f"{source} has changed since the move began: it began anew.", "yellow")
    if moved.interrupted:
        remark(AGAIN, "yellow")
        return
    if moved.tables:
        rows = [(name.replace("_", " "), f"{count:,}") for name, count in moved.tables.items() if count]
        show_table(("What", "Rows, compared"), rows, right=("Rows, compared",))
    say(f"Moved {counted(moved.rows, 'row')} and {counted(moved.pictures, 'picture')}.")
    if moved.missing:
        remark(
            f"{counted(len(moved.missing), 'picture')} could not be found in {source} (--json lists them). Their "
            "images are searched without them; if they turn up there, run the same command again.",
            "red",
        )
    if moved.finished:
        say(
            f"{source} moved here earlier, and what was added to it since stays behind; a new move takes an empty "
            "database."
        )
    else:
        say(_next(source, back_end))


def _next(source: str, back_end: str) -> str:
    mend = "" if back_end == "showapi" else ", and run “vsearch reconcile” to see that all can be found"
    return (
        f"The house has moved; {source} is as it was. Start the bot with these settings (SLACK_STATE_SECRET as before)"
        f"{mend}. Keep {source} until you are sure, and never start a bot there again."
    )


def _document(moved: Moved) -> dict[str, object]:
    return {
        "from": moved.source,
        "rows": moved.rows,
        "pictures": moved.pictures,
        "missing_pictures": list(moved.missing),
        "tables": dict(moved.tables),
        "began_anew": moved.anew,
        "moved_earlier": moved.finished,
        "interrupted": moved.interrupted,
    }
