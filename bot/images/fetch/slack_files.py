"""Downloads of Slack files. The bot's token is sent to Slack only."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from typing import TypeVar

import httpx

from bot.domain.errors import FetchRefused
from bot.images.decode import formats
from bot.images.fetch import downloads
from bot.images.fetch.aiohttp_transport import AiohttpTransport

MAX_REDIRECTS = 3

SAVE_TIMEOUT_S = 300.0
"""Longest download of a file to disk: 500 MB at 2 MB a second take four minutes."""

T = TypeVar("T")

_SLACK = downloads.Server("Slack", "upload the picture again")
_OUTSIDE = "That file is stored outside Slack, where the bot can't read it. Upload the picture itself to Slack."


class SlackFiles:
    """Downloads files by their ``url_private`` and their thumbnails.

    The token is sent over https to ``slack.com`` and its subdomains, and to the origin of ``slack_api_url``, which may
    be a fake on loopback over http. Requests to Slack's content network, ``*.slack-edge.com``, carry no token.
    Redirects to any other host are refused.
    """

    def __init__(self, *, max_bytes: int, timeout_s: float, slack_api_url: str) -> None:
        self._max_bytes = max_bytes
        self._timeout_s = timeout_s
        self._save_timeout_s = max(timeout_s, SAVE_TIMEOUT_S)
        self._api_origin = _origin(httpx.URL(slack_api_url))
        self._client = httpx.AsyncClient(
            trust_env=False,
            transport=AiohttpTransport(downloads.tls_context(), timeout_s),
            timeout=timeout_s,
            headers=downloads.HEADERS,
            cookies=CookieJar(policy=DefaultCookiePolicy(allowed_domains=[])),
        )

    async def download(self, url: str, token: str) -> bytes:
        """Return the file's content. Raises FetchRefused with a message for the user."""
        async with downloads.translate_errors(_SLACK, self._timeout_s):
            return await self._follow(httpx.URL(url), token, self._content)

    async def save(self, url: str, token: str, path: Path, max_bytes: int) -> None:
        """Download a file of up to ``max_bytes`` to a path. Raises FetchRefused with a message for the user."""

        async def saved(response: httpx.Response) -> None:
            self._check_status(response)
            await downloads.save_response(response, _SLACK, path, max_bytes)

        async with downloads.translate_errors(_SLACK, self._save_timeout_s):
            await self._follow(httpx.URL(url), token, saved)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _follow(self, url: httpx.URL, token: str, receive: Callable[[httpx.Response], Awaitable[T]]) -> T:
        for _ in range(MAX_REDIRECTS + 1):
            async with self._client.stream("GET", url, headers=self._headers(url, token)) as response:
                following = response.next_request
                if following is None:
                    return await receive(response)
                url = following.url
        raise FetchRefused("Slack redirected too many times for that file. Try again later.")

    def _headers(self, url: httpx.URL, token: str) -> dict[str, str]:
        """Return the headers for a request to this URL. Raises FetchRefused if it isn't one of Slack's."""
        if url.userinfo:
            raise FetchRefused(_OUTSIDE)
        if _origin(url) == self._api_origin or _is_below(url, "slack.com"):
            return {"Authorization": f"Bearer {token}"}
        if _is_below(url, "slack-edge.com"):
            return {}
        raise FetchRefused(_OUTSIDE)

    @staticmethod
    def _check_status(response: httpx.Response) -> None:
        if response.status_code in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            raise FetchRefused(
                f"Slack doesn't let the bot read that file ({response.status_code}). Invite the bot to the file's "
                "channel, or ask an admin to check that it has the files:read scope."
            )
        if response.status_code in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}:
            raise FetchRefused(f"Slack no longer has that file ({response.status_code}). Upload it again.")

    async def _content(self, response: httpx.Response) -> bytes:
        self._check_status(response)
        content = await downloads.read_response(response, _SLACK, self._max_bytes)
        if formats.is_web_page(content):
            raise FetchRefused(
                "Slack sent its sign-in page instead of the file. Ask an admin to check that the bot has the "
                "files:read scope, and to reinstall it if it doesn't."
            )
        return content


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _is_below(url: httpx.URL, domain: str) -> bool:
    """Return whether the URL is https, on the default port, and on the domain or a subdomain.

    httpx omits the default port, so ``port`` is None.
    """
    return url.scheme == "https" and url.port is None and (url.host == domain or url.host.endswith("." + domain))
