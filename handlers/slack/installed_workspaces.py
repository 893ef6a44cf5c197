"""Tokens of OAuth installations: read from the store, cached for a minute, and rotated before they expire."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from itertools import chain, repeat
from typing import Protocol

from cachetools import TTLCache
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.errors import SlackApiError, SlackTokenRotationError
from slack_sdk.oauth.installation_store import Bot
from slack_sdk.oauth.token_rotation.async_rotator import AsyncTokenRotator
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.errors import RetryLater
from bot.domain.identifiers import WorkspaceId
from handlers.slack.clients import web_client
from handlers.slack_errors import UNREACHABLE, code_of

log = logging.getLogger(__name__)

CACHE_TTL_S = 60
CACHE_SIZE = 10_000

ROTATE_BEFORE_MINUTES = 120
"""Rotate a token that expires within this time. Rotating tokens are valid for twelve hours."""

EXPIRY_MARGIN_S = 60
"""A token that expires within this time may expire during use."""

SAVE_DELAYS_S = (1.0, 5.0, 15.0, 60.0)
"""Delays between attempts to save a rotated token. The last one repeats."""

LAST_SAVE_DELAY_S = 0.2
SAVED_WITHIN_S = 5.0
"""How long a stop waits for rotated tokens to be saved."""

MAX_ROTATION_WAIT_S = 1.0
"""How long a delivery waits for a new token while the old one is valid, because Slack expects an acknowledgement."""

_REFRESH_TOKEN_DEAD = frozenset(
    {"invalid_refresh_token", "token_revoked", "token_expired", "account_inactive", "invalid_auth"}
)
"""Errors that a retry can't fix."""


class TokenStore(Protocol):
    """The part of the installation store that holds the bots' tokens."""

    async def async_find_bot(
        self, *, enterprise_id: str | None, team_id: str | None, is_enterprise_install: bool | None = False
    ) -> Bot | None:
        """Return the bot of a workspace, or of its organisation."""
        ...

    async def save_rotated(self, old: Bot, new: Bot) -> bool:
        """Replace tokens. Return False, and save nothing, if ``old`` isn't stored any more."""
        ...


