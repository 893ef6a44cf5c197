"""Transactions of one engine. Everything here blocks, so ``Database`` calls it in threads."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from sqlalchemy import Connection, Engine, RootTransaction
from sqlalchemy.exc import SQLAlchemyError

from bot.storage.sql.dialect import SqlDialect

T = TypeVar("T")
Work = Callable[[Connection], T]

ATTEMPTS = 4
"""How often a transaction is tried if the database rolls it back because of a conflict."""

_BACKOFF_S = 0.05


class Transactions:
    """Runs transactions, repeats those that may be repeated, and translates SQLAlchemy's errors."""

    def __init__(self, engine: Engine, dialect: SqlDialect) -> None:
        self._dialect = dialect
        self._reading = engine.execution_options(**dialect.read_options)
        self._writing = engine.execution_options(**dialect.write_options)

    def read(self, work: Work[T]) -> T:
        """Run ``work`` on one snapshot, once more if the connection was lost. Raises BackendError."""
        with self.translating_errors():
            try:
                return self._read_once(work)
            except SQLAlchemyError as error:
                if not self._dialect.is_connection_lost(error):
                    raise
            return self._read_once(work)

    def write(self, work: Work[T]) -> T:
        """Run ``work`` in a transaction of its own, again if the database rolls it back. Raises SQLAlchemy's errors."""
        for attempt in range(1, ATTEMPTS):
            try:
                return self._write_once(work)
            except SQLAlchemyError as error:
                if not self._dialect.is_rolled_back(error):
                    raise
            time.sleep(_BACKOFF_S * attempt * random.random())  # noqa: S311 - not used for security
        return self._write_once(work)

    def begin(self) -> Connection:
        """Begin a transaction that writes. The caller ends it and closes the connection."""
        connection = self._writing.connect()
        try:
            connection.begin()
        except BaseException:
            connection.close()
            raise
        return connection

    def commit(self, transaction: RootTransaction) -> None:
        """Commit a transaction. Raises BackendError, with ``may_have_been_done`` if the connection was lost."""
        try:
            transaction.commit()
        except SQLAlchemyError as error:
            translated = self._dialect.translate_error(error)
            # The database may have committed although its answer was lost.
            translated.may_have_been_done = self._dialect.is_connection_lost(error)
            raise translated from error

    @contextmanager
    def translating_errors(self) -> Iterator[None]:
        """Raise BackendError in place of SQLAlchemy's errors."""
        try:
            yield
        except SQLAlchemyError as error:
            raise self._dialect.translate_error(error) from error

    def _read_once(self, work: Work[T]) -> T:
        with self._reading.connect() as connection, connection.begin():
            return work(connection)

    def _write_once(self, work: Work[T]) -> T:
        with self._writing.connect() as connection, connection.begin() as transaction:
            result = work(connection)
            self.commit(transaction)
            return result
