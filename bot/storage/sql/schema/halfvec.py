"""pgvector's type ``halfvec`` as a statement parameter, in binary format to avoid formatting and parsing text."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import numpy.typing as npt
import psycopg
from psycopg.adapt import Dumper
from psycopg.pq import Format
from sqlalchemy.types import UserDefinedType

_HEADER = struct.Struct("!HH")  # the number of dimensions, and an unused field that is 0


class Halfvec(UserDefinedType[npt.NDArray[Any]]):
    """A parameter whose value is a one-dimensional array of numbers. The statement must cast it to ``halfvec``."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        """Return the type's name in SQL."""
        return "halfvec"

    def bind_processor(self, dialect: object) -> Callable[[Any], _EncodedHalfvec]:  # noqa: ARG002 - the name is SQLAlchemy's
        """Return the function that encodes an array."""
        return _encode


class _EncodedHalfvec(bytes):
    """A halfvec in pgvector's binary format."""

    __slots__ = ()


class _Dumper(Dumper):
    # No OID, because the type's OID differs in each database. The server then takes the type from the statement.
    format = Format.BINARY

    def dump(self, obj: _EncodedHalfvec) -> bytes:
        return obj


def _encode(numbers: npt.NDArray[Any]) -> _EncodedHalfvec:
    return _EncodedHalfvec(_HEADER.pack(len(numbers), 0) + numbers.astype(">f2").tobytes())


def register(connection: psycopg.Connection[Any]) -> None:
    """Let a psycopg connection send parameters of type Halfvec."""
    connection.adapters.register_dumper(_EncodedHalfvec, _Dumper)
