"""Add images shared in a collect channel to its database, exactly once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bot.domain.catalogue import ImageRecord, SlackOrigin
from bot.domain.errors import BotError
from bot.domain.identifiers import DatabaseKey
from bot.services.images.addition import AddService
from bot.services.images.new_image import NewImage
from bot.storage.ports.storage import Storage

PAST = 0
"""Stands for the job of a past message."""


class FileWithdrawn(BotError):
    """The file was deleted in Slack while it was being added. Nothing of it was stored."""


@dataclass(frozen=True, slots=True, eq=False)
class SharedImage:
    """An image from a share, with the id of its inbox job and its origin.

    ``job`` is PAST for a message that the channel's history has: no job brought it. ``link``: what the inbox calls the
    image if it is no file, but a link in the message.
    """

    image: NewImage
    origin: SlackOrigin
    job: int
    link: str = ""

    @property
    def file(self) -> str:
        """What the inbox calls the image."""
        return self.link or self.origin.file_id


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
            await self._check_wanted(key, shared)

        [outcome] = await self._additions.add_all(key, [image], confirm)
        if isinstance(outcome, ImageRecord):
            return outcome
        existing = await self._storage.catalogue.with_digest(key, image.picture.digest)
        if existing is not None and existing.origin is not None and existing.origin.place == shared.origin.place:
            # An earlier attempt of this job added the image and crashed before it finished.
            return existing
        raise outcome

    async def prepare(self, key: DatabaseKey, batch: Sequence[SharedImage]) -> None:
        """Compute what ``collect_past`` needs of images, while it adds others. Raises BackendError."""
        await self._additions.prepare(key, [one.image.picture for one in batch])

    async def collect_past(self, key: DatabaseKey, batch: Sequence[SharedImage]) -> list[bool]:
        """Add past images, oldest first, and return for each whether it was there from the same message.

        They are added in one transaction, or in several if one of them was deleted. That one counts as there.
        Raises UnknownDatabase and BackendError.
        """
        known = set(await self._storage.catalogue.known_pictures(key, [one.image.picture.digest for one in batch]))
        there = [one.image.picture.digest in known and await self._is_there(key, one) for one in batch]
        left = [one for one, is_there in zip(batch, there, strict=True) if not is_there]

        async def confirm() -> None:
            places = [(one.file, one.origin.channel, one.origin.message_ts) for one in left]
            if await self._storage.inbox.any_deleted(key.workspace, places):
                raise FileWithdrawn("a file of the batch")

        try:
            if left:
                await self._additions.add_all(key, [replace(one.image, origin=one.origin) for one in left], confirm)
        except FileWithdrawn:
            if len(left) == 1:
                return [True] * len(batch)
            return [outcome for one in batch for outcome in await self.collect_past(key, [one])]
        return there

    async def _is_there(self, key: DatabaseKey, shared: SharedImage) -> bool:
        existing = await self.find(key, shared)
        return existing is not None and any(
            origin.slack is not None and origin.slack.place == shared.origin.place for origin in existing.origins
        )

    async def _check_wanted(self, key: DatabaseKey, shared: SharedImage) -> None:
        file, origin = shared.file, shared.origin
        wanted = (
            not await self._storage.inbox.is_deleted(key.workspace, file, origin.channel, origin.message_ts)
            if shared.job == PAST
            else await self._storage.inbox.is_wanted(shared.job, file)
        )
        if not wanted:
            raise FileWithdrawn(file)

    async def find(self, key: DatabaseKey, shared: SharedImage) -> ImageRecord | None:
        """Return the image of the same picture. Raises UnknownDatabase."""
        return await self._storage.catalogue.with_digest(key, shared.image.picture.digest)
