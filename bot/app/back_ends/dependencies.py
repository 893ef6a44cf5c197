"""What back ends are made of."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.telemetry.metrics import Metrics

# What needs the numeric libraries is imported where it is made: `vsearch --help` does not wait for them.
if TYPE_CHECKING:
    from bot.adapters.embedded.model.embedding import EmbeddingModel
    from bot.config.settings import Settings
    from bot.images.decode.normaliser import Normaliser
    from bot.media.links import MediaLinks
    from bot.storage.sql_storage import SqlStorage


MEGA = 1_000_000


@dataclass(frozen=True, slots=True)
class BackendDependencies:
    """What back ends are made of."""

    settings: Settings
    storage: SqlStorage
    normaliser: Normaliser
    metrics: Metrics
    for_deletion: bool = False
    """The back end is only to be emptied, so that nothing has to be fetched from us."""


def new_normaliser(settings: Settings) -> Normaliser:
    """What verifies pictures, within the limits that are set."""
    from bot.images.decode.normaliser import Normaliser, PictureLimits  # noqa: PLC0415

    limits = PictureLimits(settings.max_image_mb * MEGA, settings.max_image_megapixels * MEGA)
    return Normaliser(limits, threads=threads_of(settings))


async def media_links(settings: Settings, storage: SqlStorage) -> MediaLinks | None:
    """Links to pictures of ours, if the outside reaches us. Raises SettingsError for an address that can't be one."""
    from bot.media.links import MediaLinks  # noqa: PLC0415

    if settings.public_base_url is None:
        return None
    return MediaLinks(settings.public_base_url, await storage.keyring.key("media"), settings.media_ttl_s)


def load_model(settings: Settings) -> EmbeddingModel:
    """The built-in model, or the operator's, whose name is known once it is loaded. Raises SettingsError."""
    from bot.adapters.embedded.model.embedding import BuiltInModel, CustomModel, CustomModelOptions, LazyModel  # noqa: PLC0415

    if settings.model_path is None:
        return BuiltInModel() if settings.runs_jobs else LazyModel()
    return CustomModel(
        CustomModelOptions(settings.model_path, settings.model_size, settings.model_mean, settings.model_std)
    )


def threads_of(settings: Settings) -> int:
    """Threads for pictures, and as many for the model."""
    if settings.threads:
        return settings.threads
    # A container may be given fewer cores than the machine has; only Linux says so.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
