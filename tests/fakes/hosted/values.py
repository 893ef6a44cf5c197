"""Data types and errors of the stand-in for the hosted service."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

Json = dict[str, Any]

Operation = Literal["create", "databases", "drop", "add", "list", "delete", "search"]
OPERATIONS: tuple[Operation, ...] = get_args(Operation)

PATHS: dict[str, Operation] = {
    "/2475-1": "create",
    "/2475-2": "databases",
    "/2475-3": "add",
    "/2475-4": "list",
    "/2475-5": "search",
    "/2475-6": "drop",
    "/2475-7": "delete",
}


@dataclass(frozen=True, slots=True)
class Call:
    """A request. ``at`` is in seconds of the monotonic clock."""

    operation: str
    form: dict[str, str]
    query: dict[str, str]
    content_type: str
    body: bytes
    at: float


@dataclass(frozen=True, slots=True)
class Fetched:
    """A picture that the service fetched. ``problem`` says why it was refused."""

    url: str
    status: int = 0
    content_type: str = ""
    content: bytes = b""
    problem: str = ""


Thumbnail = npt.NDArray[np.uint8]


@dataclass(eq=False, slots=True)
class StoredImage:
    """An image in a database. It is visible after ``hidden_for`` listings and a point in time."""

    number: int
    data_id: str
    entity: str
    extra: str
    url: str
    thumbnail: Thumbnail
    created_ms: int
    hidden_for: int = 0
    visible_at: float = 0.0


class Refused(Exception):
    """The service refuses the request."""


class GatewayRefused(Refused):
    """A refusal by ShowAPI itself: HTTP 200, its code, and an empty body."""

    def __init__(self, code: int | str, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


class UpstreamRefused(Refused):
    """A refusal by the service behind ShowAPI."""

    def __init__(self, code: str, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.status = status


def illegal(text: str) -> UpstreamRefused:
    """Return the refusal of an invalid argument."""
    return UpstreamRefused("ClientError.IllegalArgument", text)
