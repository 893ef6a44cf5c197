"""Adds the pictures of past messages by the rules of live shares, without answers, reactions and reports."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from cachetools import LRUCache
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.channels import ChannelBinding, ChannelMode
from bot.domain.errors import BotError, FetchRefused, UnknownDatabase, UserError
from bot.domain.identifiers import ALL_DATABASES, DatabaseKey, DatabaseName
from bot.domain.jobs import HistoryImport, Job, JobKind, PastCounts, PastMessage
from bot.images.memory import on_behalf_of
from bot.services.channels.channel_settings import ChannelSettingsService
from bot.services.channels.collection import PAST, CollectService, FileWithdrawn, SharedImage
from bot.services.search.lookup import LookupService
from handlers.history.lookup_yield import LookupYield
from handlers.inbox.share import QUIET_ATTEMPTS, Share, UnresolvedFile
from handlers.jobs.collector import ShareCollector
from handlers.jobs.share_captions import CaptionReader
from handlers.parsing.grammar import parse_caption
from handlers.parsing.payloads import ImageShare, SharedFile, decode_share
from handlers.replies.known_databases import KnownDatabases
from handlers.slack.directory import DirectoryCache
from handlers.slack.files import SharedFileReader
from handlers.slack.messages import permalink

log = logging.getLogger(__name__)

DOWNLOADS = 8
"""Pictures of a batch that are downloaded and decoded at the same time; each is in memory meanwhile."""

CHANNELS = 1000

PATIENT_ATTEMPTS = 3
"""Attempts at the same pictures after which a download that fails is not tried again."""

MAX_CRASHES = 5
"""How often the process may end at the same message before its pictures are left out: it may have died of them."""

T = TypeVar("T")


class NotWatched(BotError):
    """The channel's settings no longer add pictures."""


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A message whose pictures are decoded: where they go, and how many can't be read or added."""

    share: Share
    key: DatabaseKey
    images: list[SharedImage]
    refused: int


@dataclass(frozen=True, slots=True)
class ReadPictures:
    """The decoded pictures of some messages, oldest first, and how many can't be read or added."""

    mode: ChannelMode
    messages: tuple[_Prepared, ...]
    refused: int

    @property
    def size(self) -> int:
        """The pixels' bytes."""
        return sum(image.image.picture.pixels.nbytes for one in self.messages for image in one.images)


@dataclass(frozen=True, slots=True)
class _Run:
    """What is the same for all messages of a batch."""

    given: HistoryImport
    client: AsyncWebClient
    binding: ChannelBinding
    mode: ChannelMode
    is_patient: bool
    keys: dict[DatabaseName | None, DatabaseKey] = field(default_factory=dict)
    """Databases that were looked up and don't depend on the author."""
    slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(DOWNLOADS))
    looks_up: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while a database is looked up, so that the other messages of the batch wait for it and don't repeat it."""


class Permalinks:
    """The permalinks of messages. Slack is asked for the first one of a channel; the others have the same form."""

    def __init__(self) -> None:
        self._bases: LRUCache[tuple[str, str], str] = LRUCache(CHANNELS)

    async def of(self, client: AsyncWebClient, message: ImageShare) -> str:
        """Return a message's permalink, or an empty string if Slack doesn't answer."""
        place = (message.workspace, message.channel)
        digits = message.ts.replace(".", "")
        in_thread = message.thread_ts not in {"", message.ts}
        rest = f"?thread_ts={message.thread_ts}&cid={message.channel}" if in_thread else ""
        if base := self._bases.get(place):
            return f"{base}{digits}{rest}"
        link = await permalink(client, message.channel, message.ts)
        if found := re.fullmatch(rf"(https://[^/?]+/archives/{re.escape(message.channel)}/p){digits}", link):
            self._bases[place] = found[1]
        return link


