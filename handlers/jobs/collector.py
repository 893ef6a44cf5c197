"""Process shares in collect and guard channels: add images, confirm with a reaction, and answer reposts."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks.button_state import AddState
from bot.blocks.messages.additions import KnownImage, known_images_reply, refused_id_reply, with_previews
from bot.blocks.messages.notices import collected_problems_reply
from bot.blocks.reply import Reply
from bot.blocks.wording.images import kept_under_file_name
from bot.domain.catalogue import ImageRecord, SlackOrigin
from bot.domain.channels import GUARD_MINIMUM, Audience, ChannelMode, Treatment
from bot.domain.errors import AlreadyAdded, EntityRefused, UnknownDatabase, UserError
from bot.domain.identifiers import DatabaseKey, DataId, EntityId
from bot.domain.pictures import Picture
from bot.services.channels.collection import CollectService, FileWithdrawn, SharedImage
from bot.services.channels.file_kinds import kinds_of
from bot.services.channels.repost_guard import RepostGuard
from bot.services.images.file_names import entity_of_file
from bot.services.images.new_image import NewImage
from bot.services.search.lookup import LookupResult
from bot.services.search.search_result import SearchResult
from bot.storage.ports.home import JobOverview
from handlers.inbox.share import Share, UnresolvedFile, carried, retry_first_attempts
from handlers.moderation.report_sender import Repost
from handlers.parsing.payloads import ImageShare, SharedFile
from handlers.replies import delivery
from handlers.replies.presenter import AnswerPresenter, AnswerReader
from handlers.slack.directory import DirectoryCache
from handlers.slack.files import PictureReader, SharedFileReader
from handlers.slack.messages import permalink
from handlers.slack_errors import UNREACHABLE, code_of

log = logging.getLogger(__name__)

DONE, KNOWN, FAILED = "white_check_mark", "repeat", "warning"
"""Emoji that exist in every workspace."""


@dataclass(slots=True)
class _Outcome:
    """What became of the images of a share: files that were added, known images, and refused files with reasons.

    ``by_preview`` are the names of added files that can't be read themselves.
    """

    added: list[SharedFile] = field(default_factory=list)
    by_preview: list[str] = field(default_factory=list)
    known: list[tuple[str, ImageRecord | None]] = field(default_factory=list)
    problems: list[tuple[SharedFile | UnresolvedFile, str]] = field(default_factory=list)

    def add(self, file: SharedFile | UnresolvedFile, image: NewImage) -> None:
        """Note that a file was added."""
        assert isinstance(file, SharedFile)
        self.added.append(file)
        if image.picture.is_preview:
            self.by_preview.append(file.name)

    @property
    def known_images(self) -> list[ImageRecord]:
        """Each known image once."""
        return list({record.data_id: record for _, record in self.known if record is not None}.values())

    @property
    def names(self) -> dict[DataId, str]:
        """The names of the files of the known images."""
        return {record.data_id: name for name, record in reversed(self.known) if record is not None}


class ShareCollector:
    """Adds images of shares in collect and guard channels."""

    def __init__(
        self,
        collecting: CollectService,
        repost_guard: RepostGuard,
        files: SharedFileReader,
        pictures: PictureReader,
        *,
        presenter: AnswerPresenter,
        directories: DirectoryCache,
        overview: JobOverview,
    ) -> None:
        self._directories = directories
        self._collecting = collecting
        self._repost_guard = repost_guard
        self._files = files
        self._pictures = pictures
        self._presenter = presenter
        self._overview = overview

    async def collect(self, share: Share, key: DatabaseKey, mode: ChannelMode) -> list[Repost]:
        """Add each image. Return reposts in a guard channel, without those that its readers may not know of.

        Raises BackendError and RetryLater.
        """
        link = await permalink(share.client, share.message.channel, share.message.ts)
        reader = AnswerReader(share.audience, share.client)
        outcome, reposts = _Outcome(), list[Repost]()
        for file in share.files:
            try:
                image = await self.image_of(share, file, link)
                if found := await self._add_or_check(share, (key, mode), file, image, outcome):
                    assert isinstance(file, SharedFile)
                    reposts.append(Repost(file, image, found))
            except AlreadyAdded:
                # The image has this share as another origin, which is all that a collect channel needs.
                outcome.known.append((file.name, await self._collecting.find(key, image)))
            except FileWithdrawn:
                log.info("a file was deleted while it was being added")
            except UserError as error:
                if _is_told(file, mode):
                    outcome.problems.append((file, str(error)))
        await self._record(share, outcome.problems, link)
        await self._report(share, key, mode, outcome)
        # Leave out reposts whose matches the readers may not see. They may not even learn that there was a match.
        results = [LookupResult(repost.file.name, repost.found) for repost in reposts]
        are_visible = await self._presenter.has_anything(reader, results)
        return [repost for repost, is_visible in zip(reposts, are_visible, strict=True) if is_visible]

    async def _add_or_check(
        self,
        share: Share,
        where: tuple[DatabaseKey, ChannelMode],
        file: SharedFile | UnresolvedFile,
        image: SharedImage,
        outcome: _Outcome,
    ) -> SearchResult | None:
        """Add an image, or return those that it repeats. Raises AlreadyAdded in a collect channel."""
        key, mode = where
        if mode is ChannelMode.COLLECT:
            await self._collecting.collect(key, image)
            outcome.add(file, image.image)
            return None
        treatment, found = await self.guard(share, key, image)
        if treatment is not Treatment.CHECK or found:
            return found
        if (there := await self._collecting.find(key, image)) and there.without_message(image.origin):
            # It was no repost, because the channel can't see it, its score is too low, or the rules don't count it.
            outcome.known.append((file.name, there))
        else:
            outcome.add(file, image.image)
        return None

    async def guard(self, share: Share, key: DatabaseKey, image: SharedImage) -> tuple[Treatment, SearchResult | None]:
        """Add or leave an image by the channel's rules. Return what they say, and the images that it repeats, if any.

        Raises FileWithdrawn, UserError and BackendError.
        """
        rules = share.binding.rules
        kinds = kinds_of(image.image.picture, _mimetype_of(share, image))
        directory = self._directories.of(key.workspace, share.client)
        groups = await directory.groups_of(share.message.user, rules.groups)
        treatment = rules.treatment(share.message.user, kinds, groups)
        if treatment is Treatment.ADD:
            with contextlib.suppress(AlreadyAdded):
                await self._collecting.collect(key, image)
        if treatment is not Treatment.CHECK:
            return treatment, None
        minimum = share.binding.minimum if share.binding.minimum is not None else GUARD_MINIMUM
        readers = self._presenter.readers(AnswerReader(share.audience, share.client))
        return treatment, await self._repost_guard.check(key, image, minimum, readers, rules)

    async def react_to_reposts(self, share: Share) -> None:
        """React to a share with reposts in a quiet channel."""
        await self._react(share, KNOWN)

    async def refuse(self, client: AsyncWebClient, message: ImageShare) -> None:
        """React to a share of which nothing can be added. The caller tells the user why."""
        await _react(client, message.channel, message.ts, FAILED)

    async def refuse_all(self, share: Share, error: UnknownDatabase) -> None:
        """React to a share whose database doesn't exist, and record that nothing of it was added."""
        await self.refuse(share.client, share.message)
        # Without suggestions: other readers of the channel may not know of the database that has a similar name.
        reason = str(UnknownDatabase(error.name))
        link = await permalink(share.client, share.message.channel, share.message.ts)
        await self._record(share, [(file, reason) for file in share.files], link)

    async def _record(
        self, share: Share, problems: Sequence[tuple[SharedFile | UnresolvedFile, str]], link: str
    ) -> None:
        """Record why files were not added, and that nothing is wrong with those of an earlier attempt."""
        if problems or share.job.attempts > 1:
            await self._overview.record_refusals(share.job, {file.id: reason for file, reason in problems}, link)

    async def image_of(self, share: Share, file: SharedFile | UnresolvedFile, link: str) -> SharedImage:
        """Download and decode a file. Raises UserError."""
        message = share.message
        if not isinstance(file, SharedFile):
            raise UserError(file.problem)
        with retry_first_attempts(share.job):
            token = share.client.token or ""
            picture, jpeg = await self._files.read(file, token, self._pictures.picture_and_jpeg, share.client)
        named = share.modifiers.entity
        image = NewImage(
            picture,
            jpeg,
            named or _entity_of(file, picture),
            share.note,
            added_by=message.user,
            source_name=file.name,
            named_automatically=named is None,
            posted=True,
        )
        # A link is no file that Slack could delete or show. It goes with its message.
        origin = SlackOrigin("" if file.link else file.id, message.channel, message.ts, link, share.kind)
        return SharedImage(image, origin, share.job.id, file.id if file.link else "")

    async def _report(self, share: Share, key: DatabaseKey, mode: ChannelMode, outcome: _Outcome) -> None:
        """React to the message, and tell its author what was known, not added, or got another id."""
        seen = await self._known(share, outcome, share.audience)
        # To readers who see no earlier origin of an image, it is new: a reaction would tell them that there is one.
        is_new = bool(outcome.added) or len(seen) < len(outcome.known_images)
        if is_new and mode is ChannelMode.COLLECT:
            await self._react(share, DONE)
        if seen:
            await self._react(share, KNOWN)
        remarks: list[Reply] = []
        if outcome.problems:
            await self._react(share, FAILED)
            remarks.append(collected_problems_reply([(file.name, reason) for file, reason in outcome.problems]))
        if known := await self._known(share, outcome, share.author):
            remarks.append(known_images_reply(key.name, known))
        if share.refused is not None and outcome.added:
            remarks += _refused_id(share, key, share.refused, outcome.added)
        for remark in with_previews(remarks, outcome.by_preview if mode is ChannelMode.COLLECT else ()):
            await self._tell(share, remark)

    async def _known(self, share: Share, outcome: _Outcome, audience: Audience) -> list[KnownImage]:
        """Return those known images of which the audience may see an origin outside this message."""
        earlier = [record.without_message(_place_of(share)) for record in outcome.known_images]
        shown = await self._presenter.shown(AnswerReader(audience, share.client), earlier)
        named, names = share.modifiers.entity, outcome.names
        return [
            KnownImage(
                record,
                names.get(record.data_id, ""),
                "" if named is None or named.is_same(record.entity) else named,
            )
            for record in shown.values()
        ]

    async def _tell(self, share: Share, reply: Reply) -> None:
        message = share.message
        await delivery.try_post_ephemeral(share.client, message.channel, message.user, reply, message.thread_ts)

    async def _react(self, share: Share, name: str) -> None:
        await _react(share.client, share.message.channel, share.message.ts, name)


