"""Settings as fields of a dataclass: what is said of each, and how all of them are read."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from bot.config import parsers as read

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def setting(
    name: str,
    meaning: str,
    *,
    default: Any,
    parse: Callable[[str], Any] = read.text,
    unit: str = "",
    secret: bool = False,
) -> Any:
    """A field that is read from ``name``; ``parse`` raises ValueError, and its docstring says what it takes."""
    about = {"name": name, "meaning": meaning, "parse": parse, "unit": unit, "secret": secret}
    return dataclasses.field(default=default, metadata=about, repr=not secret)


def read_fields(
    settings: type[DataclassInstance], environment: Mapping[str, str]
) -> tuple[dict[str, Any], dict[str, str]]:
    """The values that are given, by field, and a sentence for each wrong one, by name. Empty ones count as unset."""
    values: dict[str, Any] = {}
    wrong: dict[str, str] = {}
    for item in dataclasses.fields(settings):
        name, parse = item.metadata["name"], item.metadata["parse"]
        raw = environment.get(name, "").strip()
        if not raw:
            continue
        try:
            values[item.name] = parse(raw)
        except ValueError:
            # The value itself is not shown: it may be a secret put in the wrong place.
            wrong[name] = f"{name} must be {parse.__doc__}."
    return values, wrong


def secret_values(settings: DataclassInstance) -> tuple[str, ...]:
    """Those of the fields that are secrets; of several in one field, each."""
    items = [item for item in dataclasses.fields(settings) if item.metadata["secret"]]
    values = (getattr(settings, item.name) for item in items)
    return tuple(part for value in values if value for part in ((value,) if isinstance(value, str) else value))
