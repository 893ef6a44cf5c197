"""Check the embedding model: that it loads, computes exactly, and has embedded every database; and the text reader."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from bot.adapters.embedded.calibration.stored import describe
from bot.adapters.embedded.model.embedding import BUILT_IN_ID
from bot.app.back_ends.embedded import load_model
from bot.cli.doctor.result import CheckResult, CheckStatus
from bot.cli.session import SharedStorage
from bot.cli.terminal.exit_codes import ExitCode
from bot.cli.terminal.output import counted
from bot.config.settings import Settings
from bot.domain.errors import BackendError, SettingsError
from bot.domain.identifiers import API_WORKSPACE_PREFIX, DatabaseKey
from bot.domain.texts import TextCounts
from bot.images.text.rapid_ocr import is_installed
from bot.storage.sql_storage import SqlStorage

MAX_SHOWN = 10

TEXTS = "Text in pictures"


def model(settings: Settings, shared: SharedStorage, *, has_tables: bool) -> Iterator[CheckResult]:
    """Check that the model loads, and that it has embedded every database.

    ``has_tables``: the tables are of this version, so that opening the storage changes nothing.
    """
    custom = settings.model_path
    try:
        loaded = load_model(settings)
    except OSError as error:
        yield CheckResult(
            "Model", CheckStatus.WRONG, f"the file can't be read: {error.strerror}", "Install vsearch again."
        )
        return
    except SettingsError as error:
        remedy = "Check the VSEARCH_MODEL_… settings." if custom else "Install vsearch again."
        code = ExitCode.SETTINGS if custom else ExitCode.FAILED
        yield CheckResult("Model", CheckStatus.WRONG, "; ".join(error.problems).rstrip("."), remedy, code)
        return
    name = custom.name if custom else "built in, unchanged"
    yield CheckResult("Model", CheckStatus.OK, f"{name}; {loaded.dimensions:,} dimensions; id {loaded.model_id}")
    if not custom:
        yield _exactness(loaded.model_id)
    if has_tables and settings.backend != "showapi":
        yield from embeddings(shared, loaded.model_id)
        yield from scores(shared)


def _exactness(model_id: str) -> CheckResult:
    if model_id == BUILT_IN_ID:
        return CheckResult("Arithmetic", CheckStatus.OK, "exact: this processor computes the reference embedding")
    return CheckResult(
        "Arithmetic",
        CheckStatus.WRONG,
        "this processor computes other embeddings than the reference",
        "Run vsearch on another machine. If this is your only one, run “vsearch reindex --all”.",
    )


def embeddings(shared: SharedStorage, model_id: str) -> Iterator[CheckResult]:
    """Check that this model embedded every database."""
    try:
        indexed = shared.run(_indexed)
        lacking = shared.run(lambda storage: storage.vectors.read(lambda rows: rows.lacking_points(model_id)))
    except BackendError:
        return  # missing_databases reports it
    stale = [key for key, known in indexed if known != model_id]
    if indexed and not stale:
        yield CheckResult("Embeddings", CheckStatus.OK, f"current in {counted(len(indexed), 'database')}")
    of_the_api = [key for key in stale if key.workspace.startswith(API_WORKSPACE_PREFIX)]
    if with_pictures := [key for key in stale if key not in of_the_api]:
        yield _stale(with_pictures, "Run “vsearch reindex --all”.")
    if of_the_api:
        yield _stale(
            of_the_api,
            "The API stores no pictures to reindex. Delete these databases through the API and add their images again.",
        )
    if old := [key for key in lacking if not key.workspace.startswith(API_WORKSPACE_PREFIX)]:
        found = f"{counted(len(old), 'database')} indexed before items were recognised in other photos: {_listed(old)}"
        yield CheckResult("Items", CheckStatus.NOTE, found, "Run “vsearch reindex --all”.")


def scores(shared: SharedStorage) -> Iterator[CheckResult]:
    """Say how many databases have fitted their scores to their own pictures."""
    try:
        stored = shared.run(_calibrations)
    except BackendError:
        return  # missing_databases reports it
    if stored:
        counts = Counter(describe(text).partition(" at ")[0] for _, text in stored)
        found = ", ".join(f"{count:,} {words}" for words, count in sorted(counts.items()))
        yield CheckResult("Scores", CheckStatus.OK, f"of {counted(len(stored), 'database')}: {found}")


async def _calibrations(storage: SqlStorage) -> list[tuple[DatabaseKey, str | None]]:
    return await storage.vectors.read(lambda rows: rows.calibrations())


def _stale(keys: list[DatabaseKey], remedy: str) -> CheckResult:
    found = f"{counted(len(keys), 'database')} indexed with another model or version of vsearch: {_listed(keys)}"
    return CheckResult("Embeddings", CheckStatus.WRONG, found, remedy)


def _listed(keys: list[DatabaseKey]) -> str:
    return ", ".join(f"{key.name} of {key.workspace}" for key in keys[:MAX_SHOWN]) + (
        ", …" if len(keys) > MAX_SHOWN else ""
    )


async def _indexed(storage: SqlStorage) -> list[tuple[DatabaseKey, str]]:
    """Return each database that has embeddings, with the id of the model that computed them."""
    return await storage.vectors.read(lambda rows: rows.models())


def texts(settings: Settings, shared: SharedStorage) -> Iterator[CheckResult]:
    """Report how far the reading is. Call it only for tables of this version."""
    if settings.read_text == "off":
        yield CheckResult(TEXTS, CheckStatus.NOTE, "not read, because VSEARCH_READ_TEXT is off")
        return
    if not is_installed():
        yield CheckResult(TEXTS, CheckStatus.NOTE, "not read, because the package rapidocr is not installed")
        return
    try:
        counts = shared.run(_text_counts)
    except BackendError:
        return  # missing_databases reports it
    found = f"{counts.read:,} of {counts.images:,} read"
    if counts.unreadable:
        found += f", {counts.unreadable:,} can't be read"
    if counts.waiting:
        found += "; the running bot reads the others, or “vsearch read-text”"
    yield CheckResult(TEXTS, CheckStatus.NOTE if counts.waiting else CheckStatus.OK, found)


async def _text_counts(storage: SqlStorage) -> TextCounts:
    return await storage.texts.counts()
