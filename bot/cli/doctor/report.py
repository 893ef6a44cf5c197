"""Run all checks of ``vsearch doctor`` in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import closing

from bot.cli.doctor import checks
from bot.cli.doctor.bucket import bucket
from bot.cli.doctor.deletions import deletions
from bot.cli.doctor.missing_databases import missing_databases
from bot.cli.doctor.model import model, texts
from bot.cli.doctor.postgres import postgres
from bot.cli.doctor.public_address import public_address
from bot.cli.doctor.result import CheckResult, CheckStatus, DoctorCheck
from bot.cli.doctor.search_services import hosted, milvus
from bot.cli.doctor.slack import slack
from bot.cli.session import SharedStorage
from bot.config.settings import Settings

CHECKS: tuple[DoctorCheck, ...] = (
    checks.python,
    checks.data_directory,
    checks.catalogue,
    postgres,
    bucket,
    checks.formats,
    hosted,
    slack,
)


def run_checks(read_settings: Callable[[], Settings], unknown: Iterable[str] = ()) -> list[CheckResult]:
    """Run every check and return the results. ``unknown`` has a sentence for each name that is no setting."""
    settings, findings = checks.settings_of(read_settings)
    findings += [CheckResult("Settings", CheckStatus.NOTE, remark.removesuffix(".")) for remark in unknown]
    for check in CHECKS:
        findings.extend(check(settings))
    # Opening storage upgrades older tables, so these checks run only if the tables are of this version.
    has_tables = any(finding.check == checks.TABLES and finding.state is CheckStatus.OK for finding in findings)
    with closing(SharedStorage(settings)) as shared:
        findings.extend(milvus(settings, shared, has_tables=has_tables))
        findings.extend(missing_databases(settings, shared) if has_tables else ())
        findings.extend(deletions(settings, shared) if has_tables else ())
        findings.extend(texts(settings, shared) if has_tables else ())
        findings.extend(model(settings, shared, has_tables=has_tables))
        findings.extend(public_address(settings, shared, has_tables=has_tables))
    return findings
