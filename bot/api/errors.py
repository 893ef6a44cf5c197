"""Maps errors to the hosted service's: the codes of its gateway, and those of the image search behind it."""

from __future__ import annotations

from enum import IntEnum, StrEnum

from bot.domain.errors import (
    BackendError,
    BackendThrottled,
    BackendTimeout,
    BotError,
    FetchRefused,
    FetchTooLarge,
    ModelMismatch,
    PictureRefused,
    UserError,
)


class GatewayCode(IntEnum):
    """Values of ``showapi_res_code``."""

    OK = 0
    INVALID = -1
    NO_SUCH_SERVICE = -6
    KEY_MISSING = -1002
    KEY_UNKNOWN = -1010


class SearchCode(StrEnum):
    """Values of ``Code``, the error names of the image search."""

    ILLEGAL_ARGUMENT = "ClientError.IllegalArgument"
    ILLEGAL_URL = "IllegalUrlParameter"
    FILE_TYPE = "InvalidFile.Type"
    FILE_SIZE = "InvalidFile.Size"
    FILE_RESOLUTION = "InvalidFile.Resolution"
    FILE_CONTENT = "InvalidFile.Content"
    THROTTLING = "Throttling"
    TIMEOUT = "InternalError.Timeout"
    FAILED = "InternalError.Algo"

    @property
    def number(self) -> int:
        """The ``ret_code``: the HTTP status that the image search itself returns with this error."""
        return _NUMBERS.get(self, 400)


# The first match wins, so subclasses come before their base classes.
_USER_ERRORS: dict[type[UserError], SearchCode] = {
    FetchTooLarge: SearchCode.FILE_SIZE,
    FetchRefused: SearchCode.ILLEGAL_URL,
    PictureRefused: SearchCode.FILE_CONTENT,
}
_NUMBERS = {SearchCode.TIMEOUT: 500, SearchCode.FAILED: 586}


class GatewayRefused(BotError):
    """The gateway refuses the call before the image search gets it. The text is for the caller."""

    def __init__(self, code: GatewayCode, text: str) -> None:
        super().__init__(text)
        self.code = code


class CallRefused(BotError):
    """The image search refuses the call or fails. The text is for the caller."""

    def __init__(self, code: SearchCode, text: str) -> None:
        super().__init__(text)
        self.code = code


def call_error(error: BotError) -> CallRefused:
    """Return the error that the hosted service would return."""
    if isinstance(error, CallRefused):
        return error
    if isinstance(error, ModelMismatch):
        # Pictures of API databases are not stored, so they can't be reindexed.
        message = "Another model computed this database's embeddings. Delete the database and add its images again."
        return CallRefused(SearchCode.FAILED, message)
    if isinstance(error, UserError):
        code = next(
            (code for kind, code in _USER_ERRORS.items() if isinstance(error, kind)), SearchCode.ILLEGAL_ARGUMENT
        )
        return CallRefused(code, str(error))
    if isinstance(error, BackendError):
        return CallRefused(_failure(error), error.user_message)
    return CallRefused(SearchCode.FAILED, "Something went wrong. Please try again later.")


def _failure(error: BackendError) -> SearchCode:
    """Return the code for a back end's failure.

    If the work may have been done, it is a timeout, after which callers check whether the image exists.
    """
    if isinstance(error, BackendThrottled):
        return SearchCode.THROTTLING
    return SearchCode.TIMEOUT if isinstance(error, BackendTimeout) or error.may_have_been_done else SearchCode.FAILED
