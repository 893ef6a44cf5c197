"""Process shares in collect and guard channels: add images, confirm with a reaction, and answer reposts."""

from __future__ import annotations

import logging
from dataclasses import replace

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks.button_state import SearchState
from bot.blocks.messages.notices import already_added_reply, collected_problems_reply
from bot.blocks.reply import Reply
from bot.domain.catalogue import SlackOrigin
from bot.domain.channels import GUARD_MINIMUM, ChannelMode
from bot.domain.errors import AlreadyAdded, UserError
from bot.domain.identifiers import DatabaseKey
from bot.services.channels.collection import CollectService, FileWithdrawn, SharedImage
from bot.services.channels.repost_guard import RepostGuard
from bot.services.images.file_names import entity_of_file
from bot.services.images.new_image import NewImage
from bot.services.search.lookup import LookupResult
from handlers.inbox.share import MATCHES_SHOWN, Share, UnresolvedFile, retry_first_attempts
from handlers.parsing.payloads import ImageShare, SharedFile
from handlers.replies import delivery
from handlers.replies.presenter import AnswerPresenter, AnswerReader
from handlers.slack.files import PictureReader, SharedFileReader
from handlers.slack.messages import permalink
from handlers.slack_errors import UNREACHABLE, code_of

log = logging.getLogger(__name__)

DONE, FAILED = "white_check_mark", "warning"
"""Emoji that exist in every workspace."""


class ShareCollector:
    """Adds images of shares in collect and guard channels."""

    def __init__(
        self,
        collecting: CollectService,
        repost_guard: RepostGuard,
        files: SharedFileReader,
        pictures: PictureReader,
        presenter: AnswerPresenter,
    ) -> None:
        self._collecting = collecting
        self._repost_guard = repost_guard
        self._files = files
        self._pictures = pictures
        self._presenter = presenter

    async def collect(self, share: Share, key: DatabaseKey, mode: ChannelMode) -> tuple[Reply, list[str]] | None:
        """Add each image. Return an answer about reposts with their files' ids, or None.

        Raises BackendError and RetryLater.
        """
        is_stored = False
        minimum = share.binding.minimum if share.binding.minimum is not None else GUARD_MINIMUM
        link = await permalink(share.client, share.message.channel, share.message.ts)
        reader = AnswerReader(share.audience, share.client)
        problems: list[tuple[str, str]] = []
        reposts: list[tuple[LookupResult, SearchState]] = []
        for file in share.files:
            try:
                image = await self._image(share, file, link)
                if mode is ChannelMode.COLLECT:
                    await self._collecting.collect(key, image)
                elif found := await self._repost_guard.check(key, image, minimum, self._presenter.readers(reader)):
                    state = share.state(file, key, minimum, MATCHES_SHOWN)
                    preview = image.image.picture.is_preview
                    reposts.append((LookupResult(file.name, found, is_preview=preview), state))
                is_stored = True
            except AlreadyAdded:
                # The image has this share as another origin, which is all that a collect channel needs.
                is_stored = True
                await self._tell_other_id(share, key, image)
            except FileWithdrawn:
                log.info("a file was deleted while it was being added")
            except UserError as error:
                if not isinstance(file, SharedFile) or file.claims_to_be_image:
                    problems.append((file.name, str(error)))
        await self._report(share, problems, done=is_stored and mode is ChannelMode.COLLECT)
        # Leave out reposts whose matches the readers may not see. They may not even learn that there was a match.
        are_visible = await self._presenter.has_anything(reader, [one for one, _ in reposts])
        visible = [repost for repost, is_visible in zip(reposts, are_visible, strict=True) if is_visible]
        if not visible:
            return None
        states = [state for _, state in visible]
        reply = await self._presenter.answer(reader, [one for one, _ in visible], states)
        return reply, [state.file for state in states]

    async def _tell_other_id(self, share: Share, key: DatabaseKey, image: SharedImage) -> None:
        """Tell an author who gave the picture an ``id:`` if the database has it under another one."""
        message, named = share.message, share.modifiers.entity
        there = await self._collecting.find(key, image) if named is not None else None
        if there is None or named is None or there.seen_through([there.first]).entity.is_same(named):
            return
        reader = AnswerReader(replace(share.audience, user=message.user), share.client)
        # The id came with the oldest origin.
        seen = await self._presenter.shown(reader, [there.seen_through([there.first])])
        reply = already_added_reply(key.name, next((one.entity for one in seen.values()), ""))
        await delivery.try_post_ephemeral(share.client, message.channel, message.user, reply, message.thread_ts)

    async def refuse(self, client: AsyncWebClient, message: ImageShare) -> None:
        """React to a share of which nothing can be added. The caller tells the user why."""
        await _react(client, message.channel, message.ts, FAILED)

    async def _image(self, share: Share, file: SharedFile | UnresolvedFile, link: str) -> SharedImage:
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
            named or entity_of_file(file.name, file.id),
            share.note,
            added_by=message.user,
            source_name=file.name,
            named_automatically=named is None,
        )
        origin = SlackOrigin(file.id, message.channel, message.ts, link, share.kind)
        return SharedImage(image, origin, share.job.id)

    async def _report(self, share: Share, problems: list[tuple[str, str]], *, done: bool) -> None:
        message, client = share.message, share.client
        if done:
            await _react(client, message.channel, message.ts, DONE)
        if not problems:
            return
        await _react(client, message.channel, message.ts, FAILED)
        reply = collected_problems_reply(problems)
        await delivery.try_post_ephemeral(client, message.channel, message.user, reply, message.thread_ts)


async def _react(client: AsyncWebClient, channel: str, ts: str, name: str) -> None:
    try:
        await client.reactions_add(channel=channel, timestamp=ts, name=name)
    except SlackApiError as error:
        if code_of(error) != "already_reacted":
            log.warning("reactions.add: %s", code_of(error))
    except UNREACHABLE as error:
        log.warning("reactions.add: %s", type(error).__name__)
