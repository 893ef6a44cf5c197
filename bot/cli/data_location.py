"""Where commands look for ``.env`` and for the data directory, from wherever they are run."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from dotenv import dotenv_values

from bot.config.declarations import DEFAULT_DATA_DIR
from bot.config.settings import Settings

ENV_FILE = Path(".env")

PROGRAM_FOLDER = Path(__file__).parents[2]
"""The checkout that this program is run from. An installed program has none, and this is a folder of packages."""


def folder(data_dir: Path | None) -> Path:
    """Return the folder of ``.env`` and of a relative data directory: the current one, or this checkout.

    ``data_dir`` is the directory that an option names.
    """
    if _is_named(data_dir) or _has_data(Path()):
        return Path()
    return PROGRAM_FOLDER if _has_data(PROGRAM_FOLDER) else Path()


def searched(data_dir: Path | None, file: Path) -> Sequence[str]:
    """Return the directories in which no data was found. ``file`` is the database that the settings name."""
    places = [file.absolute().parent]
    if not _is_named(data_dir) and not _has_data(Path()):
        places = [(folder / DEFAULT_DATA_DIR).absolute() for folder in (Path(), PROGRAM_FOLDER)]
    return tuple(dict.fromkeys(map(str, places)))


def _is_named(data_dir: Path | None) -> bool:
    """Return whether an option or the environment names the data, or there is no checkout that may have it."""
    named = data_dir is not None or os.environ.get("VSEARCH_DATA_DIR") or os.environ.get("DATABASE_URL")
    return bool(named) or not (PROGRAM_FOLDER / "pyproject.toml").is_file()


def env_file(folder: Path = Path()) -> dict[str, str]:
    """Return the settings in a folder's ``.env``."""
    return {name: value for name, value in dotenv_values(folder / ENV_FILE).items() if value is not None}


def _has_data(folder: Path) -> bool:
    return (folder / ENV_FILE).is_file() or (folder / DEFAULT_DATA_DIR / "vsearch.db").is_file()


def beside(folder: Path, settings: Settings) -> Settings:
    """Return settings whose relative paths are taken from a folder: the one that has the ``.env`` they are in."""
    values = {item.name: getattr(settings, item.name) for item in fields(settings)}
    paths: dict[str, Any] = {name: folder / value for name, value in values.items() if isinstance(value, Path)}
    url = settings.database_url or ""
    if url.startswith("sqlite:///") and not url.startswith("sqlite:////"):
        paths["database_url"] = f"sqlite:///{folder.absolute()}/{url.removeprefix('sqlite:///')}"
    return replace(settings, **paths)
