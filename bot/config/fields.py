"""Settings as dataclass fields: declares their metadata and reads their values."""

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
    """Declare a field that is read from the environment variable ``name``.

    ``parse`` raises ValueError for invalid text. Its docstring ends the sentence “NAME must be …”.
    """
    about = {"name": name, "meaning": meaning, "parse": parse, "unit": unit, "secret": secret}
    return dataclasses.field(default=default, metadata=about, repr=not secret)


def read_fields(
    settings: type[DataclassInstance], environment: Mapping[str, str]
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the parsed values by field, and an error message for each invalid one by name.

    Empty values count as unset.
    """
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
            # Leave out the value: it may be a secret in the wrong variable.
            wrong[name] = f"{name} must be {parse.__doc__}."
    return values, wrong


def secret_values(settings: DataclassInstance) -> tuple[str, ...]:
    """Return the values of all secret fields; a field with several values gives each of them."""
    items = [item for item in dataclasses.fields(settings) if item.metadata["secret"]]
    values = (getattr(settings, item.name) for item in items)
    return tuple(part for value in values if value for part in ((value,) if isinstance(value, str) else value))
