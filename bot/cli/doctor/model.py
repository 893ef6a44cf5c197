"""Check the embedding model: that it loads, computes exactly, and has embedded every database."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from bot.adapters.embedded.model.embedding import BUILT_IN_ID
from bot.app.back_ends.embedded import load_model
from bot.app.storage import open_storage
from bot.cli.doctor.result import CheckResult, CheckStatus
from bot.cli.terminal.exit_codes import ExitCode
from bot.cli.terminal.output import counted
from bot.config.settings import Settings
from bot.domain.errors import BackendError, SettingsError
from bot.domain.identifiers import API_WORKSPACE_PREFIX, DatabaseKey

MAX_SHOWN = 10


def model(settings: Settings) -> Iterator[CheckResult]:
    """Check that the model of VSEARCH_MODEL_PATH loads, or that the built-in one is unchanged and exact."""
    custom = settings.model_path
    try:
        loaded = load_model(settings)
    except OSError as error:
        yield CheckResult(
            "Model", CheckStatus.WRONG, f"the file can't be read: {error.strerror}", "Install vsearch again."
        )
    except SettingsError as error:
        remedy = "Check the VSEARCH_MODEL_… settings." if custom else "Install vsearch again."
        code = ExitCode.SETTINGS if custom else ExitCode.FAILED
        yield CheckResult("Model", CheckStatus.WRONG, "; ".join(error.problems).rstrip("."), remedy, code)
    else:
        name = custom.name if custom else "built in, unchanged"
        yield CheckResult("Model", CheckStatus.OK, f"{name}; {loaded.dimensions:,} dimensions; id {loaded.model_id}")
        if not custom:
            yield _exactness(loaded.model_id)


def _exactness(model_id: str) -> CheckResult:
    if model_id == BUILT_IN_ID:
        return CheckResult("Arithmetic", CheckStatus.OK, "exact: this processor computes the reference embeddings")
    return CheckResult(
        "Arithmetic",
        CheckStatus.WRONG,
        "this processor computes other embeddings than the reference",
        "Run vsearch on another machine. If this is your only one, run “vsearch reindex --all”.",
    )


def embeddings(settings: Settings) -> Iterator[CheckResult]:
    """Check that the model in use embedded every database. Call it only for tables of this version."""
    if settings.backend == "showapi":
        return
    try:
        indexed = asyncio.run(_indexed(settings))
    except BackendError:
        return  # missing_databases reports it
    if not indexed:
        return
    try:
        model_id = load_model(settings).model_id
    except (OSError, SettingsError):
        return  # model reports it
    stale = [key for key, known in indexed if known != model_id]
    if not stale:
        yield CheckResult("Embeddings", CheckStatus.OK, f"all {len(indexed)} databases use this model")
    for kind, remedy in (
        ([key for key in stale if not key.workspace.startswith(API_WORKSPACE_PREFIX)], "Run “vsearch reindex --all”."),
        (
            [key for key in stale if key.workspace.startswith(API_WORKSPACE_PREFIX)],
            "The API stores no pictures to reindex. Delete these databases through the API and add their images again.",
        ),
    ):
        if kind:
            found = (
                f"{counted(len(kind), 'database')} indexed with another model or version of vsearch: {_listed(kind)}"
            )
            yield CheckResult("Embeddings", CheckStatus.WRONG, found, remedy)


def _listed(keys: list[DatabaseKey]) -> str:
    return ", ".join(f"{key.name} of {key.workspace}" for key in keys[:MAX_SHOWN]) + (
        ", …" if len(keys) > MAX_SHOWN else ""
    )


async def _indexed(settings: Settings) -> list[tuple[DatabaseKey, str]]:
    """Return each database that has embeddings, with the id of the model that computed them."""
    storage = await open_storage(settings)
    try:
        return await storage.vectors.read(lambda rows: rows.models())
    finally:
        await storage.close()
