"""A share from the inbox: looked up, collected or guarded, and answered once."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from functools import partial

from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks.notices import cant_speak_reply, no_database_reply, several_databases_reply
from bot.blocks.reply import Reply, marked, notice
from bot.conversations import Job, Mode
from bot.errors import BackendError, BackendRefused, FetchRefused, InvalidInput, TryAgain, UnknownDatabase, UserError
from bot.models import ChannelKind, DatabaseKey, Picture
from bot.services.lookup import LookupService, NoDatabase, SeveralDatabases
from bot.services.search import DEFAULT_MINIMUM
from bot.services.watching import WatchService
from bot.storage.base import Inbox
from handlers import delivery
from handlers.clients import Clients
from handlers.conversations import Acquaintance
from handlers.failures import UNREACHABLE, CantSpeak, Gone, translated
from handlers.finding import MOST_MATCHES
from handlers.grammar import Modifiers, modifiers_of
from handlers.guard import FAILED, SLACK_BUSY
from handlers.keeping import Keeper
from handlers.payloads import ImageShare, SharedFile, decode_share
from handlers.presenting import Presenter, Reader
from handlers.shared_files import PictureReader, SharedFiles
from handlers.sharing import SHARE_LIMIT, Share, Unresolved, patience

log = logging.getLogger(__name__)

TOLD_AT_ATTEMPT = 2
"""A hiccup is over by then; whoever waits for longer is told once."""

KEEPS_TRYING = (
    "The image search can't be reached right now. I'll try again for a while, and answer as soon as it's back."
)


class ShareRunner:
    """Runs the inbox's shares."""

    def __init__(
        self,
        *,
        clients: Clients,
        inbox: Inbox,
        watching: WatchService,
        lookup: LookupService,
        files: SharedFiles,
        pictures: PictureReader,
        presenter: Presenter,
        keeper: Keeper,
        acquaintance: Acquaintance,
    ) -> None:
        self._clients = clients
        self._inbox = inbox
        self._watching = watching
        self._lookup = lookup
        self._files = files
        self._pictures = pictures
        self._presenter = presenter
        self._keeper = keeper
        self._acquaintance = acquaintance

    async def run(self, job: Job) -> None:
        """Do what the channel's settings say. Raises TryAgain and BackendError; the work may then be done again."""
        said = decode_share(job.payload)
        client = await self._clients.client(job.workspace, job.enterprise)
        if said is None or client is None:
            log.warning("job %d is left: %s", job.id, "not readable" if said is None else "no installation")
            return
        try:
            await self._run(job, said, client)
        except Gone as error:
            log.info("job %d has nothing to answer any more: %s", job.id, error)
        except CantSpeak as error:
            await _tell_directly(client, said.user, cant_speak_reply(error.channel, error.reason))
        except UserError as error:
            await self._whisper(client, said, str(error))
        except BackendError as error:
            # What somebody has to mend first is told at once; it may be mended before the last attempt.
            for_operators = isinstance(error, BackendRefused)
            if job.attempts == (1 if for_operators else TOLD_AT_ATTEMPT):
                await self._whisper(client, said, error.told if for_operators else KEEPS_TRYING)
            raise

    async def give_up(self, job: Job, error: Exception) -> None:
        """The last word to whoever shared it."""
        said = decode_share(job.payload)
        client = await self._clients.client(job.workspace, job.enterprise)
        if said is not None and client is not None:
            if await self._mode(said) is Mode.COLLECT:
                await self._keeper.refuse(client, said)
            last_word = error.told if isinstance(error, BackendError) else FAILED
            await self._whisper(client, said, SLACK_BUSY if isinstance(error, TryAgain) else last_word)

    async def _mode(self, said: ImageShare) -> Mode:
        return Mode.LOOKUP if _is_asked(said) else (await self._watching.get(said.workspace, said.channel)).mode

    async def _run(self, job: Job, said: ImageShare, client: AsyncWebClient) -> None:
        binding = await self._watching.get(said.workspace, said.channel)
        asked = _is_asked(said)
        mode = Mode.LOOKUP if asked else binding.mode
        wanted = [file for file in said.files if file.id in job.files and await self._inbox.is_wanted(job.id, file.id)]
        if mode is Mode.OFF or not wanted:
            return
        if job.answering and await delivery.was_answered(client, said.channel, said.reply_to, said.ts, _mark(job)):
            return
        files = await asyncio.gather(*(self._resolve(file, client) for file in wanted))
        images = tuple(file for file in files if isinstance(file, Unresolved) or file.may_be_image)
        if not images:
            return
        kind = await self._kind(said, client)
        try:
            share = Share(job, said, kind, client, binding, _modifiers(said, mode, kind), images)
            database = await self._choose(share, asked=asked)
        except (InvalidInput, UnknownDatabase):
            if mode is Mode.COLLECT:
                await self._keeper.refuse(client, said)
            raise
        if database is None:
            return
        if mode is Mode.LOOKUP:
            await self._look_up(share, database)
        else:
            reply = await self._keeper.keep(share, database, mode)
            if reply is not None:
                await self._answer(share, reply)

    async def _look_up(self, share: Share, key: DatabaseKey) -> None:
        limit = share.modifiers.limit or SHARE_LIMIT
        minimum = share.modifiers.minimum if share.modifiers.minimum is not None else share.binding.minimum
        if minimum is None:
            minimum = DEFAULT_MINIMUM
        pictures = [(file.name, partial(self._read, file, share)) for file in share.files]
        looked = await self._lookup.look_up(key, pictures, limit=MOST_MATCHES, minimum=minimum)
        # What never claimed to be an image and turned out not to be one is no business of ours.
        told = [
            (one, file)
            for one, file in zip(looked, share.files, strict=True)
            if one.found or isinstance(file, Unresolved) or file.claims_to_be_image
        ]
        if not told:
            return
        states = [share.state(file, key, minimum, limit) for _, file in told]
        reader = Reader(share.audience, share.client)
        # The one reader that there is here is alone with the bot.
        reply = await self._presenter.answer(reader, [one for one, _ in told], states, can_share=False)
        await self._answer(share, reply)

    async def _answer(self, share: Share, reply: Reply) -> None:
        if not await self._inbox.mark_answering(share.job):
            raise Gone("another process has it")
        if not any([await self._inbox.is_wanted(share.job.id, file.id) for file in share.files]):
            raise Gone("it was deleted meanwhile")
        with translated(share.said.channel):
            whole = await delivery.post(
                share.client, share.said.channel, marked(reply, _mark(share.job)), share.said.reply_to
            )
        if not whole:
            await self._presenter.check_pictures(Reader(share.audience, share.client), reply)

    async def _choose(self, share: Share, *, asked: bool) -> DatabaseKey | None:
        """The database that is meant; None if none can be told, and whoever may is offered to choose one."""
        said = share.said
        try:
            if share.modifiers.database is not None:
                return await self._lookup.choose(said.workspace, share.modifiers.database)
            return await self._watching.database_of(share.binding)
        except NoDatabase:
            offer = no_database_reply(said.channel)
        except SeveralDatabases as error:
            # Other organisations need not know what databases there are.
            names = () if share.kind is ChannelKind.SHARED else error.databases
            offer = several_databases_reply(names, said.channel)
        # Who asked gets an answer each time; a channel is offered a database once and for all, and this may be the
        # message that an offer was on its way to when Slack did not answer.
        if asked or share.job.answering or await self._watching.claim_offer(said.workspace, said.channel):
            await self._answer(share, offer)
        return None

    async def _kind(self, said: ImageShare, client: AsyncWebClient) -> ChannelKind:
        known = await self._acquaintance.of(said.workspace, client).kind(said.channel, said.kind)
        # What Slack said of this very message is never softened by an answer that may be older; but it doesn't say
        # there which channels several workspaces of one organisation share.
        return known if ChannelKind.PUBLIC is said.kind or known is ChannelKind.SHARED else said.kind

    async def _resolve(self, file: SharedFile, client: AsyncWebClient) -> SharedFile | Unresolved:
        try:
            return await self._files.resolve(file, client)
        except FetchRefused as error:
            return Unresolved(file.id, file.name, str(error))

    async def _read(self, file: SharedFile | Unresolved, share: Share) -> Picture:
        if isinstance(file, Unresolved):
            raise FetchRefused(file.problem)
        with patience(share.job):
            return await self._files.read(file, share.client.token or "", self._pictures.picture)

    async def _whisper(self, client: AsyncWebClient, said: ImageShare, sentence: str) -> None:
        try:
            await delivery.whisper(client, said.channel, said.user, notice(sentence), said.thread_ts)
        except UNREACHABLE as error:
            log.warning("%s could not be told: %s", said.user, type(error).__name__)


def _modifiers(said: ImageShare, mode: Mode, kind: ChannelKind) -> Modifiers:
    """What the message says of how its images are to be treated. Raises InvalidInput."""
    if mode is Mode.GUARD:
        # Whoever reposts is not to get past by a word beside it, chosen or mistyped.
        try:
            return replace(modifiers_of(said.text), database=None)
        except InvalidInput:
            return Modifiers()
    found = modifiers_of(said.text)
    # People of other organisations need not find out which other databases there are.
    is_guest = kind is ChannelKind.SHARED and said.user_workspace not in {"", said.workspace}
    return replace(found, database=None) if is_guest else found


def _mark(job: Job) -> str:
    return f"{job.id}-{job.message}"


async def _tell_directly(client: AsyncWebClient, user: str, reply: Reply) -> None:
    try:
        await delivery.post(client, user, reply)
    except UNREACHABLE as error:
        log.warning("%s could not be told: %s", user, type(error).__name__)


def _is_asked(said: ImageShare) -> bool:
    """Whether somebody wants to know, whatever the channel is set to."""
    return said.mentioned or said.channel.startswith("D")