class PastPictures:
    """Adds the pictures of past messages. Adding a message again adds nothing."""

    def __init__(
        self,
        *,
        channel_settings: ChannelSettingsService,
        lookup: LookupService,
        files: SharedFileReader,
        collector: ShareCollector,
        collecting: CollectService,
        directories: DirectoryCache,
        lookups: LookupYield,
    ) -> None:
        self._channel_settings = channel_settings
        self._lookup = lookup
        self._files = files
        self._collector = collector
        self._collecting = collecting
        self._directories = directories
        self._lookups = lookups
        self._embeds = asyncio.Lock()
        self._known = KnownDatabases(lookup, channel_settings, directories)
        self._captions = CaptionReader(lookup, self._known, channel_settings)
        self._permalinks = Permalinks()

    async def read(
        self,
        given: HistoryImport,
        messages: Sequence[PastMessage],
        client: AsyncWebClient,
        *,
        crashes: int = 0,
        failures: int = 0,
    ) -> ReadPictures:
        """Download, decode and embed the pictures of messages.

        ``crashes`` and ``failures``: how often the process ended at these messages, and how often they failed.
        Raises NotWatched, UnknownDatabase, RetryLater and BackendError.
        """
        binding, mode = await self._settings(given)
        if crashes >= MAX_CRASHES:
            log.error("left out %d past pictures, of which the process may have died", sum(map(_files, messages)))
            return ReadPictures(mode, (), sum(map(_files, messages)))
        run = _Run(given, client, binding, mode, failures < PATIENT_ATTEMPTS)
        with on_behalf_of(given.workspace, isolated=crashes > 1):
            shares = [share for message in messages if (share := decode_share(message.payload)) is not None]
            prepared = await _all(self._prepare(share, run) for share in shares)
        refused = sum(one if isinstance(one, int) else one.refused for one in prepared)
        found = tuple(one for one in prepared if isinstance(one, _Prepared))
        if mode is ChannelMode.COLLECT:
            for key in dict.fromkeys(one.key for one in found):
                await self._embed(key, [image for one in found if one.key == key for image in one.images])
        return ReadPictures(mode, found, refused)

    async def add(self, read: ReadPictures) -> PastCounts:
        """Add pictures, oldest first. Raises UnknownDatabase, RetryLater and BackendError."""
        counts = await self._add(read.messages, read.mode)
        return PastCounts(counts.added, counts.known, read.refused)

    async def _embed(self, key: DatabaseKey, images: Sequence[SharedImage]) -> None:
        if not self._lookups.is_beside_lookups:
            await self._collecting.prepare(key, images)
            return
        for image in images:
            # One by one: a lookup that begins meanwhile waits for one picture, and not for all.
            async with self._embeds:
                await self._lookups.wait()
                await self._collecting.prepare(key, [image])

    async def _settings(self, given: HistoryImport) -> tuple[ChannelBinding, ChannelMode]:
        binding = await self._channel_settings.get(given.workspace, given.channel)
        adds = binding.mode in {ChannelMode.COLLECT, ChannelMode.GUARD}
        if given.database and not (adds and given.database == binding.database):
            return binding, ChannelMode.COLLECT
        if not adds:
            raise NotWatched(f"the mode is {binding.mode}")
        return binding, binding.mode

    async def _prepare(self, message: ImageShare, run: _Run) -> _Prepared | int:
        """Return a message with its decoded pictures, or how many there are if they can't be added."""
        client, place = run.client, (message.channel, message.kind)
        kind = await self._directories.of(message.workspace, client).kind_of_message(*place)
        # Only ``in:`` needs the names of all databases, which are read from the catalogue.
        names_database = "in" in message.text.lower()
        caption = (
            await self._captions.read(message, run.mode, kind, client)
            if names_database
            else parse_caption(message.text, ())
        )
        named = caption.modifiers.database
        try:
            async with run.looks_up:
                key = await self._database(run, message, named)
        except UnknownDatabase:
            if run.given.database or named is None:
                raise
            return len(message.files)
        files = await _all(self._resolve(file, client) for file in message.files)
        wanted = tuple(file for file in files if isinstance(file, UnresolvedFile) or file.may_be_image)
        share = Share(
            _job_of(message, run), message, kind, client, run.binding, caption.modifiers, wanted, caption.note
        )
        link = await self._permalinks.of(client, message)
        images = await _all(self._read(share, file, link, run.slots) for file in wanted)
        return _Prepared(share, key, [one for one in images if one is not None], sum(one is None for one in images))

    async def _database(self, run: _Run, message: ImageShare, named: DatabaseName | None) -> DatabaseKey:
        """Return where a message's pictures go, as for a live share. Raises UnknownDatabase."""
        if named in run.keys:
            return run.keys[named]
        if run.given.database:
            key = await self._lookup.choose(message.workspace, DatabaseName(run.given.database))
            run.keys.update({named: key})
            return key
        if named is not None and named != ALL_DATABASES:
            await self._known.check(named, message.workspace, message.user, run.client)
            return await self._lookup.choose(message.workspace, named)
        try:
            run.keys[named] = await self._channel_settings.database_of(run.binding)
            return run.keys[named]
        except UserError as error:
            raise UnknownDatabase(run.binding.database or "") from error

    async def _resolve(self, file: SharedFile, client: AsyncWebClient) -> SharedFile | UnresolvedFile:
        try:
            return await self._files.resolve(file, client)
        except FetchRefused as error:
            return UnresolvedFile(file.id, file.name, str(error))

    async def _read(
        self, share: Share, file: SharedFile | UnresolvedFile, link: str, slots: asyncio.Semaphore
    ) -> SharedImage | None:
        """Download and decode a picture. Return None if it can't be read. Raises RetryLater."""
        try:
            async with slots:
                return await self._collector.image_of(share, file, link)
        except UserError as error:
            log.info("a past picture was left out: %s", error)
            return None

    async def _add(self, prepared: Sequence[_Prepared], mode: ChannelMode) -> PastCounts:
        added = known = 0
        batches: dict[DatabaseKey, list[SharedImage]] = {}
        for one in prepared:
            if mode is ChannelMode.COLLECT:
                batches.setdefault(one.key, []).extend(one.images)
                continue
            for image in one.images:
                added += await self._guard_silently(one, image)
        for key, batch in batches.items():
            there = await self._collecting.collect_past(key, batch)
            known += sum(there)
            added += len(there) - sum(there)
        return PastCounts(added, known)

    async def _guard_silently(self, prepared: _Prepared, image: SharedImage) -> bool:
        """Add a picture unless it repeats another one. Nobody is told of an old repost."""
        try:
            await self._collector.guard(prepared.share, prepared.key, image)
        except FileWithdrawn:
            log.info("a file was deleted while it was being added")
            return False
        return True


async def _all(work: Iterable[Awaitable[T]]) -> list[T]:
    """Return all results in order. Wait for all before raising the first error, so that nothing runs on."""
    outcomes = await asyncio.gather(*work, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
    return [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]


def _files(message: PastMessage) -> int:
    return len(message.files)


def _job_of(message: ImageShare, run: _Run) -> Job:
    """Return what stands for the job of a live share. A patient one waits if a download fails."""
    files = tuple(file.id for file in message.files)
    place = (message.workspace, message.enterprise, message.channel, message.ts)
    attempts = QUIET_ATTEMPTS + (0 if run.is_patient else 1)
    return Job(PAST, JobKind.SHARE, *place, files, "", attempts)
