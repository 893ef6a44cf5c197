"""Fit the scores of databases to their own pictures as they grow."""

from __future__ import annotations

import logging

from bot.adapters.port import SelfCalibrating, VisualSearch
from bot.domain.errors import BotError
from bot.domain.identifiers import DatabaseKey
from bot.storage.ports.catalogue import Catalogue

log = logging.getLogger(__name__)


async def calibrate_if_doubled(visual: VisualSearch, key: DatabaseKey) -> bool:
    """Let a database calibrate itself if it has doubled since it did. Returns whether it has.

    Back ends with scores of their own do nothing. Raises UnknownDatabase, ModelMismatch and BackendError.
    """
    if not isinstance(visual, SelfCalibrating):
        return False
    images = await visual.self_calibrate(key)
    if images is None:
        return False
    log.info("fitted the scores of %s/%s to its %d images", key.workspace, key.name, images)
    return True


async def calibrate_all(visual: VisualSearch, catalogue: Catalogue) -> None:
    """Let every database calibrate itself that has doubled since. One that fails doesn't stop the others."""
    for workspace in await catalogue.workspaces():
        for info in await catalogue.databases(workspace):
            try:
                await calibrate_if_doubled(visual, info.key)
            except BotError as error:
                # It was deleted meanwhile, or waits for a reindex.
                log.info("can't fit the scores of %s/%s: %s", info.key.workspace, info.key.name, error)
