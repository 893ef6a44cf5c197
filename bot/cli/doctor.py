"""``vsearch doctor``: whether everything is as it should be."""

from __future__ import annotations

import typer
from rich.text import Text

from bot.cli import checks
from bot.cli.bucket_check import bucket
from bot.cli.checks import CheckResult, CheckStatus, DoctorCheck
from bot.cli.exits import ExitCode
from bot.cli.hosted_check import hosted
from bot.cli.lost_check import missing_databases
from bot.cli.model_check import embeddings, model
from bot.cli.options import AsJson
from bot.cli.output import print_line, show_json, show_table
from bot.cli.postgres_check import postgres
from bot.cli.public_check import public_address
from bot.cli.session import context_of
from bot.cli.slack_check import slack

app = typer.Typer()

CHECKS: tuple[DoctorCheck, ...] = (
    checks.python,
    checks.data_directory,
    checks.catalogue,
    postgres,
    bucket,
    model,
    checks.formats,
    hosted,
    slack,
)

_SHOWN = {CheckStatus.OK: ("✓", "green"), CheckStatus.NOTE: ("–", "yellow"), CheckStatus.WRONG: ("✗", "bold red")}


@app.command(rich_help_panel="Upkeep")
def doctor(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Check the set-up, and say what to do where something is wrong."""
    settings, findings = checks.settings_of(context_of(ctx).settings)
    for check in CHECKS:
        findings.extend(check(settings))
    # Older tables would be changed by looking into them.
    has_tables = any(finding.check == checks.TABLES and finding.state is CheckStatus.OK for finding in findings)
    findings.extend(missing_databases(settings) if has_tables else ())
    findings.extend(embeddings(settings) if has_tables else ())
    findings.extend(public_address(settings, has_tables=has_tables))
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
    show_table(("", "Check", "Found"), rows)
    for finding in wrong:
        print_line(f"{finding.check}: {finding.found}. {finding.remedy}")
    if not wrong:
        print_line("All is well.")


def _document(finding: CheckResult) -> dict[str, str]:
    document = {"check": finding.check, "state": finding.state, "found": finding.found}
    return document | ({"remedy": finding.remedy} if finding.remedy else {})