class InstalledClients:
    """``Clients`` with the tokens of OAuth installations, rotated before they expire."""

    def __init__(
        self,
        store: TokenStore,
        client_id: str,
        client_secret: str,
        base_url: str,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._base_url = base_url
        self._clock = clock
        self._rotator = AsyncTokenRotator(
            client_id=client_id, client_secret=client_secret, client=web_client(None, base_url)
        )
        self._bots: TTLCache[tuple[str, str], Bot] = TTLCache(CACHE_SIZE, CACHE_TTL_S)
        self._rotating: dict[str, asyncio.Task[Bot | None]] = {}
        self._changes = 0
        self._unsaved: dict[str, Bot] = {}
        """Rotated tokens that could not be saved yet, by the refresh token that was used up for them."""
        self._saving: set[asyncio.Task[None]] = set()
        self._closing = asyncio.Event()

    async def authorize(
        self, enterprise_id: str | None, team_id: str | None, *, is_enterprise_install: bool = False
    ) -> AuthorizeResult | None:
        """Return the workspace's token, or that of its organisation. Raises RetryLater and BackendError."""
        bot = await self._bot(enterprise_id or "", team_id or "", is_enterprise_install=is_enterprise_install)
        if bot is None:
            return None
        return AuthorizeResult(
            enterprise_id=enterprise_id,
            team_id=team_id or bot.team_id,
            bot_user_id=bot.bot_user_id,
            bot_id=bot.bot_id,
            bot_token=bot.bot_token,
        )

    async def client(self, workspace: WorkspaceId, enterprise: str) -> AsyncWebClient | None:
        """Return a client with the token of ``authorize``. Raises RetryLater and BackendError."""
        bot = await self._bot(enterprise, workspace)
        return None if bot is None else web_client(bot.bot_token, self._base_url)

    def forget(self, workspace: WorkspaceId, enterprise: str) -> None:
        """Drop cached installations of the workspace, or of the organisation if ``workspace`` is empty."""
        self._changes += 1
        changed = [key for key in self._bots if (key[1] == workspace if workspace else key[0] == enterprise)]
        for key in changed:
            self._bots.pop(key, None)

    async def close(self) -> None:
        """Wait for running rotations, and for some seconds until their tokens are saved.

        A token that isn't saved is lost, and its old refresh token no longer works.
        """
        if self._rotating:
            await asyncio.wait(set(self._rotating.values()))
        self._closing.set()
        if self._saving:
            _, unsaved = await asyncio.wait(self._saving, timeout=SAVED_WITHIN_S)
            for task in unsaved:
                task.cancel()
                log.error("%s was not saved: install the app again", task.get_name())

    async def _bot(self, enterprise: str, team: str, *, is_enterprise_install: bool = False) -> Bot | None:
        key = (enterprise, team)
        known = self._bots.get(key)
        if known is not None:
            return known
        changes = self._changes
        found = await self._stored(enterprise, team, is_enterprise_install)
        bot = None if found is None else await self._with_valid_token(found)
        # Don't cache a result that was read before an installation changed.
        if bot is not None and changes == self._changes:
            self._bots[key] = bot
        return bot

    async def _stored(self, enterprise: str | None, team: str | None, is_enterprise_install: bool | None) -> Bot | None:
        return await self._store.async_find_bot(
            enterprise_id=enterprise or None, team_id=team or None, is_enterprise_install=is_enterprise_install
        )

    async def _with_valid_token(self, bot: Bot) -> Bot | None:
        """Return the bot with a valid token, rotated if it expires soon.

        Return None if the token has expired and can't be rotated. Raises RetryLater if Slack can't rotate it now.
        """
        refresh_token = bot.bot_refresh_token
        if refresh_token is None:
            return bot
        stored, bot = bot, self._unsaved.get(refresh_token, bot)
        if self._is_valid_for(bot, ROTATE_BEFORE_MINUTES * 60):
            return bot
        # A refresh token works only once, so concurrent requests share one rotation.
        task = self._rotating.get(refresh_token)
        if task is None:
            task = asyncio.create_task(self._rotate(stored, bot), name="token rotation")
            self._rotating[refresh_token] = task
            task.add_done_callback(lambda _: self._rotating.pop(refresh_token, None))
        await asyncio.wait({task}, timeout=MAX_ROTATION_WAIT_S if self._is_valid_for(bot, EXPIRY_MARGIN_S) else None)
        return task.result() if task.done() else bot

    async def _rotate(self, stored: Bot, bot: Bot) -> Bot | None:
        """Rotate a token and save it in place of the stored one, which differs if that could not be saved yet."""
        name = bot.team_id or bot.enterprise_id
        try:
            rotated = await self._rotator.perform_bot_token_rotation(
                bot=bot, minutes_before_expiration=ROTATE_BEFORE_MINUTES
            )
        except (SlackTokenRotationError, *UNREACHABLE) as error:
            return await self._after_failed_rotation(bot, error)
        if rotated is None:
            return bot
        log.info("rotated the token of %s", name)
        try:
            return await self._save(stored, rotated)
        except Exception:
            log.exception("could not save the rotated token of %s; it is in use, and saved later", name)
            self._save_later(stored, rotated)
            return rotated

    async def _save(self, old: Bot, new: Bot) -> Bot | None:
        """Save a rotated token and return it.

        If the app was uninstalled or installed again since, save nothing, and return what is stored now.
        """
        if await self._store.save_rotated(old, new):
            return new
        return await self._stored(old.enterprise_id, old.team_id, old.is_enterprise_install)

    def _save_later(self, old: Bot, new: Bot) -> None:
        refresh_token = old.bot_refresh_token
        assert refresh_token is not None
        is_saving = refresh_token in self._unsaved
        self._unsaved[refresh_token] = new
        if not is_saving:
            name = f"the rotated token of {new.team_id or new.enterprise_id}"
            task = asyncio.create_task(self._save_until_done(old, refresh_token), name=name)
            self._saving.add(task)
            task.add_done_callback(self._saving.discard)

    async def _save_until_done(self, old: Bot, refresh_token: str) -> None:
        for delay in chain(SAVE_DELAYS_S, repeat(SAVE_DELAYS_S[-1])):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(delay):
                    await self._closing.wait()
                    await asyncio.sleep(LAST_SAVE_DELAY_S)
            new = self._unsaved[refresh_token]
            try:
                saved = await self._store.save_rotated(old, new)
            except Exception as error:  # noqa: BLE001 - the token must not be lost, whatever is wrong
                log.warning("a rotated token can't be saved yet: %s", error or type(error).__name__)
                continue
            if self._unsaved[refresh_token] is new:
                log.info("saved a rotated token" if saved else "dropped a rotated token: the installation has changed")
                break
        self._changes += 1
        del self._unsaved[refresh_token]

    async def _after_failed_rotation(self, bot: Bot, error: Exception) -> Bot | None:
        """After a failed rotation, return another process's new token, the old one while it is valid, or None."""
        cause = getattr(error, "api_error", error)
        reason = code_of(cause) if isinstance(cause, SlackApiError) else type(cause).__name__
        now = await self._stored(bot.enterprise_id, bot.team_id, bot.is_enterprise_install)
        if now is not None and now.bot_refresh_token != bot.bot_refresh_token:
            return now
        name = bot.team_id or bot.enterprise_id
        if self._is_valid_for(bot, EXPIRY_MARGIN_S):
            log.warning("could not rotate the token of %s (%s); the old one is still valid", name, reason)
            return bot
        if reason in _REFRESH_TOKEN_DEAD:
            log.error("the token of %s has expired and can't be rotated (%s); install the app again", name, reason)
            return None
        raise RetryLater(f"Slack would not rotate the bot's token ({reason})") from error

    def _is_valid_for(self, bot: Bot, seconds: float) -> bool:
        return bot.bot_token_expires_at is None or bot.bot_token_expires_at > self._clock() + seconds
