"""Add images shared in a collect channel to its database, exactly once."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bot.domain.catalogue import ImageRecord, SlackOrigin
from bot.domain.errors import AlreadyAdded, BotError
from bot.domain.identifiers import DatabaseKey
from bot.services.images.addition import AddService, NewImage
from bot.storage.ports.storage import Storage


class FileWithdrawn(BotError):
    """The file was deleted in Slack while it was being added. Nothing of it was stored."""


@dataclass(frozen=True, slots=True, eq=False)
class SharedImage:
    """An image from a share, with the id of its inbox job and its origin."""

    image: NewImage
    origin: SlackOrigin
    job: int


class CollectService:
    """Adds shared images. Running a job again adds nothing twice."""

    def __init__(self, additions: AddService, storage: Storage) -> None:
        self._additions = additions
        self._storage = storage

    async def collect(self, key: DatabaseKey, shared: SharedImage) -> ImageRecord:
        """Add the image. Raises AlreadyAdded, FileWithdrawn, UnknownDatabase and BackendError."""
        image = replace(shared.image, origin=shared.origin)
        try:
            async with self._storage.unit():
                [outcome] = await self._additions.add_all(key, [image])
                # Check last, while this transaction holds the write lock: a concurrent deletion is either visible here
                # or runs after the commit and finds the image.
                if not await self._storage.inbox.is_wanted(shared.job, shared.origin.file_id):
                    raise FileWithdrawn(shared.origin.file_id)
        except AlreadyAdded as error:
            outcome = error
        except BotError:
            await self._storage.pictures.discard_unused([image.picture.digest])
            raise
        if isinstance(outcome, ImageRecord):
            return outcome
        existing = await self._storage.catalogue.with_digest(key, image.picture.digest)
        if existing is not None and _is_same_share(existing, shared.origin):
            # An earlier attempt of this job added the image and crashed before it finished.
            return existing
        raise outcome


def _is_same_share(record: ImageRecord, origin: SlackOrigin) -> bool:
    known = record.origin
    return known is not None and (known.file_id, known.message_ts) == (origin.file_id, origin.message_ts)
