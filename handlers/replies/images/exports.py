"""Send the images of a database to one person, as a ZIP of pictures and a table."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp

from bot.blocks.reply import Reply, mrkdwn_reply, notice
from bot.blocks.wording import imports as wording
from bot.domain.catalogue import DatabaseInfo, ImageRecord
from bot.domain.errors import UserError
from bot.domain.identifiers import DatabaseKey
from bot.domain.pages import Order, PageRequest
from handlers.replies import delivery
from handlers.replies.answers import AnswerComposer
from handlers.replies.dependencies import SlackDependencies
from handlers.replies.requester import Requester
from handlers.slack_errors import UNREACHABLE

MAX_BYTES = 400_000_000
"""Pictures of one archive. Slack takes files of up to 1 GB."""

MAX_IMAGES = 20_000
PAGE = 200
UPLOAD_TIMEOUT_S = 300.0


class ExportComposer:
    """Packs what a person may see of a database, and sends it to them directly."""

    def __init__(self, dependencies: SlackDependencies, answers: AnswerComposer) -> None:
        self._dependencies = dependencies
        self._answers = answers

    async def export(self, requester: Requester, key: DatabaseKey) -> Reply:
        """Send the archive to the requester. Return what the place of the command is told.

        Raises UserError, BackendError and SlackApiError.
        """
        info = await self._dependencies.databases.find(key)
        client, progress = requester.client, mrkdwn_reply(wording.exporting(key.name))
        posted = await delivery.post_editable(client, requester.user, progress)
        try:
            sentence = await self._send(requester, info, posted.channel)
        except Exception:
            # Whoever calls says what failed. The message may not say for ever that it is being done.
            with contextlib.suppress(*UNREACHABLE):
                await client.chat_delete(channel=posted.channel, ts=posted.ts)
            raise
        await delivery.update(client, posted.channel, posted.ts, mrkdwn_reply(sentence))
        return notice(wording.SENT)

    async def _send(self, requester: Requester, info: DatabaseInfo, channel: str) -> str:
        """Pack and upload the archive, and return what it has."""
        with tempfile.TemporaryDirectory(prefix="vsearch-export-") as folder:
            path = Path(folder) / f"{info.key.name}.zip"
            report = await self._dependencies.exports.write_archive(
                path, self._visible(requester, info), max_bytes=MAX_BYTES, max_images=MAX_IMAGES
            )
            if not report.written:
                raise UserError(wording.NOTHING_TO_EXPORT)
            await upload(requester, channel, path)
        return wording.exported(info.key.name, report.written, report.left_out, report.missing)

    async def _visible(self, requester: Requester, info: DatabaseInfo) -> AsyncIterator[ImageRecord]:
        """Yield the images that the person may see, oldest first, with only what they may see of them."""
        presenter, listings = self._dependencies.presenter, self._dependencies.listings
        visible = await presenter.visible_origins(requester.as_reader, info)
        token: str | None = None
        while True:
            request = PageRequest(limit=PAGE, token=token, order=Order.OLDEST_FIRST)
            page = await listings.page(info.key, request, visible)
            for record in await self._answers.visible(requester, page.items):
                yield record
            token = page.token
            if token is None:
                return


async def upload(requester: Requester, channel: str, path: Path) -> None:
    """Upload a file to a conversation. Raises SlackApiError and network errors."""
    client, size = requester.client, (await asyncio.to_thread(path.stat)).st_size
    answer = await client.files_getUploadURLExternal(filename=path.name, length=size)
    timeout = aiohttp.ClientTimeout(total=UPLOAD_TIMEOUT_S)
    # The address itself authorises the upload, so no token is sent.
    with await asyncio.to_thread(path.open, "rb") as stream:
        async with (
            aiohttp.ClientSession(timeout=timeout, trust_env=True) as session,
            session.post(str(answer.get("upload_url")), data=stream) as uploaded,
        ):
            uploaded.raise_for_status()
    await client.files_completeUploadExternal(
        files=[{"id": str(answer.get("file_id")), "title": path.name}], channel_id=channel
    )
