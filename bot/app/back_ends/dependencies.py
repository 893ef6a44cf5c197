"""What every search back end is opened with, and builders that several of them share."""

from __future__ import annotations

import os
from dataclasses import dataclass

from bot.config.settings import Settings
from bot.images.decode.normaliser import Normaliser, PictureLimits
from bot.media.links import MediaLinks
from bot.storage.sql_storage import SqlStorage
from bot.telemetry.metrics import Metrics

MEGA = 1_000_000


@dataclass(frozen=True, slots=True)
class BackendDependencies:
    """What a search back end is opened with."""

    settings: Settings
    storage: SqlStorage
    normaliser: Normaliser
    metrics: Metrics
    for_deletion: bool = False
    """The back end is only emptied, so it need not fetch pictures from us."""


def new_normaliser(settings: Settings) -> Normaliser:
    """Return a decoder of pictures with the limits in the settings."""
    limits = PictureLimits(settings.max_image_mb * MEGA, settings.max_image_megapixels * MEGA)
    return Normaliser(limits, threads=threads_of(settings))


async def media_links(settings: Settings, storage: SqlStorage) -> MediaLinks | None:
    """Return the maker of signed picture links; None without PUBLIC_BASE_URL. Raises SettingsError if it is invalid."""
    if settings.public_base_url is None:
        return None
    return MediaLinks(settings.public_base_url, await storage.keyring.key("media"), settings.media_ttl_s)


def threads_of(settings: Settings) -> int:
    """Return the number of threads for decoding pictures; the model uses as many."""
    if settings.threads:
        return settings.threads
    # A container may have fewer cores than the machine. Only Linux reports them, by the affinity mask.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
