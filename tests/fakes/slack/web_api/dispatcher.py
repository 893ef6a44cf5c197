"""The Web API: planned failures, rate limits, tokens and scopes are checked before the method runs."""

from __future__ import annotations

import base64
from collections import deque
from dataclasses import dataclass, field

from aiohttp import web

from tests.fakes.slack.blocks.validation import message_problem
from tests.fakes.slack.state import State
from tests.fakes.slack.values import Call, Json, Token
from tests.fakes.slack.web_api import scopes
from tests.fakes.slack.web_api.arguments import Method, Refused, merged_arguments
from tests.fakes.slack.web_api.chat import ChatMethods
from tests.fakes.slack.web_api.conversations import ConversationMethods
from tests.fakes.slack.web_api.files import FileMethods
from tests.fakes.slack.web_api.oauth import OAuthMethods
from tests.fakes.slack.web_api.people import PeopleMethods
from tests.fakes.slack.web_api.views import ViewMethods

__all__ = ["Refused", "WebApi", "message_problem"]

POSTS = {"chat.postMessage", "chat.postEphemeral"}
SERVICE_UNAVAILABLE, TOO_MANY = 503, 429


@dataclass(slots=True)
class Limit:
    """A limit of calls within a time, one second or another."""

    calls: int
    within_s: float = 1.0
    made: deque[float] = field(default_factory=deque)

    def allows(self, now: float) -> bool:
        """Return whether one more call is allowed."""
        while self.made and now - self.made[0] >= self.within_s:
            self.made.popleft()
        if len(self.made) >= self.calls:
            return False
        self.made.append(now)
        return True


class WebApi:
    """Serves ``/api/{method}``."""

    def __init__(self, state: State) -> None:
        self._state = state
        self.oauth = OAuthMethods(state)
        self.limits: dict[str, Limit] = {}
        self.one_post_a_second = False
        """Whether a conversation accepts only one message per second, as Slack's do."""
        self._posted: dict[str, Limit] = {}
        self._methods: dict[str, Method] = {
            **ChatMethods(state).methods(),
            **ConversationMethods(state).methods(),
            **FileMethods(state).methods(),
            **PeopleMethods(state).methods(),
            **ViewMethods(state).methods(),
        }

    def routes(self) -> list[web.AbstractRouteDef]:
        """Return the routes."""
        return [web.route("*", "/api/{method}", self._handle)]

    async def _handle(self, request: web.Request) -> web.Response:
        method = request.match_info["method"]
        args = await merged_arguments(request)
        authorization = request.headers.get("Authorization", "")
        token = authorization.removeprefix("Bearer ").strip() or args.pop("token", "")
        self._state.calls.append(Call(method, args, token))
        if self._state.planned[method]:
            return _planned(*self._state.planned[method].popleft())
        if not self._is_within_limits(method, args):
            limit = self.limits.get(method)
            headers = {"Retry-After": str(round(limit.within_s) if limit else 1)}
            return web.json_response({"ok": False, "error": "ratelimited"}, status=TOO_MANY, headers=headers)
        try:
            answer = await self._answer(method, args, authorization, token)
        except Refused as refusal:
            await self._state.notify()
            return web.json_response({"ok": False, "error": str(refusal)})
        await self._state.notify()
        if self._state.lost_answers[method]:
            self._state.lost_answers[method] -= 1
            return web.Response(status=SERVICE_UNAVAILABLE, text="<html>Service Unavailable</html>")
        return web.json_response({"ok": True, **answer}, headers=self._granted(token))

    def _granted(self, token: str) -> dict[str, str]:
        """Return the header that names the scopes of a token, if the workspace doesn't grant all."""
        known = self._state.tokens.get(token)
        granted = known.workspace.scopes if known else None
        return {} if granted is None else {"x-oauth-scopes": ",".join(sorted(granted))}

    async def _answer(self, method: str, args: Json, authorization: str, token: str) -> Json:
        if method == "oauth.v2.access":
            return await self.oauth.access(args | _client(authorization))
        if method == "apps.connections.open":
            return self._connections_open(token)
        if method not in self._methods:
            self._state.fail(f"unknown method {method}")
            raise Refused("unknown_method")
        known = self._check_token(token)
        if needed := scopes.missing(self._state, known.workspace, method, args):
            self._state.fail(f"missing_scope: {method} needs {needed}")
            raise Refused("missing_scope")
        return await self._methods[method](args, known)

    def _is_within_limits(self, method: str, args: Json) -> bool:
        now = self._state.now()
        limit = self.limits.get(method)
        if limit is not None and not limit.allows(now):
            return False
        if self.one_post_a_second and method in POSTS:
            return self._posted.setdefault(str(args.get("channel")), Limit(1)).allows(now)
        return True

    def _check_token(self, value: str) -> Token:
        if not value:
            raise Refused("not_authed")
        token = self._state.tokens.get(value)
        if token is None:
            raise Refused("invalid_auth")
        if token.revoked:
            raise Refused("token_revoked")
        if token.expires_at is not None and self._state.now() >= token.expires_at:
            raise Refused("token_expired")
        return token

    def _connections_open(self, token: str) -> Json:
        if token != self._state.app_token:
            raise Refused("invalid_auth" if token else "not_authed")
        ticket = f"ticket-{self._state.number()}"
        self._state.tickets.add(ticket)
        return {"url": f"{self._state.base_url.replace('http', 'ws', 1)}link?ticket={ticket}"}


def _planned(status: int, body: Json | str, headers: dict[str, str]) -> web.Response:
    if isinstance(body, str):
        return web.Response(text=body, status=status, headers=headers, content_type="text/html")
    return web.json_response(body, status=status, headers=headers)


def _client(authorization: str) -> Json:
    if not authorization.startswith("Basic "):
        return {}
    name, _, secret = base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
    return {"client_id": name, "client_secret": secret}
