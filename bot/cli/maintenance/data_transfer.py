"""``vsearch migrate --from``: transfer all data to the storage in the settings."""

from __future__ import annotations

from contextlib import ExitStack

from bot.cli.maintenance.reconciliation import end
from bot.cli.session import CommandContext
from bot.cli.terminal.cancellation import stop_on_interrupt
from bot.cli.terminal.output import counted, print_line, print_remark, show_json, show_table
from bot.cli.terminal.progress import ProgressLine
from bot.services.maintenance.data_transfer import TransferPhase, TransferResult, TransferService

RESUME_HINT = "Interrupted. What was transferred stays. Run the same command again to continue."

_LABELS = {
    TransferPhase.ROWS: "Copying rows",
    TransferPhase.PICTURES: "Copying pictures",
    TransferPhase.VECTORS: "Preparing vectors",
}


class _PhaseProgress(ExitStack):
    """Shows a progress line for each phase of a transfer."""

    def __init__(self) -> None:
        super().__init__()
        self._phase: TransferPhase | None = None

    def update(self, phase: TransferPhase, done: int, total: int) -> None:
        """Show the progress of a phase; a new phase starts a new line."""
        if phase is not self._phase:
            self.close()
            self._phase, self._line = phase, self.enter_context(ProgressLine(_LABELS[phase]))
        # An earlier run may have prepared more vectors than this one has copied.
        self._line.update(done, max(done, total))


def transfer_storage(context: CommandContext, source: str, *, as_json: bool) -> None:
    """Transfer all data and print what to do next. Raises typer.Exit if it is incomplete."""

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
        print_remark(f"{source} has changed since the transfer began, so it started again.", "yellow")
    if moved.interrupted:
        print_remark(RESUME_HINT, "yellow")
        return
    if moved.tables:
        rows = [(name.replace("_", " "), f"{count:,}") for name, count in moved.tables.items() if count]
        show_table(("Table", "Rows verified"), rows, right=("Rows verified",))
    print_line(f"Transferred {counted(moved.rows, 'row')} and {counted(moved.pictures, 'picture')}.")
    if moved.missing:
        print_remark(
            f"{counted(len(moved.missing), 'picture')} not found in {source} (--json lists them). Searches still find "
            "their images. If you restore the pictures there, run the same command again.",
            "red",
        )
    if moved.finished:
        print_line(
            f"{source} was transferred here earlier. Data added to it since then isn't transferred; that needs an "
            "empty database here."
        )
    else:
        print_line(_next_step(source, back_end))


def _next_step(source: str, back_end: str) -> str:
    check = "" if back_end == "showapi" else " Run “vsearch reconcile” to check that every image can be found."
    return (
        f"The transfer is complete; {source} is unchanged. Start the bot with these settings and the same "
        f"SLACK_STATE_SECRET.{check} Keep {source} until you are sure, and don't start a bot there again."
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
