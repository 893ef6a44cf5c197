"""The tree of errors that this project raises deliberately.

::

    BotError
    ├── UserError              its text is shown to people as it is
    │   ├── InvalidInput       a name, number or form is invalid
    │   │   ├── EntityRefused  an id can't be used; a similar one may be suggested
    │   │   └── TableRefused   a CSV or XLSX file can't be read surely
    │   ├── UnknownDatabase
    │   ├── DatabaseExists
    │   ├── NameNotAvailable   a database that the person may not know of has it
    │   ├── UnknownEntity
    │   ├── AlreadyAdded       the database already has the picture
    │   ├── ModelMismatch      another model embedded the database's images
    │   ├── PictureRefused     not a picture, damaged, or too large
    │   ├── FetchRefused       the address can't be reached or isn't allowed
    │   │   ├── FetchFailed    temporarily
    │   │   └── FetchTooLarge  more bytes than the limit
    │   ├── CannotListen       start-up: the address is in use or not allowed
    │   ├── SlackUnavailable   start-up: Slack can't be reached or refused a token
    │   └── others next to the code that raises them: NotAllowed, NoDatabase, SeveralDatabases, LinkRefused, LinkExpired
    ├── BackendError           the search back end failed; the text is for the log
    │   ├── BackendTimeout
    │   ├── BackendRefused
    │   │   ├── BackendCredentials   the key or its permissions
    │   │   ├── BackendQuota         no calls or no money left
    │   │   ├── BackendLost          it lost a database that we created
    │   │   └── BackendCannotFetch   it can't fetch pictures from this bot
    │   ├── BackendThrottled
    │   ├── BackendDown
    │   ├── BackendGarbled     its answer is unreadable; the work may have been done
    │   └── CannotStart        start-up: storage or back end can't be opened
    ├── RetryLater             Slack is busy; the job is retried later
    └── SettingsError          start-up: every problem on its own line
"""

from __future__ import annotations

from typing import ClassVar


class BotError(Exception):
    """Root of the tree. Catch it only at the outer layers."""


class UserError(BotError):
    """An error that the person can correct. Its text is shown to them as it is.

    ``correction`` is what they wrote and what they probably meant, if it is known.
    """

    correction: tuple[str, str] | None = None


class InvalidInput(UserError):
    """A name, number or form is invalid."""

    def __init__(self, text: str, correction: tuple[str, str] | None = None) -> None:
        super().__init__(text)
        self.correction = correction


class EntityRefused(InvalidInput):
    """An id can't be used. ``suggestion`` is a similar one that can, or empty."""

    def __init__(self, text: str, written: str, suggestion: str = "") -> None:
        super().__init__(text, (written, suggestion) if suggestion else None)
        self.suggestion = suggestion


class TableRefused(InvalidInput):
    """A table can't be read surely, so nothing of it is imported. ``line`` is the line of the fault, or 0."""

    def __init__(self, name: str, reason: str, line: int = 0) -> None:
        super().__init__(f"{name}, line {line:,}: {reason}" if line else f"{name}: {reason}")
        self.line = line


class UnknownDatabase(UserError):
    """The workspace has no database of this name.

    ``did_you_mean`` is a similar name, if there is one, and ``advice`` further sentences, with a space before each.
    """

    def __init__(self, name: str, did_you_mean: str | None = None, advice: str = "") -> None:
        hint = f" Did you mean “{did_you_mean}”?" if did_you_mean else ""
        super().__init__(f"There is no database “{name}” here.{hint}{advice}")
        self.name = name
        self.did_you_mean = did_you_mean
        self.advice = advice
        self.correction = (name, did_you_mean) if did_you_mean else None


class DatabaseExists(UserError):
    """The workspace already has a database of this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"A database named “{name}” already exists. Choose another name.")
        self.name = name


class NameNotAvailable(UserError):
    """A new database can't have this name, and the person may not know why."""

    def __init__(self, name: str) -> None:
        super().__init__(f"The name “{name}” isn't available. Choose another one.")


class ChangedSince(UserError):
    """Images were added to a database after somebody was asked whether to delete it. Nothing was deleted."""

    def __init__(self, name: str, added: int) -> None:
        what = f"{added:,} {'image was' if added == 1 else 'images were'} added to" if added else "There is a new"
        super().__init__(f"{what} “{name}” since you were asked, so nothing was deleted. Ask to delete it again.")


