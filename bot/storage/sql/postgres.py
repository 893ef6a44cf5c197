"""The one place that knows PostgreSQL: connections, what its errors mean, and its clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, func, select, text
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
    " AND application_name = current_setting('application_name')"
)
_CLOSING_S, _CHECK_INTERVAL_S = 1.0, 0.05
"""The server takes a moment to see that a process has ended."""

_OPTIONS = {
    "lock_timeout": f"{LOCK_TIMEOUT_S}s",
    "statement_timeout": f"{STATEMENT_TIMEOUT_S}s",
    # A process that hangs in the middle of a transaction holds up all others.
    "idle_in_transaction_session_timeout": f"{STATEMENT_TIMEOUT_S}s",
}
_CONNECTING = {
    "application_name": "vsearch",
    "connect_timeout": 10,
    # A server that vanished without a word, as in a failover, is noticed within half a minute.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
    # After a failover an old address may lead to a server that only reads.
    "target_session_attrs": "read-write",
    "options": " ".join(f"-c {name}={value}" for name, value in _OPTIONS.items()),
}

_ROLLED_BACK = {"40001", "40P01"}  # serialization failure, deadlock
_TIMED_OUT = {"55P03", "57014"}  # a lock, or the statement itself
_TOO_MANY_CONNECTIONS = {"53300", "53400"}  # too many connections, a limit of the configuration
_TOO_MANY_CONNECTIONS_TEXTS = ("too many connections", "too many clients", "remaining connection slots")
"""Of one who is connecting, the driver keeps no code."""

_INTEGRITY = "23"


def is_address(database_url: str | None) -> bool:
    """Whether the address is PostgreSQL's."""
    return bool(database_url) and make_url(str(database_url)).get_backend_name() == "postgresql"


def address(database_url: str) -> URL:
    """The address for the driver that we have."""
    return make_url(database_url).set(drivername=DRIVER)


def create(url: URL, connections: int) -> Engine:
    """An engine with at most so many connections. One that is found dead when it is about to be used is replaced."""
    engine = create_engine(
        url,
        hide_parameters=True,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=WRITE_WAIT_S,
        pool_pre_ping=True,
        # The last used has its statements prepared and its caches warm.
        pool_use_lifo=True,
        isolation_level="READ COMMITTED",
        connect_args=arguments_of(url),
    )
    event.listen(engine, "connect", _register_types)
    return engine


def arguments_of(url: URL) -> dict[str, Any]:
    """What is said when connecting, but for what the address says itself."""
    return {name: value for name, value in _CONNECTING.items() if name not in url.query}


def connect_arguments(url: URL) -> dict[str, Any]:
    """All that the driver needs to connect by itself."""
    _, arguments = create_engine(url).dialect.create_connect_args(url)
    return {**arguments_of(url), **arguments}


def dialect(writers: int) -> SqlDialect:
    """Many write at once, each at READ COMMITTED; a read sees one snapshot however many statements it makes."""
    return SqlDialect(
        writers=writers,
        write_wait_s=WRITE_WAIT_S,
        read_options={"isolation_level": "REPEATABLE READ", "postgresql_readonly": True},
        translate_error=translate_error,
        is_connection_lost=_is_connection_lost,
        is_rolled_back=lambda error: _sqlstate(error) in _ROLLED_BACK,
    )


def translate_error(error: SQLAlchemyError) -> BackendError:
    """An error in our words, without values of ours."""
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
        return BackendDown(f"The connection to PostgreSQL is gone: {_first_line(error)}")
    return BackendDown(f"Storage failed: {_first_line(error)}")


def clock(engine: Engine) -> Callable[[], datetime]:
    """The server's time, by this machine's clock: leases of several machines are compared with each other."""
    with engine.connect() as connection:
        theirs: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
    ahead: timedelta = theirs - datetime.now(UTC)
    return lambda: datetime.now(UTC) + ahead


def in_use(url: URL) -> bool:
    """Whether another vsearch is connected to the database, and goes on being so. Blocks. Raises BackendError."""
    engine = create(url, 1)
    deadline = time.monotonic() + _CLOSING_S
    try:
        with engine.connect() as connection:
            while connection.execute(_OTHER_CONNECTIONS).scalar():
                if time.monotonic() > deadline:
                    return True
                # Or the answer stays what it was when the transaction began.
                connection.rollback()
                time.sleep(_CHECK_INTERVAL_S)
            return False
    except SQLAlchemyError as error:
        raise translate_error(error) from error
    finally:
        engine.dispose()


def disable_timeouts(connection: Connection) -> None:
    """In this transaction nothing is cut short: a migration, or the building of an index, lasts as long as it does."""
    for name in _OPTIONS:
        connection.execute(text(f"SET LOCAL {name} = 0"))


def _register_types(connection: Any, _record: object) -> None:
    from bot.storage.sql import halfvec  # noqa: PLC0415 - without PostgreSQL there is no driver to be loaded

    halfvec.register(connection)


def _sqlstate(error: SQLAlchemyError) -> str:
    cause = error.orig if isinstance(error, DBAPIError) else None
    return getattr(cause, "sqlstate", None) or ""


def _is_connection_lost(error: SQLAlchemyError) -> bool:
    return isinstance(error, DBAPIError) and error.connection_invalidated


def _first_line(error: SQLAlchemyError) -> str:
    # What follows may quote rows.
    cause = error.orig if isinstance(error, DBAPIError) else None
    return str(cause or error).strip().partition("\n")[0]
