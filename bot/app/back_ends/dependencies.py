"""What every search back end is opened with, and builders that several of them share."""

from __future__ import annotations

import os
from dataclasses import dataclass

from bot.config.settings import Settings
from bot.images.decode.normaliser import Normaliser, PictureLimits
from bot.images.memory import DownloadMemory
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
    limits = PictureLimits(
        settings.max_image_mb * MEGA, settings.max_image_megapixels * MEGA, stored_side=settings.stored_image_side
    )
    memory = settings.image_memory_mb * MEGA - _for_files(settings)
    return Normaliser(limits, threads=threads_of(settings), memory=memory)


def new_download_memory(settings: Settings) -> DownloadMemory:
    """Return the memory for downloaded files with the limits in the settings."""
    return DownloadMemory(_for_files(settings), settings.max_image_mb * MEGA)


def _for_files(settings: Settings) -> int:
    """Return the part of VSEARCH_IMAGE_MEMORY_MB that holds files, in bytes; decoders have the rest."""
    # Room for two, so that a slow download doesn't stop the others.
    return max(2 * settings.max_image_mb * MEGA, settings.image_memory_mb * MEGA // 5)


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
