"""A share being processed, with its channel settings and modifiers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks.button_state import AddState, SearchState
from bot.blocks.limits import shorten
from bot.domain.channels import Audience, ChannelBinding, ChannelKind
from bot.domain.errors import EntityRefused, FetchFailed, RetryLater
from bot.domain.identifiers import DatabaseKey, Note
from bot.domain.jobs import Job
from handlers.parsing.grammar import Modifiers
from handlers.parsing.payloads import ImageShare, SharedFile

MAX_NAME = 80

MATCHES_SHOWN = 5
"""Matches in an automatic answer. More would fill the screen."""


QUIET_ATTEMPTS = 2
"""Number of attempts at which a failed download is retried silently. After them, the user is told."""


@contextmanager
def retry_first_attempts(job: Job) -> Iterator[None]:
    """Turn FetchFailed into RetryLater during a job's first attempts."""
    try:
        yield
    except FetchFailed as error:
        if job.attempts > QUIET_ATTEMPTS:
            raise
        raise RetryLater(str(error)) from error


@dataclass(frozen=True, slots=True)
class Share:
    """A share being processed.

    ``files`` are files that may be images, and files that Slack couldn't describe. ``note`` is the note that the
    message's text gives them, and ``refused`` an id in it that can't be used.
    """

    job: Job
    message: ImageShare
    kind: ChannelKind
    client: AsyncWebClient
    binding: ChannelBinding
    modifiers: Modifiers
    files: tuple[SharedFile | UnresolvedFile, ...]
    note: Note
    refused: EntityRefused | None = None

    @property
    def audience(self) -> Audience:
        """The people who will see an answer in the thread."""
        # Only a direct message to the bot has a single reader. A group message is seen by all its members.
        user = self.message.user if self.message.channel.startswith("D") else ""
        return Audience(self.message.workspace, self.message.channel, self.kind, user)

    @property
    def author(self) -> Audience:
        """The author, who may see more than the channel; not so a member of another organisation."""
        if self.kind is ChannelKind.SHARED and self.message.user_workspace != self.message.workspace:
            return self.audience
        return replace(self.audience, user=self.message.user)

    def state(self, file: SharedFile | UnresolvedFile, database: DatabaseKey, minimum: float, top: int) -> SearchState:
        """Return the state of the buttons in an answer about one of the files."""
        return replace(search_state(self.message, file, database.name), top=top, minimum=minimum)


@dataclass(frozen=True, slots=True)
class UnresolvedFile:
    """A file that Slack couldn't describe, and a sentence that says why."""

    id: str
    name: str
    problem: str


def file_search(file: SharedFile | UnresolvedFile) -> SearchState:
    """Return a search with a file, or with the URL of a picture that a message only links to."""
    link = file.link if isinstance(file, SharedFile) else ""
    return SearchState(file="" if link else file.id, url=link, name=shorten(file.name, MAX_NAME))


def search_state(message: ImageShare, file: SharedFile | UnresolvedFile, database: str) -> SearchState:
    """Return a search with a picture of a message."""
    return replace(
        file_search(file), channel=message.channel, message=message.ts, thread=message.reply_to, database=database
    )


def carried(state: AddState, pictures: Sequence[SharedFile]) -> list[AddState]:
    """Return the state with these pictures. A button carries all files of a message, or one link."""
    files = ",".join(file.id for file in pictures if not file.link)
    links = [replace(state, url=file.link) for file in pictures if file.link]
    return [*([replace(state, files=files)] if files else []), *links]
