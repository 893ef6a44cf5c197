"""Turns search results into messages: hides what the readers may not see, and chooses how pictures are shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import zip_longest

from cachetools import TTLCache
from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks.button_state import WITH_TEXT, WITHOUT_TEXT, SearchState
from bot.blocks.messages.fallback import slack_files
from bot.blocks.messages.image_details import PictureRef
from bot.blocks.messages.results.feedback import rating_reply
from bot.blocks.messages.results.matches import AskedPicture, PresentationOptions
from bot.blocks.messages.results.one_picture import search_reply
from bot.blocks.messages.results.several_pictures import MATCHES_PER_PICTURE, pictures_reply
from bot.blocks.reply import Reply
from bot.blocks.wording.results import NOTHING_TO_SHARE
from bot.domain.catalogue import DatabaseInfo, ImageRecord
from bot.domain.channels import Audience, ChannelKind, VisibleOrigins
from bot.domain.errors import UserError
from bot.domain.identifiers import DatabaseKey, DataId, WorkspaceId
from bot.domain.links import link_of
from bot.services.access.privacy import PrivacyService
from bot.services.search.lookup import LookupResult
from bot.storage.ports.catalogue import Catalogue
from handlers.replies.uploads import ThumbnailUploads
from handlers.slack.directory import DirectoryCache, SlackDirectory

MAX_PICTURES = 10
"""Pictures in an answer about fewer images. More would exceed Slack's limit of characters."""

FAILED_FILE_TTL_S = 3600
FAILED_FILE_CACHE_SIZE = 10_000
"""Files that Slack refused to show: shared in channels that the bot has left, or failed uploads."""

_SHOWN_BY_SLACK = (".png", ".jpg", ".jpeg", ".gif")

MakeLink = Callable[[WorkspaceId, str], str]
"""Returns the signed URL of a workspace's picture, by its digest."""


class NothingToShare(UserError):
    """The channel may see nothing of the results that somebody wants to share with it."""


@dataclass(frozen=True, slots=True)
class AnswerReader:
    """Who will read a reply, and the client of their workspace."""

    audience: Audience
    client: AsyncWebClient


