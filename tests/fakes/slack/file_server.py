"""Files that need the bot's token."""

from __future__ import annotations

import io

from aiohttp import web
from PIL import Image

from tests.fakes.slack.state import State
from tests.fakes.slack.values import HostedFile

SIGN_IN_PAGE = (
    "<!DOCTYPE html><html><head><title>Sign in | Slack</title></head><body>Sign in to Fake team</body></html>"
)


class FileHosting:
    """Serves ``/files-pri/…`` of an origin. Without a valid token it answers with a sign-in page and status 200."""

    def __init__(self, state: State, *, is_redirect_target: bool = False) -> None:
        self._state = state
        self._is_redirect_target = is_redirect_target

    def routes(self) -> list[web.AbstractRouteDef]:
        """Return the routes."""
        return [
            web.get("/files-pri/{place}/{name}", self._download),
            web.get("/files-tmb/{place}/{size}/{name}", self._download),
            web.get("/files-tmb/{place}/{name}", self._download),
        ]

    async def _download(self, request: web.Request) -> web.Response:
        file = self._state.files.get(request.match_info["place"].partition("-")[2])
        if file is None or file.deleted:
            return web.Response(status=404)
        authorization = request.headers.get("Authorization", "")
        file.downloads.append(authorization)
        if self._is_redirect_target and authorization:
            self._state.fail("the token was sent to another origin")
        if file.refuses_token or not self._opens(authorization, file):
            return web.Response(text=SIGN_IN_PAGE, content_type="text/html")
        if file.held is not None:
            await file.held.wait()
        if file.redirect_to:
            raise web.HTTPFound(file.redirect_to.rstrip("/") + request.path)
        if "size" in request.match_info:
            return web.Response(
                body=_rendition(file.content, int(request.match_info["size"])), content_type="image/jpeg"
            )
        if request.path.startswith("/files-tmb/"):
            return web.Response(body=file.preview, content_type="image/png")
        return web.Response(body=file.content, content_type=file.info.get("mimetype") or "application/octet-stream")

    def _opens(self, authorization: str, file: HostedFile) -> bool:
        if not authorization.startswith("Bearer "):
            return False
        token = self._state.tokens.get(authorization.removeprefix("Bearer "))
        if token is None or token.revoked:
            return False
        if token.expires_at is not None and self._state.now() >= token.expires_at:
            return False
        return file.workspace in token.workspaces


def _rendition(content: bytes, side: int) -> bytes:
    with Image.open(io.BytesIO(content)) as image:
        small = image.convert("RGB")
    small.thumbnail((side, side))
    buffer = io.BytesIO()
    small.save(buffer, "JPEG")
    return buffer.getvalue()
