"""Opens the hosted search service."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bot.adapters.port import VisualSearch
from bot.adapters.showapi.additions import HostedImageAdder
from bot.adapters.showapi.engine import HostedSearch
from bot.adapters.showapi.http.client import ShowApiAccount, ShowApiClient
from bot.adapters.showapi.names import HostedNaming
from bot.adapters.showapi.orphans import HostedOrphans
from bot.adapters.showapi.pending_deletions import PendingDeletionWorker
from bot.app.back_ends.dependencies import BackendDependencies, media_links
from bot.media.relay import LinkPictureLender, NullPictureLender


@asynccontextmanager
async def open_hosted(dependencies: BackendDependencies) -> AsyncIterator[VisualSearch]:
    """Open the hosted service and start its pending deletions; close it on exit."""
    settings, storage = dependencies.settings, dependencies.storage
    links = await media_links(settings, storage)
    assert links is not None or dependencies.for_deletion
    assert settings.showapi_app_key is not None
    assert settings.showapi_ds_id is not None
    account = ShowApiAccount(
        settings.showapi_base_url, settings.showapi_app_key, settings.showapi_ds_id, settings.showapi_calls_per_s
    )
    service = ShowApiClient(account, metrics=dependencies.metrics)
    lender = (
        NullPictureLender() if links is None else LinkPictureLender(storage.relayed, links, dependencies.normaliser.run)
    )
    naming = HostedNaming(await storage.keyring.key("hosted names"))
    deletions = PendingDeletionWorker(service, storage.pending_deletions, lender)
    try:
        async with deletions.running():
            yield HostedSearch(
                service,
                storage.ledger,
                lender,
                adder=HostedImageAdder(service, storage.ledger, lender),
                deletions=deletions,
                orphans=HostedOrphans(service, storage.pending_deletions, naming),
                naming=naming,
                shared=settings.showapi_shared_database,
            )
    finally:
        await service.close()
