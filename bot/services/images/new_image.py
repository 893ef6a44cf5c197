"""Images to add, and the outcomes of adding them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from bot.domain.catalogue import ImageRecord, Origin, OriginSource, SlackOrigin
from bot.domain.errors import AlreadyAdded, UserError
from bot.domain.identifiers import EntityId, Note
from bot.domain.pictures import Picture

NO_NAME = EntityId("image")
"""The id that an exported origin gave, if that is unknown."""


@dataclass(frozen=True, slots=True, eq=False)
class NewImage:
    """A picture to add, its metadata, and the JPEG to store (``jpeg``).

    ``note``, ``added_by``, ``origin`` and ``source_name`` belong to the origin that this add brings. ``imported``: it
    was read from the operator's folder or table.
    """

    picture: Picture
    jpeg: bytes
    entity: EntityId
    note: Note
    added_by: str = ""
    origin: SlackOrigin | None = None
    source_name: str = ""
    imported: bool = False
    exported: tuple[Origin, ...] = ()
    """The origins that the image had when it was exported. If there are any, the import is an origin at each place."""
    named_automatically: bool = False
    """Whether the id was made from the file's name."""
    posted: bool = False
    """Whether ``added_by`` posted the message of ``origin``."""
    written: EntityId | None = None
    """The id as it was typed, if the database writes it otherwise. The spelling may be that of a hidden image."""

    def origins_at(self, moment: datetime) -> tuple[Origin, ...]:
        """Return the origins that this add brings, oldest first."""
        named = self.named_automatically
        own = Origin(
            self._source,
            moment,
            self.added_by,
            self.note,
            self.source_name,
            self.origin,
            self.entity if self.written is None or not self.entity.is_same(self.written) else self.written,
            named_automatically=named,
            posted=self.posted,
        )
        oldest_first = sorted(self.exported, key=lambda origin: origin.added_at)
        # Exports of earlier versions don't say which id an origin gave. The oldest gave the one that the image has.
        unknown = ((self.entity, named), *[(NO_NAME, True)] * len(oldest_first))
        return tuple(
            replace(origin, imported=True)
            if origin.entity
            else replace(origin, imported=True, entity=entity, named_automatically=automatic)
            for origin, (entity, automatic) in zip(oldest_first, unknown, strict=False)
        ) or (own,)

    @property
    def _source(self) -> OriginSource:
        if self.origin is not None:
            if not self.origin.file_id:
                return OriginSource.URL
            return OriginSource.MESSAGE if self.origin.message_ts else OriginSource.FORM
        if self.added_by:
            return OriginSource.URL
        return OriginSource.IMPORT if self.imported else OriginSource.COMMAND_LINE


class DeletedInSlack(UserError):
    """An exported image was not added, because what it came from was deleted in Slack since."""

    def __init__(self, entity: EntityId) -> None:
        super().__init__("Its file or message was deleted in Slack.")
        self.entity = entity


AddOutcome = ImageRecord | AlreadyAdded | DeletedInSlack
"""The record of a new image, AlreadyAdded if the database has the picture, or the reason why it was not added."""
