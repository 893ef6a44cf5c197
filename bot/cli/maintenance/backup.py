"""``vsearch backup`` and ``vsearch restore``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.session import context_of
from bot.cli.terminal.exit_codes import ExitCode
from bot.cli.terminal.options import AsJson
from bot.cli.terminal.output import counted, print_line, print_remark, show_json
from bot.cli.terminal.progress import ProgressLine

if TYPE_CHECKING:
    from bot.config.settings import Settings
    from bot.storage.transfer.backup import BackupReport
    from bot.storage.transfer.backup_format import Manifest

app = typer.Typer()


@app.command()
def backup(
    ctx: typer.Context,
    target: Annotated[Path, typer.Argument(metavar="PATH", help="A new folder, or a new file that ends with .tar.")],
    as_json: AsJson = False,
) -> None:
    """Copy all data of the bot, which may be running, and verify the copy."""

    async def work(settings: Settings) -> BackupReport:
        from bot.app.transfer.backup import back_up  # noqa: PLC0415 - slow import

        with ProgressLine("Backing up") as line:
            return await back_up(settings, target.expanduser(), line.update)

    report = context_of(ctx).run_with_settings(work)
    if as_json:
        show_json(
            {
                "backup": str(report.target),
                "pictures": report.pictures,
                "bytes": report.size,
                "missing_pictures": list(report.missing),
            }
        )
    else:
        size = f"{report.size / 1e6:,.1f} MB"
        print_line(
            f"Wrote and verified {report.target}: the database and {counted(report.pictures, 'picture')}, {size}."
        )
        print_remark("Settings aren't in the backup. Keep SLACK_STATE_SECRET and the others elsewhere.", "dim")
    if report.missing:
        if not as_json:
            lost = counted(len(report.missing), "picture")
            print_remark(f"{lost} can't be found, so the backup lacks them (--json lists them).", "red")
        raise typer.Exit(ExitCode.FAILED)


@app.command()
def restore(
    ctx: typer.Context,
    source: Annotated[Path, typer.Argument(metavar="PATH", help="A folder or file that “backup” has written.")],
    as_json: AsJson = False,
) -> None:
    """Verify a backup and copy its data to an empty data directory."""

    async def work(settings: Settings) -> tuple[Manifest, tuple[str, ...], Path]:
        from bot.app.transfer.backup import restore, settings_to_repeat  # noqa: PLC0415 - slow import

        with ProgressLine("Restoring") as line:
            manifest = await restore(settings, source.expanduser(), line.update)
        return manifest, settings_to_repeat(settings, manifest), settings.data_dir

    manifest, unset, data_dir = context_of(ctx).run_with_settings(work, creates=True)
    if as_json:
        show_json(
            {
                "data_dir": str(data_dir.absolute()),
                "created": manifest.created,
                "version": manifest.version,
                "pictures": manifest.pictures,
                "missing_pictures": list(manifest.missing_pictures),
                "unset_settings": list(unset),
            }
        )
        return
    pictures = counted(manifest.pictures, "picture")
    print_line(f"Restored the database and {pictures} of {manifest.created} to {data_dir.absolute()}.")
    if unset:
        print_remark(f"The bot that made the backup also had these settings: {', '.join(unset)}.", "yellow")
    print_line("Run “vsearch reconcile” to check that every image can be found, then start the bot.")
