"""Response URLs for interactions: five posts within 30 minutes."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from tests.fakes.slack.blocks.validation import refusal_of_message
from tests.fakes.slack.state import State
from tests.fakes.slack.values import Json, Message, ResponseUrl

RESPONSE_POSTS = 5
RESPONSE_SECONDS = 30 * 60


class ResponseUrls:
    """Serves ``/commands/{id}``: new messages for all or for one person, and changes of the pressed message."""

    def __init__(self, state: State) -> None:
        self._state = state

    @property
    def clock(self) -> Callable[[], float]:
        """The stand-in's clock."""
        return self._state.clock

    @clock.setter
    def clock(self, clock: Callable[[], float]) -> None:
        self._state.clock = clock

    def routes(self) -> list[web.AbstractRouteDef]:
        """Return the routes."""
        return [web.post("/commands/{id}", self._respond)]

    async def _respond(self, request: web.Request) -> web.Response:
        location = self._state.response_urls.get(request.match_info["id"])
        if location is None:
            return web.json_response({"ok": False, "error": "invalid_url"}, status=404)
        location.posts += 1
        if location.posts > RESPONSE_POSTS:
            return self._refuse("used_url", "a response URL was used too often")
        if self._state.now() - location.made_at > RESPONSE_SECONDS:
            return self._refuse("expired_url", "a response URL was used too late")
        body = await request.json()
        if body.get("delete_original") or body.get("replace_original"):
            return await self._change_original(location, body)
        return await self._say(location, body)

    def _refuse(self, error: str, what: str, status: int = 404) -> web.Response:
        self._state.fail(what)
        return web.json_response({"ok": False, "error": error}, status=status)

    def _problem(self, location: ResponseUrl, body: Json) -> web.Response | None:
        problem = refusal_of_message(self._state, self._state.workspace_of(location.channel), body)
        return self._refuse(problem.split(":")[0], f"response_url: {problem}", 400) if problem else None

    async def _change_original(self, location: ResponseUrl, body: Json) -> web.Response:
        # A command has no message, and a response URL can't change what it posted before.
        if not location.from_message:
            return self._refuse("no_original", "response_url: only a button's message can be replaced or deleted")
        original = self._state.find(location.channel, location.original)
        if original is None:
            return web.json_response({"ok": False, "error": "message_not_found"}, status=404)
        if original.user not in self._state.bot_users:
            return self._refuse("cant_update_message", "response_url: the original is not the bot's own")
        if body.get("delete_original"):
            await self._state.remove(original)
            return web.Response(text="ok")
        if refused := self._problem(location, body):
            return refused
        await self._state.edit(original, text=body["text"], blocks=tuple(body.get("blocks") or ()))
        return web.Response(text="ok")

    async def _say(self, location: ResponseUrl, body: Json) -> web.Response:
        if refused := self._problem(location, body):
            return refused
        if body.get("response_type") not in {"ephemeral", "in_channel"}:
            self._state.fail("response_url: response_type was left to chance")
        if location.from_message and body.get("replace_original") is not False:
            # Slack's documentation and behaviour differ on what then happens to the button's message.
            self._state.fail("response_url: replace_original was left to chance")
        public = body.get("response_type") == "in_channel"
        await self._state.post(
            Message(
                channel=location.channel,
                ts=self._state.ts(),
                user=self._state.workspace_of(location.channel).bot_user,
                text=body["text"],
                blocks=tuple(body.get("blocks") or ()),
                thread_ts=str(body.get("thread_ts") or ""),
                to="" if public else location.user,
                via="response_url",
            )
        )
        return web.Response(text="ok")
