"""Parsers of settings. Each raises ValueError for invalid text; its docstring ends the sentence “NAME must be …”."""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import IPv6Address
from pathlib import Path
from urllib.parse import urlsplit

MIN_API_KEY = 16

_DATABASE_NAME = re.compile(r"[a-z0-9_]{2,64}", re.ASCII)
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,62}(?:/[A-Za-z0-9_-][A-Za-z0-9._-]*)*", re.ASCII)
_REGION = re.compile(r"[a-z0-9-]{1,64}", re.ASCII)
_IN_MEMORY = re.compile(r"/(:memory:|file:|\?|$)", re.IGNORECASE)
"""What follows sqlite:// in an address that names no file. SQLite takes file: for a URI, which may be in memory too."""
_HOST_NAME = re.compile(r"[A-Za-z0-9._-]+", re.ASCII)


def text(raw: str) -> str:
    """text"""  # noqa: D403, D400 - becomes part of a sentence
    return raw


def integer(low: int, high: int) -> Callable[[str], int]:
    """Return a parser of whole numbers in a range."""

    def parse(raw: str) -> int:
        value = int(raw)
        if not low <= value <= high:
            raise ValueError(raw)
        return value

    parse.__doc__ = f"a whole number from {low} to {high}"
    return parse


def three_numbers(raw: str) -> tuple[float, float, float]:
    """three numbers separated by commas"""  # noqa: D403, D400 - becomes part of a sentence
    red, green, blue = (float(part) for part in raw.split(","))
    return red, green, blue


def names(raw: str) -> tuple[str, ...]:
    """names separated by commas"""  # noqa: D403, D400 - becomes part of a sentence
    return tuple(part.strip() for part in raw.split(",") if part.strip())


def database_name(raw: str) -> str:
    """2 to 64 characters: a-z, 0-9 and _"""  # noqa: D400 - becomes part of a sentence
    if not _DATABASE_NAME.fullmatch(raw):
        raise ValueError(raw)
    return raw


def bucket(raw: str) -> str:
    """the name of a bucket, with an optional prefix after a slash, in letters, digits, dots, - and _"""  # noqa: D403, D400 - becomes part of a sentence
    name = raw.rstrip("/")
    if not _BUCKET.fullmatch(name):
        raise ValueError(raw)
    return name


def region(raw: str) -> str:
    """the name of a region, such as eu-central-1"""  # noqa: D403, D400 - becomes part of a sentence
    if not _REGION.fullmatch(raw):
        raise ValueError(raw)
    return raw


def api_keys(raw: str) -> tuple[str, ...]:
    """keys of 16 characters or more, separated by commas"""  # noqa: D403, D400 - becomes part of a sentence
    keys = names(raw)
    if any(len(key) < MIN_API_KEY for key in keys):
        raise ValueError(raw)
    return keys


def one_of(*choices: str) -> Callable[[str], str]:
    """Return a parser of some words that ignores case."""

    def parse(raw: str) -> str:
        if raw.lower() not in choices:
            raise ValueError(raw)
        return raw.lower()

    parse.__doc__ = " or ".join(choices)
    return parse


def path(raw: str) -> Path:
    """a path"""  # noqa: D403, D400 - becomes part of a sentence
    return Path(raw).expanduser()


def database_url(raw: str) -> str:
    """an address such as sqlite:///path/to/file (in memory, all data would be lost) or postgresql://user@host/database"""  # noqa: D403, D400 - becomes part of a sentence
    scheme, _, rest = raw.partition("://")
    # Heroku and others use the short form.
    known = {"sqlite": "sqlite", "postgresql": "postgresql", "postgres": "postgresql"}.get(scheme)
    if known is None or rest in {"", "/"} or (known == "sqlite" and not rest.startswith("/")):
        raise ValueError(raw)
    if known == "sqlite" and (_IN_MEMORY.match(rest) or "mode=memory" in rest.lower()):
        raise ValueError(raw)
    if known == "postgresql" and not urlsplit(raw).path.strip("/"):
        raise ValueError(raw)
    return f"{known}://{rest}"


def api_url(raw: str) -> str:
    """an http or https address"""  # noqa: D403, D400 - becomes part of a sentence
    parts = urlsplit(raw)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.port == 0:
        raise ValueError(raw)
    return raw if raw.endswith("/") else raw + "/"


def host(raw: str) -> str:
    """a host name or an IP address, without a port"""  # noqa: D403, D400 - becomes part of a sentence
    if ":" in raw:
        return str(IPv6Address(raw))
    if not _HOST_NAME.fullmatch(raw):
        raise ValueError(raw)
    return raw


def base_url(raw: str) -> str:
    """an address that begins with https:// or http://, without ? or #"""  # noqa: D403, D400 - becomes part of a sentence
    parts = urlsplit(api_url(raw))
    # Raises UnicodeError, a ValueError, if no browser could look the host up.
    str(parts.hostname).encode("idna")
    if parts.query or parts.fragment or parts.username is not None or "?" in raw or "#" in raw:
        raise ValueError(raw)
    return raw.rstrip("/")
