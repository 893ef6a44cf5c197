"""Which copy of a file is read: the file itself, then renditions and previews, largest first."""

from __future__ import annotations

from dataclasses import replace

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.errors import FetchFailed, FetchRefused, FetchTooLarge, PictureRefused
from handlers.parsing.payloads import FileState, SharedFile
from handlers.slack.files import SharedFileReader

A, B, C = "https://files.slack.com/a", "https://files.slack.com/b", "https://files.slack.com/c"
LINK = SharedFile("link-1", FileState.READY, "v", "image/*", renditions=(B,), link=A)


def file(mimetype: str, *renditions: str) -> SharedFile:
    return SharedFile("F1", FileState.READY, "it", mimetype, 10, A, renditions)


class Server:
    """Downloads by address: content, or an error."""

    def __init__(self, **answers: Exception | bytes) -> None:
        self.asked: list[tuple[str, str]] = []
        self._answers = answers

    async def download(self, url: str, token: str) -> bytes:
        self.asked.append((url[-1], token))
        answer = self._answers[url[-1]]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def fetch(self, url: str) -> bytes:
        return await self.download(url, "")

    @property
    def reader(self) -> SharedFileReader:
        return SharedFileReader(self.download, max_bytes=100, fetch=self.fetch)


async def decode(content: bytes) -> str:
    if content == b"odd":
        raise PictureRefused("odd")
    return content.decode()


@pytest.mark.parametrize(
    ("found", "answers", "asked"),
    [
        (file("image/png", B), {"a": b"itself"}, "a"),
        (file("image/vnd.adobe.photoshop", B, C), {"a": b"odd", "b": b"largest"}, "ab"),
        (file("image/png", B, C), {"a": b"odd", "b": FetchRefused("gone"), "c": b"smaller"}, "abc"),
        (file("image/png", B), {"a": FetchTooLarge("large"), "b": b"largest"}, "ab"),
        (file("application/pdf", B), {"b": b"page"}, "b"),
        (replace(file("image/png", B), size=1000), {"b": b"largest"}, "b"),
        (LINK, {"a": b"itself"}, "a"),
        (LINK, {"a": FetchRefused("gone"), "b": b"thumbnail"}, "ab"),
    ],
)
async def test_first_readable_copy_is_taken(found: SharedFile, answers: dict[str, bytes], asked: str) -> None:
    server = Server(**answers)
    assert await server.reader.read(found, "xoxb-1", decode) in {"itself", "largest", "smaller", "page", "thumbnail"}
    assert server.asked == [(name, "" if found.link else "xoxb-1") for name in asked]


@pytest.mark.parametrize(
    ("found", "answers", "error", "said"),
    [
        (file("image/png", B), {"a": b"odd", "b": FetchRefused("gone")}, PictureRefused, "odd"),
        (file("image/png", B), {"a": FetchRefused("no access"), "b": b"x"}, FetchRefused, "no access"),
        (file("image/png", B), {"a": FetchFailed("busy"), "b": b"x"}, FetchFailed, "busy"),
        (LINK, {"a": FetchFailed("busy"), "b": b"x"}, FetchFailed, "busy"),
        (file("application/pdf"), {}, PictureRefused, "no preview"),
    ],
)
async def test_first_problem_is_told(
    found: SharedFile, answers: dict[str, bytes], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        await Server(**answers).reader.read(found, "xoxb-1", decode)


async def test_link_needs_no_answer_of_slack() -> None:
    assert await Server().reader.resolve(LINK, AsyncWebClient("xoxb-1", base_url="http://127.0.0.1:1/")) is LINK
