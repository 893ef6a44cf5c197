"""Everything specific to PostgreSQL: connections, error translation and the server's clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy
from sqlalchemy import Connection, Engine, event, func, select, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from bot.domain.errors import BackendDown, BackendError, BackendThrottled, BackendTimeout
from bot.storage.sql.dialect import SqlDialect

DRIVER = "postgresql+psycopg"
LOCK_TIMEOUT_S = 15
STATEMENT_TIMEOUT_S = 60
WRITE_WAIT_S = 15.0

_OTHER_CONNECTIONS = text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    " AND application_name IN ('vsearch', current_setting('application_name'))"
)
_CLOSING_S, _CHECK_INTERVAL_S = 1.0, 0.05
"""How long to wait for the server to notice that a process has ended, and how often to check."""

_OPTIONS = {
    "lock_timeout": f"{LOCK_TIMEOUT_S}s",
    "statement_timeout": f"{STATEMENT_TIMEOUT_S}s",
    # A process that hangs inside a transaction would block all others.
    "idle_in_transaction_session_timeout": f"{STATEMENT_TIMEOUT_S}s",
}
_CONNECTING = {
    "application_name": "vsearch",
    "connect_timeout": 10,
    # Detect within half a minute that the server disappeared without closing connections, as in a failover.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
    # After a failover, the old address may lead to a read-only server.
    "target_session_attrs": "read-write",
    "options": " ".join(f"-c {name}={value}" for name, value in _OPTIONS.items()),
}

_ROLLED_BACK = {"40001", "40P01"}  # serialization failure, deadlock
_TIMED_OUT = {"55P03", "57014"}  # lock not available, query cancelled
_TOO_MANY_CONNECTIONS = {"53300", "53400"}  # too many connections, configuration limit exceeded
_TOO_MANY_CONNECTIONS_TEXTS = ("too many connections", "too many clients", "remaining connection slots")
"""psycopg gives no SQLSTATE for errors while connecting, so these texts identify them."""

_INTEGRITY = "23"
"""SQLSTATE class of integrity constraint violations."""


def is_address(database_url: str | None) -> bool:
    """Return whether the URL names a PostgreSQL database."""
    return bool(database_url) and make_url(str(database_url)).get_backend_name() == "postgresql"


def address(database_url: str) -> URL:
    """Return the URL with psycopg as its driver."""
    return make_url(database_url).set(drivername=DRIVER)


def create(url: URL, connections: int) -> Engine:
    """Create an engine with at most ``connections`` connections. Dead connections are replaced before use."""
    # Looked up at the call: tracing replaces it.
    engine = sqlalchemy.create_engine(
        url,
        hide_parameters=True,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=WRITE_WAIT_S,
        pool_pre_ping=True,
        # The connection used last has its statements prepared and its caches warm.
        pool_use_lifo=True,
        isolation_level="READ COMMITTED",
        connect_args=default_arguments(url),
    )
    event.listen(engine, "connect", _register_types)
    return engine


def default_arguments(url: URL) -> dict[str, Any]:
    """Return our connection parameters, without those that the URL sets itself."""
    return {name: value for name, value in _CONNECTING.items() if name not in url.query}


def connect_arguments(url: URL) -> dict[str, Any]:
    """Return all arguments with which psycopg can connect without SQLAlchemy."""
    _, arguments = sqlalchemy.create_engine(url).dialect.create_connect_args(url)
    return {**default_arguments(url), **arguments}


def dialect(writers: int) -> SqlDialect:
    """Return the dialect for ``writers`` concurrent writers.

    Writes run at READ COMMITTED. Reads run at REPEATABLE READ, so that all statements of one read see one snapshot.
    """
    return SqlDialect(
        writers=writers,
        write_wait_s=WRITE_WAIT_S,
        read_options={"isolation_level": "REPEATABLE READ", "postgresql_readonly": True},
        translate_error=translate_error,
        is_connection_lost=_is_connection_lost,
        is_rolled_back=lambda error: _sqlstate(error) in _ROLLED_BACK,
        check=check,
    )


def check(connection: Connection) -> None:
    """Raise BackendDown if the server doesn't accept writes."""
    if connection.execute(text("SELECT pg_is_in_recovery()")).scalar_one():
        raise BackendDown("The PostgreSQL server is read-only: it is a standby.")


def translate_error(error: SQLAlchemyError) -> BackendError:
    """Turn an error into a BackendError whose text contains no values from statements or rows."""
    if isinstance(error, PoolTimeout):
        return BackendTimeout(f"All connections to PostgreSQL were busy for {WRITE_WAIT_S:g} s.")
    state = _sqlstate(error)
    if state in _TIMED_OUT:
        return BackendTimeout("PostgreSQL took too long, or another transaction held what this one needs.")
    if state in _TOO_MANY_CONNECTIONS or any(words in str(error.args) for words in _TOO_MANY_CONNECTIONS_TEXTS):
        return BackendThrottled(f"PostgreSQL takes no more connections: {_first_line(error)}")
    if state in _ROLLED_BACK or state.startswith(_INTEGRITY):
        return BackendThrottled(f"Another process wrote the same at the same moment: {_first_line(error)}")
    if _is_connection_lost(error):
        return BackendDown(f"The connection to PostgreSQL was lost: {_first_line(error)}")
    return BackendDown(f"Storage failed: {_first_line(error)}")


def clock(engine: Engine) -> Callable[[], datetime]:
    """Return a clock that tells the server's time, because leases of several machines are compared.

    It measures the difference to this machine's clock once, now.
    """
    with engine.connect() as connection:
        server_time: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
    difference: timedelta = server_time - datetime.now(UTC)
    return lambda: datetime.now(UTC) + difference


def in_use(url: URL) -> bool:
    """Return whether another vsearch process is connected to the database and stays connected for a second.

    Blocks. Raises BackendError.
    """
    engine = create(url, 1)
    deadline = time.monotonic() + _CLOSING_S
    try:
        with engine.connect() as connection:
            while connection.execute(_OTHER_CONNECTIONS).scalar():
                if time.monotonic() > deadline:
                    return True
                # Within one transaction, PostgreSQL would repeat its first answer.
                connection.rollback()
                time.sleep(_CHECK_INTERVAL_S)
            return False
    except SQLAlchemyError as error:
        raise translate_error(error) from error
    finally:
        engine.dispose()


def disable_timeouts(connection: Connection) -> None:
    """Remove all timeouts for this transaction, which may be a long migration or copy."""
    for name in _OPTIONS:
        connection.execute(text(f"SET LOCAL {name} = 0"))


def _register_types(connection: Any, _record: object) -> None:
    from bot.storage.sql.schema import halfvec  # noqa: PLC0415 - loads psycopg (60 ms), which SQLite doesn't need

    halfvec.register(connection)


def _sqlstate(error: SQLAlchemyError) -> str:
    cause = error.orig if isinstance(error, DBAPIError) else None
    return getattr(cause, "sqlstate", None) or ""


def _is_connection_lost(error: SQLAlchemyError) -> bool:
    return isinstance(error, DBAPIError) and error.connection_invalidated


def _first_line(error: SQLAlchemyError) -> str:
    # Later lines may quote values of rows.
    cause = error.orig if isinstance(error, DBAPIError) else None
    return str(cause or error).strip().partition("\n")[0]
