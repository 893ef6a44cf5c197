"""Uploads pictures to Slack so that messages can show them when the bot has no public URL."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping, Sequence
from weakref import WeakValueDictionary

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.catalogue import ImageRecord
from bot.domain.errors import BackendError
from bot.domain.identifiers import WorkspaceId
from bot.images.thumbnails import PictureSource
from bot.storage.ports.slack import Thumbnails
from handlers.slack_errors import UNREACHABLE, code_of, retry_later

log = logging.getLogger(__name__)

CONCURRENCY = 3
TOTAL_TIMEOUT_S = 8.0
"""Longest time that a reply waits for its pictures."""

PROCESSING_DELAYS_S = (0.2, 0.4, 0.8, 1.6)
"""Slack refuses a whole message if it shows a file that is still being processed."""

SWEEP_BATCH = 100

REMOVED_AT_ONCE = 10
"""Uploads of one claim. Slack lets an app delete about 50 files a minute, and a claim lasts for two minutes."""

UPLOAD_TIMEOUT_S = 15.0

UPLOAD_NAME, UPLOAD_TITLE = "picture.jpg", "Picture"
"""One upload shows a picture in all databases, and a reader may not know its id in another one."""

_GONE = {"file_not_found", "file_deleted"}

Sleep = Callable[[float], Awaitable[None]]


class ThumbnailUploads:
    """Uploads each picture of a workspace once, shared with no channel, and deletes it with its last image."""

    def __init__(self, thumbnails: Thumbnails, pictures: PictureSource, sleep: Sleep = asyncio.sleep) -> None:
        self._thumbnails = thumbnails
        self._pictures = pictures
        self._sleep = sleep
        self._locks: MutableMapping[tuple[WorkspaceId, str], asyncio.Lock] = WeakValueDictionary()

    async def files(
        self, workspace: WorkspaceId, client: AsyncWebClient, records: Iterable[ImageRecord]
    ) -> Mapping[str, str]:
        """Return Slack file ids by digest, without pictures that can't be uploaded in time."""
        wanted = {record.digest: record for record in records}
        found = dict(await self._thumbnails.get(workspace, wanted))
        slots = asyncio.Semaphore(CONCURRENCY)

        async def upload(record: ImageRecord) -> None:
            # Two replies at the same moment often show the same picture.
            lock = self._locks.setdefault((workspace, record.digest), asyncio.Lock())
            async with slots, lock:
                known = await self._thumbnails.get(workspace, [record.digest])
                if file := known.get(record.digest) or await self._upload(workspace, client, record):
                    found[record.digest] = file

        missing = [record for digest, record in wanted.items() if digest not in found]
        try:
            async with asyncio.timeout(TOTAL_TIMEOUT_S):
                await asyncio.gather(*map(upload, missing))
        except TimeoutError:
            log.warning("Slack took longer than %g s for the pictures of an answer", TOTAL_TIMEOUT_S)
        return found

    async def known(self, workspace: WorkspaceId, records: Iterable[ImageRecord]) -> Mapping[str, str]:
        """Return Slack file ids by digest, without pictures that were not uploaded before."""
        return await self._thumbnails.get(workspace, {record.digest for record in records})

    async def check(self, workspace: WorkspaceId, client: AsyncWebClient, files: Iterable[str]) -> Sequence[str]:
        """Return which of the files can't be shown, after Slack refused a message with them.

        Forgets uploads that Slack has deleted, so that they are uploaded again. Others may still be processed, or
        belong to channels that the bot can no longer read.
        """
        gone, unready = [], []
        for file in files:
            try:
                if not ((await client.files_info(file=file)).get("file") or {}).get("mimetype"):
                    unready.append(file)
            except SlackApiError as error:
                if code_of(error) in _GONE:
                    gone.append(file)
            except UNREACHABLE as error:
                log.info("files.info: %s", type(error).__name__)
        if gone:
            await self._thumbnails.remove_files(workspace, gone)
        return [*gone, *unready]

    async def show_for_an_hour(
        self, workspace: WorkspaceId, client: AsyncWebClient, jpeg: bytes, *, picture: str | None = None
    ) -> str:
        """Upload a picture that is deleted from Slack within hours. Return the file's id; empty if that failed.

        ``picture``: the digest of the stored picture that it shows. It is deleted with that.
        """
        try:
            async with asyncio.timeout(TOTAL_TIMEOUT_S):
                file = await self._send_file(workspace, client, jpeg, picture)
                return file if file and await self._is_processed(client, file) else ""
        except (TimeoutError, BackendError, *UNREACHABLE) as error:
            log.warning("a picture could not be uploaded: %s", type(error).__name__)
            return ""

    async def deleted(self, workspace: WorkspaceId, file: str) -> None:
        """Forget a file that was deleted in Slack, if it was an upload."""
        await self._thumbnails.remove_files(workspace, [file])

    async def sweep(self, workspace: WorkspaceId, client: AsyncWebClient) -> None:
        """Delete uploads from Slack whose pictures are in none of the workspace's databases."""
        while await self._thumbnails.queue_unused(workspace, SWEEP_BATCH) == SWEEP_BATCH:
            pass
        await self.work_off(workspace, client)

    async def work_off(self, workspace: WorkspaceId, client: AsyncWebClient) -> None:
        """Delete uploads from Slack whose removal is pending and due."""
        while claimed := await self._thumbnails.claim_removals(workspace, REMOVED_AT_ONCE):
            deleted = [removal for removal in claimed if await _is_deleted(client, removal.name)]
            await self._thumbnails.finish_removals(deleted)
            if left := [removal for removal in claimed if removal not in deleted]:
                await self._thumbnails.postpone_removals(left)
                log.info("%d uploads are deleted from Slack later", len(left))
                return

    async def _upload(self, workspace: WorkspaceId, client: AsyncWebClient, record: ImageRecord) -> str:
        """Upload a picture, and return the file's id; empty if Slack can't show it yet."""
        try:
            file = await self._send_file(workspace, client, await self._pictures.get(record.digest))
            if not file:
                return ""
            await self._thumbnails.put(workspace, record.digest, file)
            return file if await self._is_processed(client, file) else ""
        except (KeyError, BackendError, *UNREACHABLE) as error:
            log.warning("a picture could not be uploaded: %s", type(error).__name__)
            return ""

    async def _send_file(
        self, workspace: WorkspaceId, client: AsyncWebClient, jpeg: bytes, picture: str | None = None
    ) -> str:
        """Upload a picture that is shared with no channel, and return the file's id; empty if Slack gives none.

        Unless it is then recorded as a thumbnail, it will be deleted.
        """
        answer = await client.files_getUploadURLExternal(filename=UPLOAD_NAME, length=len(jpeg))
        file, url = answer.get("file_id") or "", answer.get("upload_url") or ""
        if not file or not url:
            return ""
        # Before the upload, since a file that is not recorded is never deleted from Slack.
        await self._thumbnails.note(workspace, file, picture)
        await _send(url, jpeg)
        await client.files_completeUploadExternal(files=[{"id": file, "title": UPLOAD_TITLE}])
        return str(file)

    async def _is_processed(self, client: AsyncWebClient, file: str) -> bool:
        for delay in (*PROCESSING_DELAYS_S, None):
            if ((await client.files_info(file=file)).get("file") or {}).get("mimetype"):
                return True
            if delay is not None:
                await self._sleep(delay)
        return False


async def _send(url: str, jpeg: bytes) -> None:
    """Send a file to the address that Slack gave for it. Raises aiohttp.ClientError and TimeoutError."""
    timeout = aiohttp.ClientTimeout(total=UPLOAD_TIMEOUT_S)
    # The address itself authorises the upload, so no token is sent.
    async with (
        aiohttp.ClientSession(timeout=timeout, trust_env=True) as session,
        session.post(url, data=jpeg) as answer,
    ):
        answer.raise_for_status()


async def _is_deleted(client: AsyncWebClient, file: str) -> bool:
    """Delete an upload; return False if it must be tried again."""
    try:
        await client.files_delete(file=file)
    except SlackApiError as error:
        # After a permanent refusal, the file is gone already, or this token can't delete it any more.
        if (settled := retry_later(error) is None) and code_of(error) not in _GONE:
            log.warning("an uploaded picture stays in Slack: %s", code_of(error))
        return settled
    except UNREACHABLE:
        return False
    return True
