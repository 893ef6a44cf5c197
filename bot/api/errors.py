"""How the hosted service says no: in the gateway's codes, or in those of the image search behind it."""

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
    """``showapi_res_code``."""

    OK = 0
    INVALID = -1
    NO_SUCH_SERVICE = -6
    KEY_MISSING = -1002
    KEY_UNKNOWN = -1010


class SearchCode(StrEnum):
    """``SearchCode`` of the image search."""

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
        """``ret_code``: the HTTP status that it has where the image search is asked directly."""
        return _NUMBERS.get(self, 400)


# The first that fits: a kind stands before the one that it is of.
_USER_ERRORS: dict[type[UserError], SearchCode] = {
    FetchTooLarge: SearchCode.FILE_SIZE,
    FetchRefused: SearchCode.ILLEGAL_URL,
    PictureRefused: SearchCode.FILE_CONTENT,
}
_NUMBERS = {SearchCode.TIMEOUT: 500, SearchCode.FAILED: 586}


class GatewayRefused(BotError):
    """The call doesn't get as far as the image search; the text is for the caller."""

    def __init__(self, code: GatewayCode, text: str) -> None:
        super().__init__(text)
        self.code = code


class CallRefused(BotError):
    """The image search refuses the call, or fails at it; the text is for the caller."""

    def __init__(self, code: SearchCode, text: str) -> None:
        super().__init__(text)
        self.code = code


def call_error(error: BotError) -> CallRefused:
    """What the service would say."""
    if isinstance(error, CallRefused):
        return error
    if isinstance(error, ModelMismatch):
        # No pictures are kept of these databases, so nothing can be looked at again.
        return CallRefused(
            SearchCode.FAILED, "The database was filled with another model: delete it, and add its images again."
        )
    if isinstance(error, UserError):
        code = next(
            (code for kind, code in _USER_ERRORS.items() if isinstance(error, kind)), SearchCode.ILLEGAL_ARGUMENT
        )
        return CallRefused(code, str(error))
    if isinstance(error, BackendError):
        return CallRefused(_failure(error), error.user_message)
    return CallRefused(SearchCode.FAILED, "Something went wrong here. Please try again later.")


def _failure(error: BackendError) -> SearchCode:
    """Where the work may have been done all the same, callers have to look: for them that is a timeout."""
    if isinstance(error, BackendThrottled):
        return SearchCode.THROTTLING
    return SearchCode.TIMEOUT if isinstance(error, BackendTimeout) or error.may_have_been_done else SearchCode.FAILED
