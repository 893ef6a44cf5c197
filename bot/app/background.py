"""Background tasks of a server: the job worker, maintenance and pending removals."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

from bot.app.services import Services
from bot.config.settings import Settings
from bot.domain.errors import BackendError, RetryLater
from bot.services.job_worker import JobWorker
from bot.services.maintenance.periodic_cleanup import CleanUp, PeriodicMaintenance
from bot.services.maintenance.removal_worker import RemovalWorker, RemoveUploads, no_uploads
from bot.services.maintenance.score_calibration import calibrate_all
from bot.storage.ports.storage import Storage
from bot.telemetry.supervision import Run, supervised

if TYPE_CHECKING:
    # The API server runs removals too, and loads nothing of Slack's.
    from handlers.history.catch_up import SeenEvents
    from handlers.replies.uploads import ThumbnailUploads
    from handlers.slack.clients import Clients

log = logging.getLogger(__name__)

DRAIN_TIMEOUT_S = 14
"""Time to finish jobs in progress. Platforms such as Heroku kill a process 30 seconds after SIGTERM."""


@asynccontextmanager
async def running_jobs(
    services: Services, worker: JobWorker, clients: Clients, uploads: ThumbnailUploads, more: tuple[Run, Run]
) -> AsyncIterator[None]:
    """Run the worker, maintenance, pending removals and more until the context exits.

    ``more`` deletes originals that moderators forgot, and imports histories of channels.
    """
    delete_originals, read_histories = more
    maintenance = PeriodicMaintenance(
        services.removal,
        services.storage.inbox,
        services.settings.retention_days,
        clean_up=_upload_sweep(services, clients, uploads),
        calibrate=partial(calibrate_all, services.visual, services.storage.catalogue),
    )
    async with (
        _running_worker(worker),
        supervised("maintenance", maintenance.run),
        running_removals(services, _upload_removal(services, clients, uploads)),
        supervised("text reading", services.text_reading.run),
        supervised("points of pictures", services.points.run),
        supervised("deletions of originals", delete_originals),
        supervised("histories of channels", read_histories),
    ):
        yield


@asynccontextmanager
async def caught_up(settings: Settings, storage: Storage, seen: SeenEvents) -> AsyncIterator[None]:
    """Begin to read what was missed, and note the times of events until the context exits."""
    from handlers.history.catch_up import CatchUp  # noqa: PLC0415 - the API server loads nothing of Slack's

    try:
        await CatchUp(storage, settings.catch_up_hours, settings.catch_up_messages).begin()
    except BackendError as error:
        log.warning("what was posted before this start is not read: %s", error)
    async with supervised("times of events", seen.run):
        try:
            yield
        finally:
            with contextlib.suppress(BackendError):
                await seen.write()


@asynccontextmanager
async def running_removals(services: Services, remove_uploads: RemoveUploads = no_uploads) -> AsyncIterator[None]:
    """Make pending removals until the context exits. What is left continues at the next start."""
    worker = RemovalWorker(services.storage, remove_uploads, services.storage.api_images.forget_deleted_databases)
    async with supervised("pending removals", worker.run):
        yield


@asynccontextmanager
async def _running_worker(worker: JobWorker) -> AsyncIterator[None]:
    """Run jobs until the context exits, then finish those in progress."""
    async with supervised("worker", worker.run):
        try:
            yield
        finally:
            if unfinished := await worker.stop(DRAIN_TIMEOUT_S):
                log.warning("stopped with %d jobs unfinished; they continue at the next start", unfinished)


def _upload_removal(services: Services, clients: Clients, uploads: ThumbnailUploads) -> RemoveUploads:
    """Return a function that deletes due uploads from Slack."""
    storage = services.storage

    async def remove() -> None:
        due = await storage.thumbnails.workspaces_with_removals()
        connected = dict(await storage.catalogue.connected()) if due else {}
        for workspace in due:
            with contextlib.suppress(RetryLater):
                client = await clients.client(workspace, connected.get(workspace, ""))
                if client is not None:
                    await uploads.work_off(workspace, client)
                elif workspace not in connected and (left := await storage.thumbnails.abandon(workspace)):
                    log.warning("%d uploaded pictures stay in Slack, because the token of %s is gone", left, workspace)

    return remove


def _upload_sweep(services: Services, clients: Clients, uploads: ThumbnailUploads) -> CleanUp:
    """Return a function that deletes unused uploads from Slack, and pictures that were shown for some minutes."""

    async def sweep() -> None:
        await services.storage.relayed.purge()
        await services.usage.purge()
        failures: list[Exception] = []
        for workspace, enterprise in await services.storage.catalogue.connected():
            try:
                with contextlib.suppress(RetryLater):
                    if client := await clients.client(workspace, enterprise):
                        await uploads.sweep(workspace, client)
            except Exception as error:  # noqa: BLE001 - the other workspaces are swept first
                failures.append(error)
        if failures:
            raise failures[0]

    return sweep
