"""Whether PostgreSQL answers, has our tables, and what the pgvector back end needs. Nothing is changed."""

from __future__ import annotations

from collections.abc import Iterator

from bot.cli.checks import Finding, State, revision_finding
from bot.cli.exits import ExitCode
from bot.config import Settings

OLDEST_PGVECTOR = (0, 8)


def postgres(settings: Settings) -> Iterator[Finding]:
    """Nothing, where the catalogue is a file."""
    from sqlalchemy import inspect, text  # noqa: PLC0415 - slow to load, and most commands do without
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415

    from bot.storage import postgres as server  # noqa: PLC0415

    if settings.database_url is None or not server.is_address(settings.database_url):
        return
    engine = server.create(server.address(settings.database_url), 1)
    try:
        with engine.connect() as connection:
            version = connection.execute(text("SHOW server_version")).scalar_one()
            yield Finding("PostgreSQL", State.OK, f"answers, version {version}")
            if inspect(connection).has_table("alembic_version"):
                yield revision_finding(connection.execute(text("SELECT version_num FROM alembic_version")).scalar())
            else:
                yield revision_finding(None)
            extension = text("SELECT default_version FROM pg_available_extensions WHERE name = 'vector'")
            if settings.backend == "pgvector":
                yield _pgvector(connection.execute(extension).scalar())
    except SQLAlchemyError as error:
        remedy = "Check DATABASE_URL, and that the server runs and lets this machine in."
        yield Finding("PostgreSQL", State.WRONG, str(server.meaning(error)), remedy, ExitCode.STORAGE)
    finally:
        engine.dispose()


def _pgvector(version: str | None) -> Finding:
    remedy = "Install pgvector 0.8 or newer on the server; its packages are named like postgresql-17-pgvector."
    if version is None:
        return Finding("pgvector", State.WRONG, "the server doesn't have it", remedy, ExitCode.STORAGE)
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST_PGVECTOR:
        return Finding("pgvector", State.WRONG, f"{version} is too old", remedy, ExitCode.STORAGE)
    return Finding("pgvector", State.OK, version)
