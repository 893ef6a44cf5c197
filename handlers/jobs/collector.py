"""Process shares in collect and guard channels: add images, confirm with a reaction, and answer reposts."""

from __future__ import annotations

import logging
import re

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks.button_state import SearchState
from bot.blocks.messages.notices import collected_problems_reply
from bot.blocks.reply import Reply
from bot.domain.catalogue import SlackOrigin
from bot.domain.channels import GUARD_MINIMUM, ChannelMode
from bot.domain.errors import AlreadyAdded, UserError
from bot.domain.identifiers import MAX_NOTE, DatabaseKey, Note
from bot.services.channels.collection import CollectService, FileWithdrawn, SharedImage
from bot.services.channels.repost_guard import RepostGuard
from bot.services.images.addition import NewImage
from bot.services.search.lookup import LookupResult
from handlers.inbox.share import MATCHES_SHOWN, Share, UnresolvedFile, retry_first_attempts
from handlers.parsing.entity_names import entity_of_file
from handlers.parsing.grammar.tokens import as_typed
from handlers.parsing.payloads import ImageShare, SharedFile
from handlers.replies import delivery
from handlers.replies.presenter import AnswerPresenter, AnswerReader
from handlers.slack.files import PictureReader, SharedFileReader
from handlers.slack.permalinks import permalink
from handlers.slack_errors import UNREACHABLE, code_of

log = logging.getLogger(__name__)

DONE, FAILED = "white_check_mark", "warning"
"""Emoji that exist in every workspace."""

_MENTION = re.compile(r"<[@#!][^<>]*>")
_MODIFIER = re.compile(r"(?<!\S)(?:in|top|min|id):\S+\s*", re.IGNORECASE)
"""Modifiers are for the bot, so they are not part of the note."""


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

    async def collect(self, share: Share, key: DatabaseKey, mode: ChannelMode) -> Reply | None:
        """Add each image, and return an answer about reposts, or None. Raises BackendError and RetryLater."""
        is_stored = False
        minimum = share.binding.minimum if share.binding.minimum is not None else GUARD_MINIMUM
        link = await permalink(share.client, share.message.channel, share.message.ts)
        problems: list[tuple[str, str]] = []
        reposts: list[tuple[LookupResult, SearchState]] = []
        for file in share.files:
            try:
                image = await self._image(share, file, link)
                if mode is ChannelMode.COLLECT:
                    await self._collecting.collect(key, image)
                elif found := await self._repost_guard.check(key, image, minimum):
                    state = share.state(file, key, minimum, MATCHES_SHOWN)
                    reposts.append((LookupResult(file.name, found), state))
                is_stored = True
            except AlreadyAdded:
                # The image is in the database, which is all that a collect channel needs.
                is_stored = True
            except FileWithdrawn:
                log.info("a file was deleted while it was being added")
            except UserError as error:
                if not isinstance(file, SharedFile) or file.claims_to_be_image:
                    problems.append((file.name, str(error)))
        await self._report(share, problems, done=is_stored and mode is ChannelMode.COLLECT)
        # Leave out reposts whose matches the readers may not see. They may not even learn that there was a match.
        reader = AnswerReader(share.audience, share.client)
        visible = [(one, state) for one, state in reposts if await self._presenter.has_anything(reader, one)]
        if not visible:
            return None
        return await self._presenter.answer(reader, [one for one, _ in visible], [state for _, state in visible])

    async def refuse(self, client: AsyncWebClient, message: ImageShare) -> None:
        """React to a share of which nothing can be added. The caller tells the user why."""
        await _react(client, message.channel, message.ts, FAILED)

    async def _image(self, share: Share, file: SharedFile | UnresolvedFile, link: str) -> SharedImage:
        """Download and decode a file. Raises UserError."""
        message = share.message
        if not isinstance(file, SharedFile):
            raise UserError(file.problem)
        with retry_first_attempts(share.job):
            picture, jpeg = await self._files.read(file, share.client.token or "", self._pictures.picture_and_jpeg)
        entity = share.modifiers.entity or entity_of_file(file.name, file.id)
        image = NewImage(picture, jpeg, entity, _note_of(share), added_by=message.user, source_name=file.name)
        origin = SlackOrigin(file.id, message.channel, message.ts, link, share.kind)
        return SharedImage(image, origin, share.job.id)

    async def _report(self, share: Share, problems: list[tuple[str, str]], *, done: bool) -> None:
        message, client = share.message, share.client
        if done:
            await _react(client, message.channel, message.ts, DONE)
        if not problems:
            return
        await _react(client, message.channel, message.ts, FAILED)
        try:
            await delivery.post_ephemeral(
                client, message.channel, message.user, collected_problems_reply(problems), message.thread_ts
            )
        except UNREACHABLE as error:
            log.warning("could not notify %s: %s", message.user, type(error).__name__)


async def _react(client: AsyncWebClient, channel: str, ts: str, name: str) -> None:
    try:
        await client.reactions_add(channel=channel, timestamp=ts, name=name)
    except SlackApiError as error:
        if code_of(error) != "already_reacted":
            log.warning("reactions.add: %s", code_of(error))
    except UNREACHABLE as error:
        log.warning("reactions.add: %s", type(error).__name__)


def _note_of(share: Share) -> Note:
    """Return the note of the modifiers, or else the message's text without mentions and modifiers."""
    if share.modifiers.note is not None:
        return share.modifiers.note
    message = as_typed(_MODIFIER.sub("", _MENTION.sub("", share.message.text))).strip()
    return Note("".join(character for character in message if character.isprintable() or character == "\n")[:MAX_NOTE])
