"""``vsearch migrate --from``: a house moves to the storage that the settings name."""

from __future__ import annotations

from contextlib import ExitStack

from bot.cli.maintenance.reconciliation import end
from bot.cli.session import CommandContext
from bot.cli.terminal.output import counted, print_line, print_remark, show_json, show_table
from bot.cli.terminal.progress import ProgressLine, stop_on_interrupt
from bot.services.maintenance.data_transfer import TransferPhase, TransferResult, TransferService

RESUME_HINT = "Stopped before the end; what has come stays. Run the same command again to go on."

_LABELS = {
    TransferPhase.ROWS: "Moving rows",
    TransferPhase.PICTURES: "Moving pictures",
    TransferPhase.VECTORS: "Making vectors ready",
}


class _PhaseProgress(ExitStack):
    """A line of progress for each phase, one after another."""

    def __init__(self) -> None:
        super().__init__()
        self._phase: TransferPhase | None = None

    def update(self, phase: TransferPhase, done: int, total: int) -> None:
        """Show how far it is."""
        if phase is not self._phase:
            self.close()
            self._phase, self._line = phase, self.enter_context(ProgressLine(_LABELS[phase]))
        # Something may have been made ready beyond what has come.
        self._line.update(done, max(done, total))


def transfer_storage(context: CommandContext, source: str, *, as_json: bool) -> None:
    """Move all of it, and say what to do next."""

    async def work(service: TransferService) -> TransferResult:
        with _PhaseProgress() as lines, stop_on_interrupt() as stop:
            return await service.transfer(lines.update, stop)

    moved = context.run_transfer(source, work)
    if as_json:
        show_json(_document(moved))
    else:
        _print_report(moved, context.settings().backend)
    end(interrupted=moved.interrupted, well=moved.complete)


def _print_report(moved: TransferResult, back_end: str) -> None:
    source = moved.source
    if moved.restarted:
        print_remark(f"{source} has changed since the move began: it began anew.", "yellow")
    if moved.interrupted:
        print_remark(RESUME_HINT, "yellow")
        return
    if moved.tables:
        rows = [(name.replace("_", " "), f"{count:,}") for name, count in moved.tables.items() if count]
        show_table(("What", "Rows, compared"), rows, right=("Rows, compared",))
    print_line(f"Moved {counted(moved.rows, 'row')} and {counted(moved.pictures, 'picture')}.")
    if moved.missing:
        print_remark(
            f"{counted(len(moved.missing), 'picture')} could not be found in {source} (--json lists them). Their "
            "images are searched without them; if they turn up there, run the same command again.",
            "red",
        )
    if moved.finished:
        print_line(
            f"{source} moved here earlier, and what was added to it since stays behind; a new move takes an empty "
            "database."
        )
    else:
        print_line(_next_step(source, back_end))


def _next_step(source: str, back_end: str) -> str:
    mend = "" if back_end == "showapi" else ", and run “vsearch reconcile” to see that all can be found"
    return (
        f"The house has moved; {source} is as it was. Start the bot with these settings (SLACK_STATE_SECRET as before)"
        f"{mend}. Keep {source} until you are sure, and never start a bot there again."
    )


def _document(moved: TransferResult) -> dict[str, object]:
    return {
        "from": moved.source,
        "rows": moved.rows,
        "pictures": moved.pictures,
        "missing_pictures": list(moved.missing),
        "tables": dict(moved.tables),
        "began_anew": moved.restarted,
        "moved_earlier": moved.finished,
        "interrupted": moved.interrupted,
    }
