"""Add images shared in a collect channel to its database, exactly once."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bot.domain.catalogue import ImageRecord, SlackOrigin
from bot.domain.errors import BotError
from bot.domain.identifiers import DatabaseKey
from bot.services.images.addition import AddService
from bot.services.images.new_image import NewImage
from bot.storage.ports.storage import Storage


class FileWithdrawn(BotError):
    """The file was deleted in Slack while it was being added. Nothing of it was stored."""


@dataclass(frozen=True, slots=True, eq=False)
class SharedImage:
    """An image from a share, with the id of its inbox job and its origin.

    ``link``: what the inbox calls the image if it is no file, but a link in the message.
    """

    image: NewImage
    origin: SlackOrigin
    job: int
    link: str = ""


class CollectService:
    """Adds shared images. Running a job again adds nothing twice."""

    def __init__(self, additions: AddService, storage: Storage) -> None:
        self._additions = additions
        self._storage = storage

    async def collect(self, key: DatabaseKey, shared: SharedImage) -> ImageRecord:
        """Add the image.

        Raises AlreadyAdded if the database has the picture, whose image then has this origin too. Raises FileWithdrawn,
        UnknownDatabase and BackendError.
        """
        image = replace(shared.image, origin=shared.origin)

        async def confirm() -> None:
            # While this transaction holds the write lock, a concurrent deletion is either visible here or runs after
            # the commit and finds the origin.
            file = shared.link or shared.origin.file_id
            if not await self._storage.inbox.is_wanted(shared.job, file):
                raise FileWithdrawn(file)

        [outcome] = await self._additions.add_all(key, [image], confirm)
        if isinstance(outcome, ImageRecord):
            return outcome
        existing = await self._storage.catalogue.with_digest(key, image.picture.digest)
        if existing is not None and existing.origin is not None and existing.origin.place == shared.origin.place:
            # An earlier attempt of this job added the image and crashed before it finished.
            return existing
        raise outcome

    async def find(self, key: DatabaseKey, shared: SharedImage) -> ImageRecord | None:
        """Return the image of the same picture. Raises UnknownDatabase."""
        return await self._storage.catalogue.with_digest(key, shared.image.picture.digest)
