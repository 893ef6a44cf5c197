"""``vsearch doctor``: check the set-up and report problems.

The checks are imported when the command runs, so that ``--help`` need not load their libraries (1,000 ms of CPU
time).
"""

from __future__ import annotations

import typer
from rich.text import Text

from bot.cli.doctor.result import CheckResult, CheckStatus
from bot.cli.session import context_of
from bot.cli.terminal.exit_codes import ExitCode
from bot.cli.terminal.options import AsJson
from bot.cli.terminal.output import print_line, show_json, show_table

app = typer.Typer()

_SHOWN = {CheckStatus.OK: ("✓", "green"), CheckStatus.NOTE: ("–", "yellow"), CheckStatus.WRONG: ("✗", "bold red")}


@app.command()
def doctor(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Check the set-up and say what to do about each problem."""
    from bot.cli.doctor.report import run_checks  # noqa: PLC0415 - slow import

    context = context_of(ctx)
    findings = run_checks(context.settings, context.unknown_settings())
    wrong = [finding for finding in findings if finding.state is CheckStatus.WRONG]
    if as_json:
        show_json({"ok": not wrong, "checks": [_document(finding) for finding in findings]})
    else:
        _show(findings, wrong)
    if wrong:
        raise typer.Exit(wrong[0].code if len({finding.code for finding in wrong}) == 1 else ExitCode.FAILED)


def _show(findings: list[CheckResult], wrong: list[CheckResult]) -> None:
    rows: list[tuple[Text | str, ...]] = []
    for finding in findings:
        sign, style = _SHOWN[finding.state]
        rows.append((Text(sign, style=style), finding.check, finding.found))
    show_table(("", "Check", "Result"), rows)
    for finding in wrong:
        print_line(f"{finding.check}: {finding.found}. {finding.remedy}")
    if not wrong:
        print_line("No problems found.")


def _document(finding: CheckResult) -> dict[str, str]:
    document = {"check": finding.check, "state": finding.state, "found": finding.found}
    return document | ({"remedy": finding.remedy} if finding.remedy else {})