class UnknownEntity(UserError):
    """The database has no image with this id; ``did_you_mean`` is a similar id that the person may know."""

    def __init__(self, entity: str, database: str, did_you_mean: str = "") -> None:
        hint = f" Did you mean “{did_you_mean}”?" if did_you_mean else ""
        super().__init__(f"“{database}” has no image with the id “{entity}”.{hint}")
        self.entity = entity
        self.correction = (entity, did_you_mean) if did_you_mean else None


class AlreadyAdded(UserError):
    """The database already has this picture, under an id that stays. The image may have got another origin."""

    def __init__(self, database: str, entity: str) -> None:
        super().__init__(f"This picture is already in “{database}” with the id “{entity}”.")
        self.entity = entity


class ModelMismatch(UserError):
    """Another model embedded the database's images, or the same model on a processor that computes other values."""

    def __init__(self, database: str) -> None:
        super().__init__(
            f"“{database}” was indexed with another model or version of vsearch. "
            f"Ask an admin to run `vsearch reindex {database}`."
        )
        self.database = database


class PictureRefused(UserError):
    """The file is not a readable picture, or exceeds a limit."""


class FetchRefused(UserError):
    """The address can't be reached, or the bot may not reach it."""


class FetchFailed(FetchRefused):
    """The server failed to send the picture; a later attempt may succeed."""


class FetchedWebPage(FetchRefused):
    """The address leads to a web page, not to a picture."""


class FetchTooLarge(FetchRefused):
    """The answer has more bytes than the limit."""


class CannotListen(UserError):
    """The bot can't listen on HOST and PORT. The text says why, and what to set."""


class BackendError(BotError):
    """The search back end failed.

    The text is for the log and may name internals; people read ``user_message``.
    """

    may_have_been_done = False
    """Whether the back end may have done the work despite the error. The code that raises the error sets it."""

    user_message: ClassVar[str] = "The image search can't be reached right now. Please try again in a minute."


class BackendTimeout(BackendError):
    """The back end didn't answer in time; it may have done the work."""

    user_message = "The image search took too long to answer. Please try again in a minute."


class BackendRefused(BackendError):
    """The back end understood the request and refused it."""

    user_message = "The image search refused this. Please ask an admin of this bot to check its log."


class BackendCredentials(BackendRefused):
    """The back end doesn't accept the key, or the key lacks a permission."""

    user_message = (
        "The image search doesn't accept this bot's key. Please ask an admin of this bot to check its settings."
    )


class BackendQuota(BackendRefused):
    """The account has no calls or no money left."""

    user_message = "The image search has no calls left for this bot. Please ask an admin of this bot to buy more."


class BackendLost(BackendRefused):
    """The back end lost a database that we created."""

    user_message = (
        "The image search has lost this database. Please ask an admin of this bot to run `vsearch reconcile`."
    )


class BackendCannotFetch(BackendRefused):
    """The back end can't fetch pictures from PUBLIC_BASE_URL."""

    user_message = (
        "The image search can't fetch pictures from this bot. Please ask an admin of this bot to check"
        " `PUBLIC_BASE_URL`."
    )


class BackendThrottled(BackendError):
    """The back end is limiting our rate of requests."""

    user_message = "The image search is busy right now. Please try again in a minute."


class PictureBeingRemoved(BackendThrottled):
    """A picture is being removed, or was while it was added again. Adding it once more succeeds."""


class BackendDown(BackendError):
    """The back end can't be reached or is failing."""


class BackendGarbled(BackendError):
    """The back end's answer is unreadable; it may have done the work."""

    user_message = "The image search returned an unreadable answer. Please try again in a minute."


class CannotStart(BackendError):
    """The storage or the search back end can't be opened; a later start may succeed."""


class RetryLater(BotError):
    """Slack is busy or failing. ``after_s`` is the minimum delay that it asked for, in seconds."""

    def __init__(self, text: str, after_s: float = 0.0) -> None:
        super().__init__(text)
        self.after_s = after_s


class SettingsError(BotError):
    """Settings are invalid; ``problems`` has one sentence for each."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class SlackUnavailable(UserError):
    """Slack can't be reached or refused a token."""


class TransferRefused(UserError):
    """A data transfer isn't possible. The text says why and what to do."""
