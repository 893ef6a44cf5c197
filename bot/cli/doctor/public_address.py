"""Check that PUBLIC_BASE_URL leads to our pictures: request one of them, and nothing else."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterator
from functools import partial
from http import HTTPStatus

import httpx

from bot.app.back_ends.dependencies import media_links
from bot.cli.doctor.result import CheckResult, CheckStatus
from bot.cli.session import SharedStorage
from bot.cli.terminal.exit_codes import ExitCode
from bot.config.settings import Settings
from bot.domain.errors import BackendError, SettingsError
from bot.domain.identifiers import WorkspaceId
from bot.domain.pages import PageRequest
from bot.media.links import LinkRefused
from bot.storage.sql_storage import SqlStorage

NAME = "Public address"
TIMEOUT_S = 5.0
NO_PICTURE = "doctor"
"""Stands in for a link's token. Our web server answers it with 404 and the text of ``LinkRefused``."""

_GATEWAY_ERRORS = frozenset({HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT})
_CHECK_ADDRESS = "Check that PUBLIC_BASE_URL, through any proxy, leads to this bot's HOST and PORT"


def public_address(settings: Settings, shared: SharedStorage, *, has_tables: bool) -> Iterator[CheckResult]:
    """Check the address; yield nothing without PUBLIC_BASE_URL.

    ``has_tables``: the tables are of this version, so a stored picture can be requested.
    """
    if settings.public_base_url is None:
        return
    try:
        link = shared.run(partial(_link, settings)) if has_tables else None
        yield asyncio.run(_request_picture(settings.public_base_url, link))
    except SettingsError as error:
        yield CheckResult(
            NAME, CheckStatus.WRONG, error.problems[0].removesuffix("."), "Correct PUBLIC_BASE_URL.", ExitCode.SETTINGS
        )
    except BackendError:
        # Other checks report problems of the storage.
        return


async def _request_picture(base_url: str, link: str | None) -> CheckResult:
    """Send one GET and follow no redirect. ``link`` leads to a stored picture, if there is one."""
    url = link or f"{base_url.rstrip('/')}/media/{NO_PICTURE}"
    try:
        async with (
            asyncio.timeout(TIMEOUT_S),
            httpx.AsyncClient(timeout=TIMEOUT_S, follow_redirects=False) as client,
            client.stream("GET", url) as answer,
        ):
            head = (await anext(answer.aiter_bytes(), b""))[:1000]
    except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
        return _connection_failed(base_url, error)
    return _judge_response(base_url, answer, head, is_picture=link is not None)


def _judge_response(base_url: str, answer: httpx.Response, head: bytes, *, is_picture: bool) -> CheckResult:
    if is_picture and answer.status_code == HTTPStatus.OK and answer.headers.get("content-type") == "image/jpeg":
        return CheckResult(NAME, CheckStatus.OK, f"{base_url} serves our pictures")
    is_ours = answer.status_code == HTTPStatus.NOT_FOUND and head == str(LinkRefused()).encode()
    if is_ours and not is_picture:
        return CheckResult(NAME, CheckStatus.OK, f"{base_url} leads to a bot; there is no picture to request yet")
    if is_ours:
        found = f"{base_url} leads to a bot that doesn't have our pictures"
        return CheckResult(
            NAME,
            CheckStatus.WRONG,
            found,
            f"{_CHECK_ADDRESS}, and that the bot uses the same DATABASE_URL or data directory.",
        )
    if answer.status_code in _GATEWAY_ERRORS:
        found = (
            f"a proxy at {base_url} answers {answer.status_code}: the bot isn't running, or the proxy can't reach it"
        )
        return CheckResult(NAME, CheckStatus.NOTE, found)
    if answer.is_redirect:
        remedy = "Set PUBLIC_BASE_URL to the address that it redirects to."
        return CheckResult(NAME, CheckStatus.WRONG, f"{base_url} redirects elsewhere", remedy)
    found = f"{base_url} answers {answer.status_code} instead of a picture"
    return CheckResult(NAME, CheckStatus.WRONG, found, f"{_CHECK_ADDRESS}, including its path.")


def _connection_failed(base_url: str, error: Exception) -> CheckResult:
    causes = tuple(_causes(error))
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        # The bot need not run while the doctor checks.
        return CheckResult(NAME, CheckStatus.NOTE, f"nothing listens at {base_url}; start the bot and run this again")
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        remedy = "Check the spelling of PUBLIC_BASE_URL, and the host's DNS record."
        return CheckResult(NAME, CheckStatus.WRONG, f"the host of {base_url} is unknown", remedy)
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        remedy = "Install a certificate for this host that browsers accept."
        return CheckResult(NAME, CheckStatus.WRONG, f"{base_url} has no valid certificate", remedy)
    remedy = f"{_CHECK_ADDRESS}. If only this machine can't reach its own public address, test it from another machine."
    return CheckResult(
        NAME, CheckStatus.WRONG, f"{base_url} can't be reached from here ({type(error).__name__})", remedy
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and all errors that caused it."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        if isinstance(seen, BaseExceptionGroup):
            yield from seen.exceptions
        seen = seen.__cause__ or seen.__context__


async def _link(settings: Settings, storage: SqlStorage) -> str | None:
    """Return a link to a stored picture, if there is one. Raises BackendError, and SettingsError for a bad address."""
    links = await media_links(settings, storage)
    picture = await _any_picture(storage)
    return None if links is None or picture is None else links.url(*picture)


async def _any_picture(storage: SqlStorage) -> tuple[WorkspaceId, str] | None:
    """Return the workspace and digest of any stored picture."""
    for workspace in await storage.catalogue.workspaces():
        for info in await storage.catalogue.databases(workspace):
            for record in (await storage.catalogue.page(info.key, PageRequest(limit=1))).items:
                return workspace, record.digest
    return None
