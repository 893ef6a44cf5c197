"""The version of this program."""

from __future__ import annotations

from functools import cache
from pathlib import Path

UNKNOWN = "unknown"
"""The version of a copy of the packages that has nothing else with it."""


@cache
def installed_version() -> str:
    """Return the version of this program. Blocks for a moment when it is first called."""
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - 20 ms that no command needs

    try:
        return version("vsearch")
    except PackageNotFoundError:
        # Run from a checkout that isn't installed.
        import tomllib  # noqa: PLC0415 - rarely needed

        try:
            text = (Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8")
        except OSError:
            return UNKNOWN
        return str(tomllib.loads(text)["project"]["version"])
