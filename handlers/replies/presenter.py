"""From what was found to a message: what these readers may see of it, and how its pictures reach them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from cachetools import TTLCache
from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks.button_state import SearchState
from bot.blocks.messages.fallback import slack_files
from bot.blocks.messages.search_results import MATCHES_PER_PICTURE, PictureRef, PresentationOptions, pictures_reply
from bot.blocks.reply import Reply
from bot.domain.catalogue import ImageRecord
from bot.domain.channels import Audience, ChannelKind
from bot.domain.identifiers import DataId, WorkspaceId
from bot.services.access.privacy import PrivacyService
from bot.services.search.lookup import LookupResult
from bot.storage.ports.catalogue import Catalogue
from handlers.replies.uploads import ThumbnailUploads
from handlers.slack.directory import DirectoryCache

MAX_PICTURES = 10
"""In one message; more don't fit into its characters anyway."""

FAILED_FILE_TTL_S = 3600
FAILED_FILE_CACHE_SIZE = 10_000
"""Files that Slack would not show: of people, since the bot has left their channel, or uploads that came to nothing."""

_SHOWN_BY_SLACK = (".png", ".jpg", ".jpeg", ".gif")

MakeLink = Callable[[WorkspaceId, str], str]
"""The signed address of a workspace's picture, by its digest."""


@dataclass(frozen=True, slots=True)
class AnswerReader:
    """Who will read an answer, and the client that speaks to them."""

    audience: Audience
    client: AsyncWebClient


class AnswerPresenter:
    """Makes answers that may be shown."""

    def __init__(
        self,
        privacy: PrivacyService,
        directories: DirectoryCache,
        catalogue: Catalogue,
        uploads: ThumbnailUploads,
        link_of: MakeLink | None,
    ) -> None:
        self._privacy = privacy
        self._directories = directories
        self._catalogue = catalogue
        self._uploads = uploads
        self._link_of = link_of
        self._not_shown: TTLCache[str, bool] = TTLCache(FAILED_FILE_CACHE_SIZE, FAILED_FILE_TTL_S)

    async def answer(
        self,
        reader: AnswerReader,
        results: Sequence[LookupResult],
        states: Sequence[SearchState],
        *,
        shared_by: str = "",
        can_share: bool = True,
    ) -> Reply:
        """The answer for what was looked up; ``states`` are what its buttons carry, one for each picture.

        ``can_share``: whether there is anybody whom the one reader could show it.
        """
        audience = reader.audience
        seen = [await self._visible_result(reader, one) for one in results]
        records = [
            record for one, state in zip(seen, states, strict=True) for record in _shown_records(one, state, len(seen))
        ]
        pictures = await self.pictures(reader, records[:MAX_PICTURES])
        databases = len(await self._catalogue.databases(audience.workspace))
        shown = [
            PresentationOptions(
                pictures=pictures,
                state=state,
                private=audience.is_one_person,
                can_share=can_share and bool(audience.channel),
                databases=databases,
                shared_by=shared_by,
            )
            for state in states
        ]
        return pictures_reply(seen, shown)

    async def has_anything(self, reader: AnswerReader, results: LookupResult) -> bool:
        """Whether these readers may see, or know of, any match of a picture."""
        found = (await self._visible_result(reader, results)).found
        return found is not None and bool(found.matches or found.hidden)

    async def visible(self, reader: AnswerReader, records: Iterable[ImageRecord]) -> frozenset[DataId]:
        """Which of the images these readers may see."""
        people = self._directories.of(reader.audience.workspace, reader.client)
        return await self._privacy.visible(records, reader.audience, people)

    async def pictures(self, reader: AnswerReader, records: Sequence[ImageRecord]) -> Mapping[DataId, PictureRef]:
        """How each image is shown: by our own link, as Slack's own file, or as one that we upload."""
        workspace = reader.audience.workspace
        if self._link_of is not None:
            return {record.data_id: PictureRef(url=self._link_of(workspace, record.digest)) for record in records}
        slacks = {record.data_id: self._own_file(record, reader.audience) for record in records}
        others = [record for record in records if not slacks[record.data_id]]
        uploaded = await self._uploads.files(workspace, reader.client, others) if others else {}
        files = {record.data_id: slacks[record.data_id] or uploaded.get(record.digest, "") for record in records}
        shown = {data_id: file for data_id, file in files.items() if file and file not in self._not_shown}
        return {data_id: PictureRef(slack_file=file) for data_id, file in shown.items()}

    async def check_pictures(self, reader: AnswerReader, reply: Reply) -> None:
        """After Slack refused a message: it may no longer have what was uploaded to it, or not show us a file."""
        if files := slack_files(reply.blocks):
            for file in await self._uploads.check(reader.audience.workspace, reader.client, files):
                self._not_shown[file] = True

    def _own_file(self, record: ImageRecord, audience: Audience) -> str:
        """The Slack file that the image was made of, if Slack shows it to these readers."""
        origin = record.origin
        if origin is None or not record.source_name.lower().endswith(_SHOWN_BY_SLACK):
            return ""
        readable = origin.kind is ChannelKind.PUBLIC or origin.channel == audience.channel
        return origin.file_id if readable and origin.file_id not in self._not_shown else ""

    async def _visible_result(self, reader: AnswerReader, one: LookupResult) -> LookupResult:
        if one.found is None:
            return one
        people = self._directories.of(reader.audience.workspace, reader.client)
        return replace(one, found=await self._privacy.for_audience(one.found, reader.audience, people))


def _shown_records(one: LookupResult, state: SearchState, of: int) -> list[ImageRecord]:
    """The images that the answer has room for."""
    if one.found is None:
        return []
    first, most = (state.offset, state.top) if of == 1 else (0, MATCHES_PER_PICTURE)
    matches = one.found.matches[first : first + most]
    return [ranked.record for ranked in matches if ranked.record is not None]
