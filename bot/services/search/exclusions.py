"""Images that never match a picture, because somebody said so."""

from __future__ import annotations

from collections.abc import Sequence

from cachetools import LRUCache

from bot.domain.catalogue import DatabaseInfo
from bot.domain.channels.reports import ExcludedPair
from bot.domain.identifiers import DataId
from bot.domain.pictures import Picture
from bot.storage.ports.moderation import ExcludedPairs

SAME_PICTURE_BITS = 8
"""Bits in which the fingerprints of a picture and of the same file compressed again differ at most. Those of cropped or
otherwise edited copies differ in more."""

DATABASES_CACHED = 1000


class Exclusions:
    """Looks up the pairs of a database, and keeps them until somebody writes to it."""

    def __init__(self, pairs: ExcludedPairs) -> None:
        self._pairs = pairs
        self._known: LRUCache[object, tuple[ExcludedPair, ...]] = LRUCache(DATABASES_CACHED)

    async def of(self, info: DatabaseInfo, picture: Picture) -> frozenset[DataId]:
        """Return the images of a database that never match the picture. Raises UnknownDatabase."""
        # Each new pair changes the revision.
        place = info.key, info.created_at, info.revision
        pairs = self._known.get(place)
        if pairs is None:
            pairs = self._known[place] = await self._pairs.of(info.key)
        return excluded_by(pairs, picture) if pairs else frozenset()


class NoExclusions(Exclusions):
    """For back ends without a catalogue of pairs, such as those of tests."""

    def __init__(self) -> None:
        """Know no pairs."""

    async def of(self, info: DatabaseInfo, picture: Picture) -> frozenset[DataId]:  # noqa: ARG002
        """Return nothing."""
        return frozenset()


def excluded_by(pairs: Sequence[ExcludedPair], picture: Picture) -> frozenset[DataId]:
    """Return the images that never match the picture by these pairs.

    A pair excludes both ways: its picture may have become an image, its ``partner``.
    """
    from bot.images.features import fingerprint  # noqa: PLC0415 - OpenCV, and “--help” imports this module

    own, found = fingerprint.compute(picture), set[DataId]()
    for pair in pairs:
        if _is_same(picture.digest, own, pair.digest, pair.fingerprint):
            found.add(pair.data_id)
        if pair.partner and _is_same(picture.digest, own, pair.image_digest, pair.image_fingerprint):
            found.add(pair.partner)
    return frozenset(found)


def _is_same(digest: str, print_: bytes, other_digest: str, other_print: bytes) -> bool:
    """Return whether two pictures are the same file, perhaps compressed again."""
    if digest == other_digest:
        return True
    if not print_ or len(print_) != len(other_print):
        return False
    return (int.from_bytes(print_) ^ int.from_bytes(other_print)).bit_count() <= SAME_PICTURE_BITS
