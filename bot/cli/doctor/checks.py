"""Check the machine: Python, settings, data directory, SQLite catalogue and picture formats."""

from __future__ import annotations

import io
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from PIL import Image

from bot.cli.doctor.result import CheckResult, CheckStatus
from bot.cli.terminal.exit_codes import ExitCode
from bot.config.settings import Settings
from bot.domain.errors import BotError, SettingsError
from bot.images.decode.normaliser import normalise
from bot.storage.sql import migration, postgres, sqlite

MIN_PYTHON = (3, 11)
TABLES = "Tables"
LOW_SPACE_GB = 1.0
MAKE_WRITABLE = "Make it writable, or choose another with VSEARCH_DATA_DIR or --data-dir."


def python(_settings: Settings) -> Iterator[CheckResult]:
    """Check that this Python is new enough."""
    version = ".".join(str(part) for part in sys.version_info[:3])
    if sys.version_info >= MIN_PYTHON:
        yield CheckResult("Python", CheckStatus.OK, version)
    else:
        yield CheckResult("Python", CheckStatus.WRONG, f"{version} is too old", "Install Python 3.11 or newer.")


def settings_of(read: Callable[[], Settings]) -> tuple[Settings, list[CheckResult]]:
    """Read the settings; on errors, return the defaults and a result for each problem."""
    try:
        return read(), [CheckResult("Settings", CheckStatus.OK, "all valid")]
    except SettingsError as error:
        remedy = "Correct it in the environment or in .env; .env.example explains each setting."
        return Settings(), [
            CheckResult("Settings", CheckStatus.WRONG, problem.removesuffix("."), remedy, ExitCode.SETTINGS)
            for problem in error.problems
        ]


def data_directory(settings: Settings) -> Iterator[CheckResult]:
    """Check that the data directory is writable and has at least 1 GB free."""
    folder = settings.data_dir
    # The doctor leaves no directory behind: the first command that needs one creates it.
    existing = next((one for one in (folder, *folder.absolute().parents) if one.exists()), folder)
    try:
        with tempfile.TemporaryFile(dir=existing) as probe:
            probe.write(b"vsearch")
    except OSError as error:
        yield CheckResult("Data directory", CheckStatus.WRONG, f"{folder}: {error.strerror or error}", MAKE_WRITABLE)
        return
    later = "" if existing == folder else "; the first command creates it"
    yield CheckResult("Data directory", CheckStatus.OK, f"{folder.absolute()}{later}")
    free = shutil.disk_usage(existing).free / 1e9
    enough = free >= LOW_SPACE_GB
    remedy = "" if enough else "Free some space, or move the data directory. An image takes about 0.1 MB."
    yield CheckResult("Disk space", CheckStatus.OK if enough else CheckStatus.WRONG, f"{free:,.1f} GB free", remedy)


def catalogue(settings: Settings) -> Iterator[CheckResult]:
    """Check, without changing it, that the SQLite file is intact and has the tables of this version."""
    if postgres.is_address(settings.database_url):
        return
    path = Path(str(sqlite.address(settings.data_dir, settings.database_url).database))
    if not path.exists():
        yield CheckResult("Catalogue", CheckStatus.OK, "none yet; the first command creates it")
        return
    restore = f"Stop vsearch and restore {path.name} from your backup, or start with another --data-dir."
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=10)
        try:
            verdict = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        finally:
            connection.close()
    except sqlite3.Error as error:
        # Reading needs to write too: SQLite's log of pending changes.
        is_locked_away = error.sqlite_errorname.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN"))
        remedy = MAKE_WRITABLE if is_locked_away else restore
        yield CheckResult("Catalogue", CheckStatus.WRONG, f"{path}: {error}", remedy)
        return
    if verdict != "ok":
        yield CheckResult("Catalogue", CheckStatus.WRONG, f"{path} is damaged: {verdict}", restore)
        return
    yield CheckResult("Catalogue", CheckStatus.OK, f"{path} is intact")
    yield revision_result(str(row[0]) if row else None)


def revision_result(revision: str | None) -> CheckResult:
    """Compare the revision of the tables (None: there are no tables) with this version's."""
    if revision is None:
        return CheckResult(TABLES, CheckStatus.NOTE, "none yet; the next command creates them")
    if revision == migration.HEAD:
        return CheckResult(TABLES, CheckStatus.OK, f"revision {revision}")
    if revision < migration.HEAD:
        return CheckResult(
            TABLES, CheckStatus.NOTE, f"revision {revision}; the next command upgrades them to {migration.HEAD}"
        )
    found = f"revision {revision} is newer than {migration.HEAD}, which this version of vsearch uses"
    return CheckResult(
        TABLES, CheckStatus.WRONG, found, "Install the newest version of vsearch; older versions can't read this data."
    )


def formats(_settings: Settings) -> Iterator[CheckResult]:
    """Check that a picture of each format can be decoded."""
    missing = []
    for name, encoder in PILLOW_NAMES.items():
        try:
            if name == "HEIC":
                import pillow_heif  # noqa: PLC0415 - this check must catch an ImportError

                pillow_heif.register_heif_opener()
            file = io.BytesIO()
            Image.new("RGB", (64, 48), (40, 90, 160)).save(file, encoder)
            normalise(file.getvalue())
        except (BotError, OSError, KeyError, ValueError, ImportError):
            missing.append(name)
    if missing:
        remedy = "Reinstall Pillow and pillow-heif from their wheels: pip install --force-reinstall pillow pillow-heif."
        yield CheckResult("Picture formats", CheckStatus.WRONG, f"can't read {', '.join(missing)}", remedy)
    else:
        yield CheckResult("Picture formats", CheckStatus.OK, ", ".join(PILLOW_NAMES))


PILLOW_NAMES = {
    "JPEG": "JPEG",
    "PNG": "PNG",
    "WebP": "WEBP",
    "GIF": "GIF",
    "AVIF": "AVIF",
    "BMP": "BMP",
    "TIFF": "TIFF",
    "HEIC": "HEIF",
}
