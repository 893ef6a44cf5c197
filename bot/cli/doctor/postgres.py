"""Check that PostgreSQL answers, has our tables, and has pgvector if needed. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import inspect, text
from sqlalchemy.exc import SQLAlchemyError

from bot.cli.doctor.checks import revision_result
from bot.cli.doctor.result import CheckResult, CheckStatus
from bot.cli.terminal.exit_codes import ExitCode
from bot.config.settings import Settings
from bot.storage.sql import postgres as server

MIN_PGVECTOR = (0, 8)


def postgres(settings: Settings) -> Iterator[CheckResult]:
    """Check the server of DATABASE_URL; yield nothing for SQLite."""
    if settings.database_url is None or not server.is_address(settings.database_url):
        return
    engine = server.create(server.address(settings.database_url), 1)
    try:
        with engine.connect() as connection:
            version = connection.execute(text("SHOW server_version")).scalar_one()
            yield CheckResult("PostgreSQL", CheckStatus.OK, f"answers, version {version}")
            if inspect(connection).has_table("alembic_version"):
                yield revision_result(connection.execute(text("SELECT version_num FROM alembic_version")).scalar())
            else:
                yield revision_result(None)
            extension = text("SELECT default_version FROM pg_available_extensions WHERE name = 'vector'")
            if settings.backend == "pgvector":
                yield _pgvector(connection.execute(extension).scalar())
    except SQLAlchemyError as error:
        remedy = "Check DATABASE_URL, and that the server runs and accepts connections from this machine."
        yield CheckResult("PostgreSQL", CheckStatus.WRONG, str(server.translate_error(error)), remedy, ExitCode.STORAGE)
    finally:
        engine.dispose()


def _pgvector(version: str | None) -> CheckResult:
    remedy = "Install pgvector 0.8 or newer on the server. Its packages have names such as postgresql-17-pgvector."
    if version is None:
        return CheckResult("pgvector", CheckStatus.WRONG, "not installed on the server", remedy, ExitCode.STORAGE)
    if tuple(int(part) for part in version.split(".")[:2]) < MIN_PGVECTOR:
        return CheckResult("pgvector", CheckStatus.WRONG, f"{version} is too old", remedy, ExitCode.STORAGE)
    return CheckResult("pgvector", CheckStatus.OK, version)
