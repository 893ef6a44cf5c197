"""Whether the embedding model is there, unchanged and exact, and whether databases hold its embeddings."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from bot.adapters.embedded.model.embedding import BUILT_IN_ID
from bot.app.back_ends.dependencies import load_model
from bot.app.storage import open_storage
from bot.cli.doctor.result import CheckResult, CheckStatus
from bot.cli.terminal.exit_codes import ExitCode
from bot.cli.terminal.output import counted
from bot.config.settings import Settings
from bot.domain.errors import BackendError, SettingsError
from bot.domain.identifiers import API_WORKSPACE_PREFIX, DatabaseKey

SHOWN = 10


def model(settings: Settings) -> Iterator[CheckResult]:
    """Whether the built-in model is the one that was shipped and computes its numbers, or the own one can be used."""
    own = settings.model_path
    try:
        loaded = load_model(settings)
    except OSError as error:
        yield CheckResult(
            "Model", CheckStatus.WRONG, f"the file can't be read: {error.strerror}", "Install vsearch again."
        )
    except SettingsError as error:
        remedy = "Check the VSEARCH_MODEL_… settings." if own else "Install vsearch again."
        code = ExitCode.SETTINGS if own else ExitCode.FAILED
        yield CheckResult("Model", CheckStatus.WRONG, "; ".join(error.problems).rstrip("."), remedy, code)
    else:
        name = own.name if own else "built in, and as it was shipped"
        yield CheckResult(
            "Model", CheckStatus.OK, f"{name}; {loaded.dimensions:,} numbers a picture; id {loaded.model_id}"
        )
        if not own:
            yield _exactness(loaded.model_id)


def _exactness(model_id: str) -> CheckResult:
    if model_id == BUILT_IN_ID:
        return CheckResult(
            "Arithmetic", CheckStatus.OK, "exact: this processor computes the numbers that the model was shipped with"
        )
    return CheckResult(
        "Arithmetic",
        CheckStatus.WRONG,
        "this processor computes other numbers than those that the model was shipped with",
        "Run vsearch on another machine, or, if it is the only one, run “vsearch reindex --all” here.",
    )


def embeddings(settings: Settings) -> Iterator[CheckResult]:
    """Whether each database holds the embeddings of the model in use; for tables that are of this version."""
    if settings.backend == "showapi":
        return
    try:
        indexed = asyncio.run(_indexed(settings))
    except BackendError:
        return  # the check of the databases says so
    if not indexed:
        return
    try:
        model_id = load_model(settings).model_id
    except (OSError, SettingsError):
        return  # the check of the model says so
    stale = [key for key, known in indexed if known != model_id]
    if not stale:
        yield CheckResult(
            "Embeddings", CheckStatus.OK, f"all {len(indexed)} databases were indexed by the model in use"
        )
    for kind, remedy in (
        ([key for key in stale if not key.workspace.startswith(API_WORKSPACE_PREFIX)], "Run “vsearch reindex --all”."),
        (
            [key for key in stale if key.workspace.startswith(API_WORKSPACE_PREFIX)],
            "The API keeps no pictures to index again: delete those databases there, and add their images again.",
        ),
    ):
        if kind:
            found = f"{counted(len(kind), 'database')} indexed by another model or version of vsearch: {_listed(kind)}"
            yield CheckResult("Embeddings", CheckStatus.WRONG, found, remedy)


def _listed(keys: list[DatabaseKey]) -> str:
    return ", ".join(f"{key.name} of {key.workspace}" for key in keys[:SHOWN]) + (", …" if len(keys) > SHOWN else "")


async def _indexed(settings: Settings) -> list[tuple[DatabaseKey, str]]:
    """Each database that has embeddings, and the model that made them."""
    storage = await open_storage(settings)
    try:
        return await storage.vectors.read(lambda rows: rows.models())
    finally:
        await storage.close()
