"""Add images shared in a collect channel to its database, each share once."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bot.domain.catalogue import ImageRecord, SlackOrigin
from bot.domain.errors import AlreadyAdded, BotError
from bot.domain.identifiers import DatabaseKey
from bot.services.images.addition import AddService, NewImage
from bot.storage.ports.storage import Storage


class Withdrawn(BotError):
    """The file was deleted in Slack while it was being added; nothing was kept of it."""


@dataclass(frozen=True, slots=True, eq=False)
class SharedImage:
    """A picture of a share: what is to be kept, and the job and file that it comes from."""

    image: NewImage
    origin: SlackOrigin
    job: int


class CollectService:
    """One use case: keep shared images, exactly once however often their job is run."""

    def __init__(self, adding: AddService, storage: Storage) -> None:
        self._adding = adding
        self._storage = storage

    async def collect(self, key: DatabaseKey, shared: SharedImage) -> ImageRecord:
        """Add the image. Raises AlreadyAdded, Withdrawn, UnknownDatabase and BackendError."""
        image = replace(shared.image, origin=shared.origin)
        try:
            async with self._storage.unit():
                [outcome] = await self._adding.add_all(key, [image])
                # Asked last, with the write lock held: a deletion is either seen here, or finds the image afterwards.
                if not await self._storage.inbox.is_wanted(shared.job, shared.origin.file_id):
                    raise Withdrawn(shared.origin.file_id)
        except AlreadyAdded as error:
            outcome = error
        except BotError:
            await self._storage.pictures.discard_unused([image.picture.digest])
            raise
        if isinstance(outcome, ImageRecord):
            return outcome
        there = await self._storage.catalogue.with_digest(key, image.picture.digest)
        if there is not None and _is_same_share(there, shared.origin):
            # An earlier attempt of this job added it, and died before it could say so.
            return there
        raise outcome


def _is_same_share(record: ImageRecord, origin: SlackOrigin) -> bool:
    known = record.origin
    return known is not None and (known.file_id, known.message_ts) == (origin.file_id, origin.message_ts)
