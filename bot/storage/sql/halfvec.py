"""Vectors of half precision on their way to pgvector: as bytes, which neither side has to spell out or to parse."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import numpy.typing as npt
import psycopg
from psycopg.adapt import Dumper
from psycopg.pq import Format
from sqlalchemy.types import UserDefinedType

_HEADER = struct.Struct("!HH")  # how many numbers, and a field that is always 0


class Halfvec(UserDefinedType[npt.NDArray[Any]]):
    """A parameter whose value is an array of any numbers. The statement says that it is a halfvec."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        """The type's name in SQL."""
        return "halfvec"

    def bind_processor(self, dialect: object) -> Callable[[Any], _EncodedHalfvec]:  # noqa: ARG002 - the name is SQLAlchemy's
        """An array as it is sent."""
        return _encode


class _EncodedHalfvec(bytes):
    """The wire's own form of a halfvec."""

    __slots__ = ()


class _Dumper(Dumper):
    # The type has another number in each database; without one, the server takes what the statement says.
    format = Format.BINARY

    def dump(self, obj: _EncodedHalfvec) -> bytes:
        return obj


def _encode(numbers: npt.NDArray[Any]) -> _EncodedHalfvec:
    return _EncodedHalfvec(_HEADER.pack(len(numbers), 0) + numbers.astype(">f2").tobytes())


def register(connection: psycopg.Connection[Any]) -> None:
    """Let a connection of the driver send such parameters."""
    connection.adapters.register_dumper(_EncodedHalfvec, _Dumper)