class AnswerPresenter:
    """Builds replies that contain only what their readers may see."""

    def __init__(
        self,
        privacy: PrivacyService,
        directories: DirectoryCache,
        catalogue: Catalogue,
        uploads: ThumbnailUploads,
        link_of: MakeLink | None,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._privacy = privacy
        self._directories = directories
        self._catalogue = catalogue
        self._uploads = uploads
        self._link_of = link_of
        self._clock = clock
        self._not_shown: TTLCache[str, bool] = TTLCache(FAILED_FILE_CACHE_SIZE, FAILED_FILE_TTL_S)

    async def answer(
        self,
        reader: AnswerReader,
        results: Sequence[LookupResult],
        states: Sequence[SearchState],
        *,
        shared_by: str = "",
        asked: Sequence[AskedPicture | None] = (),
        can_share: bool = True,
        first: int = 1,
    ) -> Reply:
        """Return the reply for search results.

        Args:
            reader: who will read it.
            results: the results, one for each picture.
            states: the state of each picture's buttons.
            shared_by: the user who shared private results with the channel.
            asked: each picture that was searched with, if the readers don't see it next to the answer.
            can_share: whether a single reader could share the results with anyone.
            first: the number of the first picture, if earlier messages answered others of the same message.

        Raises NothingToShare if nothing of the shared results is visible to the channel.
        """
        audience = reader.audience
        seen = await self._visible_results(reader, results)
        if shared_by and (_hides_everything(seen) or _is_beyond(seen, states)):
            raise NothingToShare(NOTHING_TO_SHARE)
        shown_records = [_shown_records(one, state, len(seen)) for one, state in zip(seen, states, strict=True)]
        # Every picture's best match first: these are shown in any case.
        by_rank = [record for same_rank in zip_longest(*shown_records) for record in same_rank if record is not None]
        pictures = await self.pictures(reader, by_rank[: max(MAX_PICTURES, len(seen))])
        infos = await self._catalogue.databases(audience.workspace)
        seen = [_with_links(one, infos) for one in seen]
        databases, now = len(infos), self._clock()
        shown = [
            PresentationOptions(
                pictures=pictures,
                state=state,
                private=audience.is_one_person,
                can_add=not state.part,
                can_share=can_share and bool(audience.channel),
                can_search_part=len(states) == 1,
                databases=databases,
                shared_by=shared_by,
                is_preview=one.is_preview,
                asked=picture,
                now=now,
                fingerprint=one.fingerprint if one.found is not None and one.found.matches else b"",
            )
            for one, state, picture in zip_longest(seen, _with_same_text(seen, states), asked)
        ]
        return pictures_reply(seen, shown, first=first)

    async def rating(
        self, reader: AnswerReader, results: Sequence[LookupResult], states: Sequence[SearchState]
    ) -> Reply | None:
        """Return the best match of each picture, to be called right or wrong; None if there is none."""
        seen = await self._visible_results(reader, results)
        best = [one.found.matches[0] if one.found and one.found.matches else None for one in seen]
        pictures = await self.pictures(reader, [one.record for one in best if one and one.record])
        asked = [
            (number, one.name, match, PresentationOptions(pictures, state, fingerprint=one.fingerprint))
            for number, (one, match, state) in enumerate(zip(seen, best, states, strict=True), start=1)
            if match is not None and match.record is not None
        ]
        return rating_reply(asked) if asked else None

    async def matches(self, reader: AnswerReader, result: LookupResult) -> Reply:
        """Return the reply for results that nobody can page through, add or share."""
        [seen] = await self._visible_results(reader, [result])
        assert seen.found is not None
        records = [one.record for one in seen.found.matches if one.record is not None]
        pictures = await self.pictures(reader, records[:MAX_PICTURES])
        return search_reply(seen.found, PresentationOptions(pictures=pictures, private=True, can_add=False))

    async def has_anything(self, reader: AnswerReader, results: Sequence[LookupResult]) -> list[bool]:
        """Return for each picture whether the readers may see, or know of, any match of it."""
        seen = [one.found for one in await self._visible_results(reader, results)]
        return [found is not None and bool(found.matches or found.hidden) for found in seen]

    async def shown(self, reader: AnswerReader, records: Iterable[ImageRecord | None]) -> Mapping[DataId, ImageRecord]:
        """Return the images that the readers may see, with only what they may see of them."""
        return await self._privacy.shown(records, reader.audience, self._directory(reader))

    async def sees_channel(self, reader: AnswerReader, channel: str, kind: ChannelKind) -> bool:
        """Return whether the readers may see what comes from a channel of a kind."""
        return await self._privacy.sees_channel(reader.audience, self._directory(reader), channel, kind)

    async def hidden(self, reader: AnswerReader, key: DatabaseKey) -> frozenset[DataId]:
        """Return images of a database that the readers may not see. It may be incomplete."""
        return await self._privacy.hidden(key, reader.audience, self._directory(reader))

    def readers(self, reader: AnswerReader) -> SearchReaders:
        """Return the readers for a search, which goes on below what they may not see."""
        return SearchReaders(self, reader)

    async def known_size(self, reader: AnswerReader, info: DatabaseInfo) -> DatabaseInfo:
        """Return the database with the number of images that the readers may know of."""
        return await self._privacy.known_size(info, reader.audience, self._directory(reader))

    async def visible_origins(self, reader: AnswerReader, info: DatabaseInfo) -> VisibleOrigins | None:
        """Return which origins a listing may count; None for all, if the database hints at hidden images."""
        if info.hints_at_hidden:
            return None
        return await self._privacy.visible_origins(info.key, reader.audience, self._directory(reader))

    async def visible(self, reader: AnswerReader, key: DatabaseKey) -> VisibleOrigins:
        """Return which origins of a database the readers may see, by stored kinds where a channel was public."""
        return await self._privacy.visible_origins(key, reader.audience, self._directory(reader))

    def _directory(self, reader: AnswerReader) -> SlackDirectory:
        return self._directories.of(reader.audience.workspace, reader.client)

    async def known_pictures(self, reader: AnswerReader, records: Sequence[ImageRecord]) -> Mapping[DataId, PictureRef]:
        """Return how each image is shown, without those that would have to be uploaded first."""
        return await self._pictures(reader, records, upload=False)

    async def pictures(self, reader: AnswerReader, records: Sequence[ImageRecord]) -> Mapping[DataId, PictureRef]:
        """Return how each image is shown: by a signed link, as its original Slack file, or as an uploaded file."""
        return await self._pictures(reader, records, upload=True)

    async def _pictures(
        self, reader: AnswerReader, records: Sequence[ImageRecord], *, upload: bool
    ) -> Mapping[DataId, PictureRef]:
        workspace = reader.audience.workspace
        if self._link_of is not None:
            return {record.data_id: PictureRef(url=self._link_of(workspace, record.digest)) for record in records}
        originals = {record.data_id: self._original_file(record, reader.audience) for record in records}
        others = [record for record in records if not originals[record.data_id]]
        uploaded: Mapping[str, str] = {}
        if others:
            known, files_of = self._uploads.known, self._uploads.files
            uploaded = await (files_of(workspace, reader.client, others) if upload else known(workspace, others))
        files = {record.data_id: originals[record.data_id] or uploaded.get(record.digest, "") for record in records}
        shown = {data_id: file for data_id, file in files.items() if file and file not in self._not_shown}
        return {data_id: PictureRef(slack_file=file) for data_id, file in shown.items()}

    async def check_pictures(self, reader: AnswerReader, reply: Reply) -> None:
        """Find out which files made Slack refuse a message, and don't show them again for an hour."""
        if files := slack_files(reply.blocks):
            for file in await self._uploads.check(reader.audience.workspace, reader.client, files):
                self._not_shown[file] = True

    def _original_file(self, record: ImageRecord, audience: Audience) -> str:
        """Return the Slack file that the image came from, if Slack shows it to these readers."""
        for origin in record.origins:
            slack = origin.slack
            if slack is None or not origin.source_name.lower().endswith(_SHOWN_BY_SLACK):
                continue
            readable = slack.kind is ChannelKind.PUBLIC or slack.channel == audience.channel
            if readable and slack.file_id not in self._not_shown:
                return slack.file_id
        return ""

    async def _visible_results(self, reader: AnswerReader, results: Sequence[LookupResult]) -> list[LookupResult]:
        found = [one.found for one in results if one.found is not None]
        seen = iter(await self._privacy.for_audience(found, reader.audience, self._directory(reader)))
        return [one if one.found is None else replace(one, found=next(seen)) for one in results]


@dataclass(frozen=True, slots=True)
class SearchReaders:
    """Implements ``Readers`` of the search service for the readers of one answer."""

    presenter: AnswerPresenter
    reader: AnswerReader

    async def shown(self, records: Sequence[ImageRecord]) -> Mapping[DataId, ImageRecord]:
        """Return those images that they may see, with only the origins that they may see."""
        return await self.presenter.shown(self.reader, records)

    async def hidden(self, key: DatabaseKey) -> frozenset[DataId]:
        """Return images of a database that they may not see. It may be incomplete."""
        return await self.presenter.hidden(self.reader, key)

    async def visible(self, key: DatabaseKey) -> VisibleOrigins:
        """Return which origins of a database they may see, by stored kinds where a channel was public."""
        return await self.presenter.visible(self.reader, key)


def _with_links(one: LookupResult, infos: Sequence[DatabaseInfo]) -> LookupResult:
    """Return an answer whose matches have the links of their ids, and name their databases if there are several."""
    if one.found is None:
        return one
    templates = {info.key: info.link for info in infos}
    matches = [
        replace(
            match,
            link=link_of(templates.get(match.record.database, ""), match.match.entity),
            database=match.record.database.name if one.found.parts else "",
        )
        if match.record
        else match
        for match in one.found.matches
    ]
    return replace(one, found=replace(one.found, matches=tuple(matches)))


def _with_same_text(seen: Sequence[LookupResult], states: Sequence[SearchState]) -> list[SearchState]:
    """Return the states for buttons: further pages use the text of the picture as this one does."""
    return [
        state if one.found is None else replace(state, text=WITH_TEXT if one.found.with_text else WITHOUT_TEXT)
        for one, state in zip(seen, states, strict=True)
    ]


def _hides_everything(seen: Sequence[LookupResult]) -> bool:
    """Return whether no match is left, and something may be hidden."""
    found = [one.found for one in seen if one.found is not None]
    return not any(one.matches for one in found) and any(one.hidden or one.hides_images for one in found)


def _is_beyond(seen: Sequence[LookupResult], states: Sequence[SearchState]) -> bool:
    """Return whether the readers see none of the matches of the one page that is shared, but earlier ones."""
    found, offset = seen[0].found, states[0].offset
    return len(seen) == 1 and offset > 0 and found is not None and 0 < len(found.matches) <= offset


def _shown_records(one: LookupResult, state: SearchState, pictures: int) -> list[ImageRecord]:
    """Return the images of the matches shown for one of ``pictures`` pictures."""
    if one.found is None:
        return []
    first, most = (state.offset, state.top) if pictures == 1 else (0, MATCHES_PER_PICTURE)
    matches = one.found.matches[first : first + most]
    return [ranked.record for ranked in matches if ranked.record is not None]
