"""The doctor's checks of PostgreSQL."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from sqlalchemy.engine import make_url

from bot.cli.doctor import checks
from bot.cli.doctor.postgres import _pgvector, postgres
from bot.cli.doctor.result import CheckResult, CheckStatus
from bot.cli.terminal.exit_codes import ExitCode
from bot.config.settings import Settings
from bot.storage.sql.migration import HEAD
from tests.fixtures.postgres import Cluster


def found(address: str) -> dict[str, CheckResult]:
    return {finding.check: finding for finding in postgres(Settings(database_url=address, backend="pgvector"))}


def test_working_server_passes(postgres_address: str) -> None:
    findings = found(postgres_address)
    assert list(findings) == ["PostgreSQL", "Tables", "pgvector"]
    assert {finding.state for finding in findings.values()} == {CheckStatus.OK}
    assert findings["Tables"].found == f"revision {HEAD}"
    assert list(checks.catalogue(Settings(database_url=postgres_address))) == []


def test_sqlite_catalogue_skips_the_checks(tmp_path: Path) -> None:
    assert list(postgres(Settings())) == []
    assert list(postgres(Settings(database_url=f"sqlite:///{tmp_path}/vsearch.db"))) == []


def test_empty_database_passes(cluster: Cluster) -> None:
    name = cluster.database()
    try:
        tables = found(cluster.address(name))["Tables"]
        assert (tables.state, tables.found) == (CheckStatus.NOTE, "none yet; the next command creates them")
    finally:
        cluster.drop(name)


@pytest.mark.parametrize(
    ("revision", "state", "told"),
    [("0001", CheckStatus.NOTE, f"to {HEAD}"), ("9999", CheckStatus.WRONG, "is newer than")],
)
def test_tables_of_another_version_are_reported(cluster: Cluster, revision: str, state: CheckStatus, told: str) -> None:
    name = cluster.database()
    try:
        with psycopg.connect(cluster.address(name)) as connection:
            connection.execute("CREATE TABLE alembic_version (version_num text)")
            connection.execute("INSERT INTO alembic_version VALUES (%s)", [revision])
        tables = found(cluster.address(name))["Tables"]
        assert tables.state is state
        assert told in tables.found
    finally:
        cluster.drop(name)


def test_unreachable_server_is_reported_without_the_password(tmp_path: Path, postgres_address: str) -> None:
    nowhere = found("postgresql://me:hidden@/vsearch?host=/nowhere")["PostgreSQL"]
    assert (nowhere.state, nowhere.code) == (CheckStatus.WRONG, ExitCode.STORAGE)
    assert "hidden" not in f"{nowhere.found} {nowhere.remedy}"
    assert "DATABASE_URL" in nowhere.remedy
    missing = make_url(postgres_address).set(database="nobodys").render_as_string(hide_password=False)
    assert "nobodys" in found(missing)["PostgreSQL"].found


@pytest.mark.parametrize(
    ("version", "state"),
    [(None, CheckStatus.WRONG), ("0.7.4", CheckStatus.WRONG), ("0.8.0", CheckStatus.OK), ("0.10.0", CheckStatus.OK)],
)
def test_old_pgvector_is_reported(version: str | None, state: CheckStatus) -> None:
    assert _pgvector(version).state is state
