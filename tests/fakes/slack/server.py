"""The stand-in itself: start it, set up workspaces and people, plan failures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from tests.fakes.slack.base import GENERAL, SOMEONE
from tests.fakes.slack.delivery.response_urls import ResponseUrls
from tests.fakes.slack.file_server import FileHosting
from tests.fakes.slack.people.interactions import InteractionActions
from tests.fakes.slack.people.observation import Observations
from tests.fakes.slack.values import Channel, ConversationKind, Person, Workspace
from tests.fakes.slack.web_api.dispatcher import TOO_MANY, Limit, WebApi
from tests.fakes.slack.web_api.files import FileMethods

__all__ = ["GENERAL", "SOMEONE", "FakeSlack"]

HOST = "127.0.0.1"
ERROR_PAGE = "<html><body><h1>Server Error</h1></body></html>"


class FakeSlack(InteractionActions, Observations):
    """An async context manager that listens on 127.0.0.1. A bot connects to ``api_url``."""

    def __init__(self) -> None:
        super().__init__()
        self.response_urls = ResponseUrls(self.state)
        self.web_api = WebApi(self.state)
        self.oauth = self.web_api.oauth
        self.other_origin = ""
        self._runners: list[web.AppRunner] = []

    async def __aenter__(self) -> Self:
        """Listen on two ports: Slack, and another origin to which it redirects downloads on request."""
        routes = [*self.web_api.routes(), *self.socket_mode.routes(), *self.response_urls.routes()]
        routes += FileMethods(self.state).routes()
        self.state.base_url = await self._listen([*routes, *FileHosting(self.state).routes()])
        self.other_origin = await self._listen(FileHosting(self.state, is_redirect_target=True).routes())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Disconnect and stop listening."""
        await self.socket_mode.close()
        if self.http_mode is not None:
            await self.http_mode.close()
        for runner in self._runners:
            await runner.cleanup()

    async def _listen(self, routes: list[web.AbstractRouteDef]) -> str:
        app = web.Application(client_max_size=64 * 1024**2)
        app.add_routes(routes)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        self._runners.append(runner)
        site = web.TCPSite(runner, HOST, 0)
        await site.start()
        port = runner.addresses[0][1]
        return f"http://{HOST}:{port}/"

    @property
    def api_url(self) -> str:
        """The value of SLACK_API_URL."""
        return f"{self.state.base_url}api/"

    @property
    def environment(self) -> dict[str, str]:
        """Settings of a bot for this stand-in, over HTTP if ``http`` was called."""
        settings = {"SLACK_API_URL": self.api_url, "SLACK_BOT_TOKEN": self.state.bot_token}
        if self.http_mode is not None:
            return settings | {"SLACK_SIGNING_SECRET": self.http_mode.signing_secret}
        return settings | {"SLACK_APP_TOKEN": self.state.app_token}

    @property
    def oauth_environment(self) -> dict[str, str]:
        """Settings of a bot that many workspaces install. The OAuth state secret is the bot's own."""
        return {"SLACK_CLIENT_ID": self.oauth.client_id, "SLACK_CLIENT_SECRET": self.oauth.client_secret}

    @property
    def people(self) -> dict[str, Person]:
        """People by id. Unknown ids become plain members on first use."""
        return self.state.people

    def add_person(self, identifier: str, name: str = "someone", **flags: bool) -> Person:
        """Add a person. Flags: ``is_admin``, ``is_owner``, ``is_restricted``, ``is_ultra_restricted``, ``is_bot``."""
        self.state.people[identifier] = Person(identifier, name, **flags)
        return self.state.people[identifier]

    def add_group(self, identifier: str, handle: str, members: Iterable[str]) -> None:
        """Add a user group, or replace it."""
        self.state.groups[identifier] = (handle, frozenset(members))

    def add_workspace(
        self,
        team: str,
        name: str,
        bot_token: str = "",
        *,
        bot_user: str = "",
        enterprise: str = "",
        org_install: bool = False,
    ) -> Workspace:
        """Add a workspace with its own bot. Without a token, the app is not installed there yet."""
        workspace = Workspace(team, name, bot_user or f"UBOT{team}", f"BBOT{team}", "", enterprise, org_install)
        self.state.workspaces.append(workspace)
        if bot_token:
            self.state.give_token(workspace, bot_token)
        return workspace

    def add_channel(
        self,
        identifier: str,
        name: str,
        *,
        private: bool = False,
        bot_is_member: bool = True,
        kind: ConversationKind = "public",
        members: list[str] | None = None,
        team: str = "",
        guests: tuple[str, ...] = (),
    ) -> Channel:
        """Add a conversation. ``members`` are people; ``guests`` are the other workspaces of a shared channel."""
        channel = Channel(
            identifier,
            name,
            self.state.workspace(team),
            "private" if private and kind == "public" else kind,
            private or kind in {"private", "im", "mpim"},
            bot_is_member,
            [SOMEONE] if members is None else list(members),
            tuple(self.state.workspace(guest) for guest in guests),
        )
        self.state.channels[identifier] = channel
        return channel

    def refuse_next(
        self,
        method: str,
        error: str,
        *,
        status: int = 200,
        retry_after_s: int | None = None,
        times: int = 1,
        messages: Sequence[str] = (),
    ) -> None:
        """Let the next call of a method fail. ``messages``: what Slack says is wrong with the blocks."""
        headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}
        answer: dict[str, Any] = {"ok": False, "error": error}
        if messages:
            answer["response_metadata"] = {"messages": list(messages)}
        for _ in range(times):
            self.state.planned[method].append((status, answer, headers))

    def break_next(self, method: str, *, status: int = 503, times: int = 1) -> None:
        """Let the next calls of a method get a server error page, without doing the work."""
        for _ in range(times):
            self.state.planned[method].append((status, ERROR_PAGE, {}))

    def lose_next_answer(self, method: str, *, times: int = 1) -> None:
        """Let the next calls of a method do the work, but answer 503."""
        self.state.lost_answers[method] += times

    def rate_limit(
        self, method: str, *, per_second: int | None = None, next_calls: int = 0, retry_after_s: int = 1
    ) -> None:
        """Limit the calls of a method per second, or refuse the next ones: 429 with Retry-After."""
        if per_second is not None:
            self.web_api.limits[method] = Limit(per_second)
        self.refuse_next(method, "ratelimited", status=TOO_MANY, retry_after_s=retry_after_s, times=next_calls)

    def limit_histories(self, *, per_minute: int, page: int = 999) -> None:
        """Limit the calls that read a history, and its pages: 50 a minute, or 1 with 15 messages."""
        for method in ("conversations.history", "conversations.replies"):
            self.web_api.limits[method] = Limit(per_minute, within_s=60.0)
        self.state.history_page = page

    def limit_posts_to_one_a_second(self) -> None:
        """Limit each conversation to one message per second, as Slack does."""
        self.web_api.one_post_a_second = True

    def tolerate_silence(self) -> None:
        """Don't count missing acknowledgements as failures any more. For tests that kill the bot."""
        self.state.silence_is_fine = True

    def grant_scopes(self, *scopes: str, team: str = "") -> None:
        """Let a workspace grant only these scopes."""
        self.state.workspace(team).scopes = frozenset(scopes)

    def expire_token(self, *, team: str = "") -> None:
        """Let the bot's token of a workspace expire now."""
        token = self.state.tokens[self.state.workspace(team).bot_token]
        token.expires_at = self.state.now()

    def approve_install(
        self, authorize_url: str, *, team: str = "", user: str = SOMEONE, for_organisation: bool = False
    ) -> str:
        """Approve the installation of an authorize address. Return the app's redirect address with the code."""
        return self.oauth.approve(authorize_url, self.state.workspace(team), user, for_organisation=for_organisation)