def _mimetype_of(share: Share, image: SharedImage) -> str:
    """Return the media type that Slack says an image's file has; empty for a link."""
    files = (file for file in share.files if isinstance(file, SharedFile))
    return next((file.mimetype for file in files if file.id == image.file), "")


def _place_of(share: Share) -> SlackOrigin:
    return SlackOrigin("", share.message.channel, share.message.ts)


def _is_told(file: SharedFile | UnresolvedFile, mode: ChannelMode) -> bool:
    """Return whether the author is told why a file was not added. Only a collect channel is there for links."""
    if not isinstance(file, SharedFile):
        return True
    return file.claims_to_be_image and (mode is ChannelMode.COLLECT or not file.link)


def _entity_of(file: SharedFile, picture: Picture) -> EntityId:
    """Return the id of a shared picture whose author gave none."""
    return (
        entity_of_file(file.name or "image", picture.digest[:12]) if file.link else entity_of_file(file.name, file.id)
    )


def _refused_id(share: Share, key: DatabaseKey, refused: EntityRefused, added: Sequence[SharedFile]) -> list[Reply]:
    """Return which id images got in place of one that can't be used, and buttons that give them a similar one."""
    message = share.message
    state = AddState(
        channel=message.channel,
        message=message.ts,
        database=key.name,
        entity=refused.suggestion,
        note=share.note,
        author=message.user,
        renames=True,
    )
    sentence = f"{refused} {kept_under_file_name(len(added))}"
    return [refused_id_reply(sentence, one) for one in carried(state, added)]


async def _react(client: AsyncWebClient, channel: str, ts: str, name: str) -> None:
    try:
        await client.reactions_add(channel=channel, timestamp=ts, name=name)
    except SlackApiError as error:
        # reactions:write is optional. If it is missing, the log says so once, at the start.
        if code_of(error) not in {"already_reacted", "missing_scope"}:
            log.warning("reactions.add: %s", code_of(error))
    except UNREACHABLE as error:
        log.warning("reactions.add: %s", type(error).__name__)
