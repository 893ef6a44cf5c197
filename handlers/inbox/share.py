"""A share as it is worked on: what was said, where, and what the channel is set to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks.button_state import SearchState
from bot.blocks.limits import shorten
from bot.domain.channels import Audience, ChannelBinding, ChannelKind
from bot.domain.errors import FetchFailed, RetryLater
from bot.domain.identifiers import DatabaseKey
from bot.domain.jobs import Job
from handlers.parsing.grammar import Modifiers
from handlers.parsing.payloads import ImageShare, SharedFile

MAX_NAME = 80

MATCHES_SHOWN = 5
"""Matches in an answer that nobody asked for by name: enough to see, not enough to fill the screen."""


QUIET_ATTEMPTS = 2
"""So often a file that can't be fetched just now is left for later; then the person is told."""


@contextmanager
def retry_first_attempts(job: Job) -> Iterator[None]:
    """Turn what may go well later into TryAgain, at a job's first attempts."""
    try:
        yield
    except FetchFailed as error:
        if job.attempts > QUIET_ATTEMPTS:
            raise
        raise RetryLater(str(error)) from error


@dataclass(frozen=True, slots=True)
class Share:
    """A share that is being worked on. ``files`` are those that may be images, and those that can't be told."""

    job: Job
    message: ImageShare
    kind: ChannelKind
    client: AsyncWebClient
    binding: ChannelBinding
    modifiers: Modifiers
    files: tuple[SharedFile | UnresolvedFile, ...]

    @property
    def audience(self) -> Audience:
        """Who reads an answer in its thread."""
        # A direct message to the bot has the one reader; to several, all that are in it.
        user = self.message.user if self.message.channel.startswith("D") else ""
        return Audience(self.message.workspace, self.message.channel, self.kind, user)

    def state(self, file: SharedFile | UnresolvedFile, database: DatabaseKey, minimum: float, top: int) -> SearchState:
        """What the buttons of an answer about one of its files carry."""
        message = self.message
        return SearchState(
            file=file.id,
            name=shorten(file.name, MAX_NAME),
            channel=message.channel,
            message=message.ts,
            thread=message.reply_to,
            database=database.name,
            top=top,
            minimum=minimum,
        )


@dataclass(frozen=True, slots=True)
class UnresolvedFile:
    """A file that Slack would not describe, and the sentence that says so."""

    id: str
    name: str
    problem: str
