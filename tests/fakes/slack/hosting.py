"""Files behind the bot's token, and the response URLs of commands."""

from __future__ import annotations

import io
import time
from collections.abc import Callable

from aiohttp import web
from PIL import Image

from tests.fakes.slack.state import Message, State
from tests.fakes.slack.web_api import message_problem

SIGN_IN_PAGE = (
    "<!DOCTYPE html><html><head><title>Sign in | Slack</title></head><body>Sign in to Fake team</body></html>"
)
RESPONSE_POSTS = 5
RESPONSE_SECONDS = 30 * 60


class FileHosting:
    """``/files-pri/…`` on an origin: without a good token it answers with a sign-in page and status 200."""

    def __init__(self, state: State, *, is_redirect_target: bool = False) -> None:
        self._state = state
        self._is_redirect_target = is_redirect_target

    def routes(self) -> list[web.AbstractRouteDef]:
        """Where it listens."""
        return [
            web.get("/files-pri/{place}/{name}", self._download),
            web.get("/files-tmb/{place}/{size}/{name}", self._download),
        ]

    async def _download(self, request: web.Request) -> web.Response:
        file = self._state.files.get(request.match_info["place"].partition("-")[2])
        if file is None:
            return web.Response(status=404)
        authorization = request.headers.get("Authorization", "")
        file.downloads.append(authorization)
        if self._is_redirect_target and authorization:
            self._state.fail("the token was sent to another origin")
        if file.refuses_token or authorization != f"Bearer {self._state.bot_token}":
            return web.Response(text=SIGN_IN_PAGE, content_type="text/html")
        if file.redirect_to:
            raise web.HTTPFound(file.redirect_to.rstrip("/") + request.path)
        if "size" in request.match_info:
            return web.Response(
                body=_rendition(file.content, int(request.match_info["size"])), content_type="image/jpeg"
            )
        return web.Response(body=file.content, content_type=file.info.get("mimetype") or "application/octet-stream")


def _rendition(content: bytes, side: int) -> bytes:
    with Image.open(io.BytesIO(content)) as image:
        small = image.convert("RGB")
    small.thumbnail((side, side))
    buffer = io.BytesIO()
    small.save(buffer, "JPEG")
    return buffer.getvalue()


class ResponseUrls:
    """``/commands/{id}``: five posts within half an hour."""

    def __init__(self, state: State, clock: Callable[[], float] = time.monotonic) -> None:
        self._state = state
        self.clock = clock

    def routes(self) -> list[web.AbstractRouteDef]:
        """Where it listens."""
        return [web.post("/commands/{id}", self._respond)]

    async def _respond(self, request: web.Request) -> web.Response:
        place = self._state.response_urls.get(request.match_info["id"])
        if place is None:
            return web.json_response({"ok": False, "error": "invalid_url"}, status=404)
        place.posts += 1
        if place.posts > RESPONSE_POSTS or self.clock() - place.made_at > RESPONSE_SECONDS:
            self._state.fail("a response URL was used too often or too late")
            return web.json_response({"ok": False, "error": "used_url"}, status=404)
        body = await request.json()
        if body.get("delete_original"):
            return web.Response(text="ok")
        if problem := message_problem(body):
            self._state.fail(f"response_url: {problem}")
            return web.json_response({"ok": False, "error": problem.split(":")[0]}, status=400)
        if body.get("response_type") not in {"ephemeral", "in_channel"}:
            self._state.fail("response_url: response_type was left to chance")
        public = body.get("response_type") == "in_channel"
        await self._state.post(
            Message(
                channel=place.channel,
                ts=self._state.ts(),
                user=self._state.bot_user,
                text=body["text"],
                blocks=tuple(body.get("blocks") or ()),
                to="" if public else place.user,
                via="response_url",
            )
        )
        return web.Response(text="ok")
