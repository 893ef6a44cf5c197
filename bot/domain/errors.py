"""Everything that this project raises on purpose.

::

    BotError
    ├── UserError              one friendly sentence, shown as it is
    │   ├── InvalidInput       a name, a number or a form that does not fit
    │   ├── UnknownDatabase
    │   ├── DatabaseExists
    │   ├── UnknownEntity
    │   ├── AlreadyAdded       the picture is in the database already
    │   ├── ModelMismatch      the database was filled with another model
    │   ├── PictureRefused     not a picture, damaged, or beyond a limit
    │   ├── FetchRefused       the address can't be reached or isn't allowed
    │   │   ├── FetchFailed    not just now
    │   │   └── FetchTooLarge  beyond the limit of bytes
    │   ├── CannotListen       start-up: the port is taken, or isn't ours
    │   ├── SlackUnavailable   start-up: Slack can't be reached, or it refused a token
    │   └── further ones where they arise: NotAllowed, NoDatabase, SeveralDatabases, LinkRefused, LinkExpired
    ├── BackendError           the search back end failed; the text is for the log
    │   ├── BackendTimeout
    │   ├── BackendRefused
    │   │   ├── BackendCredentials   the key or its rights
    │   │   ├── BackendQuota         no calls or no money left
    │   │   ├── BackendLost          it has no such database, though we made it
    │   │   └── BackendCannotFetch   it can't fetch pictures from this bot
    │   ├── BackendThrottled
    │   ├── BackendDown
    │   ├── BackendGarbled     its answer can't be understood; the work may have been done
    │   └── CannotStart        start-up: storage or engine can't be opened
    ├── TryAgain               Slack asks for patience; the work is taken up again later
    └── SettingsError          start-up: every problem, a line each
"""

from __future__ import annotations

from typing import ClassVar


class BotError(Exception):
    """Root of the tree: catch this at the edges."""


class UserError(BotError):
    """A mistake that the person can mend; the text is shown to them word for word."""


class InvalidInput(UserError):
    """A name, a number or a form that does not fit."""


class UnknownDatabase(UserError):
    """No such database in this workspace."""

    def __init__(self, name: str, did_you_mean: str | None = None, advice: str = "") -> None:
        hint = f" Did you mean “{did_you_mean}”?" if did_you_mean else ""
        super().__init__(f"There is no database “{name}” here.{hint}{advice}")
        self.name = name
        self.did_you_mean = did_you_mean


class DatabaseExists(UserError):
    """The name is taken in this workspace."""

    def __init__(self, name: str) -> None:
        super().__init__(f"There is a database “{name}” already.")
        self.name = name


class UnknownEntity(UserError):
    """No image of that entity in the database."""

    def __init__(self, entity: str, database: str) -> None:
        super().__init__(f"“{database}” has no image of entity “{entity}”.")
        self.entity = entity


class AlreadyAdded(UserError):
    """The same picture is in the database; nothing was changed."""

    def __init__(self, database: str, entity: str) -> None:
        super().__init__(f"This picture is in “{database}” already, as entity “{entity}”.")
        self.entity = entity


class ModelMismatch(UserError):
    """The database holds another model's embeddings, or the same model's from a processor with other numbers."""

    def __init__(self, database: str) -> None:
        super().__init__(
            f"“{database}” was indexed by another model or version of vsearch; "
            f"run `vsearch reindex {database}` to go on."
        )


class PictureRefused(UserError):
    """Not a picture that can be read, or one beyond a limit."""


class FetchRefused(UserError):
    """An address that can't be reached, or that this bot may not reach."""


class FetchFailed(FetchRefused):
    """The other end is busy or broken just now; later it may give the picture."""


class FetchTooLarge(FetchRefused):
    """More bytes than are taken."""


class CannotListen(UserError):
    """The address can't be listened on; the text says why, and what to set."""


class BackendError(BotError):
    """The search back end failed.

    The text is for operators and may name internals; ``user_message`` is what people read.
    """

    may_have_been_done = False
    """Whether the work may have been done all the same; told by who raises it."""

    user_message: ClassVar[str] = "The image search can't be reached right now. Please try again in a minute."


class BackendTimeout(BackendError):
    """No answer in time; the work may have been done."""

    user_message = "The image search took too long to answer. Please try again in a minute."


class BackendRefused(BackendError):
    """The back end understood and said no."""

    user_message = "The image search refused this. Please ask an admin of this bot to look into its log."


class BackendCredentials(BackendRefused):
    """It doesn't accept our key, or the key's rights don't reach."""

    user_message = (
        "The image search doesn't accept this bot's key. Please ask an admin of this bot to check its settings."
    )


class BackendQuota(BackendRefused):
    """No calls or no money left on the account."""

    user_message = "The image search has no calls left for this bot. Please ask an admin of this bot to buy more."


class BackendLost(BackendRefused):
    """It has no such database, though we made it."""

    user_message = (
        "The image search has lost this database. Please ask an admin of this bot to run `vsearch reconcile`."
    )


class BackendCannotFetch(BackendRefused):
    """It can't fetch pictures from the address that we give it."""

    user_message = (
        "The image search can't fetch pictures from this bot. Please ask an admin of it to check `PUBLIC_BASE_URL`."
    )


class BackendThrottled(BackendError):
    """Too many requests; try again later."""

    user_message = "The image search is busy right now. Please try again in a minute."


class BackendDown(BackendError):
    """The back end can't be reached or is broken."""


class BackendGarbled(BackendError):
    """Its answer can't be understood; the work may have been done."""

    user_message = "The image search gave an answer that I don't understand. Please try again in a minute."


class CannotStart(BackendError):
    """Storage or engine can't be opened; a later start may go well."""


class RetryLater(BotError):
    """Slack is busy or unwell. ``after_s``: the least delay that it asked for, in seconds."""

    def __init__(self, text: str, after_s: float = 0.0) -> None:
        super().__init__(text)
        self.after_s = after_s


class SettingsError(BotError):
    """Settings that don't fit; ``problems`` holds one sentence each."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class SlackUnavailable(UserError):
    """Slack can't be reached, or it refused a token."""


class TransferRefused(UserError):
    """A house can't move, or not there; the text says why, and what to do."""
