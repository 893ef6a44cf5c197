"""Compare the rows of an import with the images that the database has already, and correct these if asked to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bot.domain.catalogue import OPERATOR_SOURCES, ImageRecord, Origin, OriginSource, SlackOrigin
from bot.domain.identifiers import DatabaseKey, EntityId, Note
from bot.services.images.corrections import CorrectionService
from bot.services.images.import_sources import has_another_id
from bot.services.imports.report import Outcome
from bot.storage.ports.catalogue import Catalogue

_SHOWN = 60

SeenImages = Callable[[Sequence[ImageRecord]], Awaitable[Sequence[ImageRecord]]]
"""Returns those images that the author of an import may see, with only what they may see of them."""


async def everything(records: Sequence[ImageRecord]) -> Sequence[ImageRecord]:
    """Return all images: the operator sees them."""
    return records


@dataclass(frozen=True, slots=True)
class ImportFile:
    """A file that is not decoded yet. ``is_named``: the table gave its id. ``line`` is that of the table, or 0."""

    path: Path
    digest: str
    entity: EntityId
    note: Note
    name: str
    origins: tuple[Origin, ...] = ()
    named_automatically: bool = False
    is_named: bool = False
    line: int = 0
    author: str = ""
    slack: SlackOrigin | None = None

    def is_from(self, origin: Origin) -> bool:
        """Return whether an image with this origin was imported by the operator, or from the same message."""
        if self.slack is None:
            return origin.source in OPERATOR_SOURCES
        return origin.is_same_place(replace(origin, source=OriginSource.MESSAGE, slack=self.slack))


@dataclass(frozen=True, slots=True)
class Decision:
    """What an import does with a file, why, and the id that the image has or would get."""

    outcome: Outcome
    reason: str = ""
    entity: str = ""


class Claims:
    """The pictures of one import by their digests: the ids that rows gave them, and those that would be new."""

    def __init__(self) -> None:
        self._first: dict[str, tuple[EntityId, int]] = {}
        self._new: dict[str, ImportFile] = {}

    def plan(self, digest: str, file: ImportFile) -> Decision:
        """Return what an import would do with a picture that the database doesn't have."""
        first = self._new.setdefault(digest, file)
        if first is file:
            return Decision(Outcome.NEW, entity=file.entity)
        return Decision(Outcome.SAME, f"The same picture as {first.name}.", first.entity)

    def refuse(self, digest: str, file: ImportFile) -> str:
        """Return why a row can't give a picture its id, or an empty string. The first row of a picture counts."""
        if not file.is_named:
            return ""
        entity, line = self._first.setdefault(digest, (file.entity, file.line))
        return "" if entity.is_same(file.entity) else has_another_id(entity, line)


class ImportComparison:
    """Says how rows differ from images of the same pictures, and changes the images to what the rows say."""

    def __init__(self, catalogue: Catalogue, corrections: CorrectionService | None = None) -> None:
        self._catalogue = catalogue
        self._corrections = corrections

    async def known(
        self, key: DatabaseKey, files: Iterable[ImportFile], *, in_full: bool = False
    ) -> Mapping[str, ImageRecord | None]:
        """Return which files were imported before, by digest, with the images that must be compared.

        The operator's files are known from any import, and those of a message in Slack from that message.
        """
        by_digest = {file.digest: file for file in files}
        if any(file.slack for file in by_digest.values()):
            stored = await self._catalogue.images_of_sources(key, by_digest)
            return {
                digest: record
                for digest, record in stored.items()
                if any(map(by_digest[digest].is_from, record.origins))
            }
        # The usual query first: a new import finds nothing.
        found = await self._catalogue.imported_sources(key, by_digest)
        compared = [one for one in found if in_full or by_digest[one].is_named or by_digest[one].note]
        records = await self._catalogue.images_of_sources(key, compared) if compared else {}
        return {digest: records.get(digest) for digest in found}

    async def decide(
        self, record: ImageRecord | None, file: ImportFile, *, update: bool, seen: SeenImages = everything
    ) -> Decision:
        """Return how a file differs from what its author sees of its image, which is changed with ``update``.

        An empty cell says nothing: it removes no id and no note.
        """
        compared = None if record is None else await _compared(record, file, seen)
        if compared is None:
            return Decision(Outcome.SAME, "The database has this picture.")
        named, noted = compared
        entity = file.entity if file.is_named and not named.entity.is_same(file.entity) else None
        note = file.note if file.note and all(origin.note != file.note for origin in noted.origins) else None
        if entity is None and note is None:
            return Decision(Outcome.SAME, "The database has this picture.", named.entity)
        changes = [
            f"{what} “{_short(before)}” → “{_short(after)}”"
            for what, before, after in (("id", named.entity, entity), ("note", noted.note, note))
            if after is not None
        ]
        if update:
            assert self._corrections is not None, "an update needs the service that corrects images"
            if note is not None:
                await self._corrections.set_note([noted], note)
            if entity is not None:
                await self._corrections.rename(named.database, [named], entity)
        return Decision(Outcome.CHANGED, "; ".join(changes), entity or named.entity)


async def _compared(record: ImageRecord, file: ImportFile, seen: SeenImages) -> tuple[ImageRecord, ImageRecord] | None:
    """Return the image with the id, and with the notes, that a row is compared with.

    The operator's table corrects the id that the image has, and the notes of the operator's origins. A table in Slack
    corrects what its author sees. The message itself is an origin by now, and says what the row says.
    """
    if file.slack is None:
        return record, record.seen_through(list(filter(file.is_from, record.origins)) or record.origins)
    visible = next(iter(await seen([record])), None)
    if visible is None:
        return None
    visible = visible.seen_through([one for one in visible.origins if not file.is_from(one)] or visible.origins)
    return visible, visible


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
