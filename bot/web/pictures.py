"""``GET /media/{token}``: stored pictures, each to whoever holds a link to it. No lists, no proxying."""

from __future__ import annotations

import logging
from typing import Protocol

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from bot.errors import BackendError
from bot.media import LinkExpired, LinkRefused, MediaLinks
from bot.storage.base import Catalogue

log = logging.getLogger(__name__)

# A link always shows the same picture; kept for no longer than an hour, since it may be deleted here.
_KEPT = {"Cache-Control": "private, max-age=3600, immutable"}
_NOT_KEPT = {"Cache-Control": "no-store"}
# Bytes that a user once sent: a browser is to make nothing of them but a picture, and nobody is to find them.
_GUARDED = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
}


class Pictures(Protocol):
    """Where pictures come from."""

    async def get(self, digest: str) -> bytes:
        """The JPEG bytes. Raises KeyError."""
        ...


class PictureEndpoint:
    """Opens a link, asks the catalogue whether the workspace still has the picture, and sends it."""

    def __init__(self, links: MediaLinks, pictures: Pictures, catalogue: Catalogue) -> None:
        self._links = links
        self._pictures = pictures
        self._catalogue = catalogue

    async def answer(self, request: Request) -> Response:
        """The JPEG; 404 for a link that never was good or whose picture is gone, 410 for one that has expired."""
        try:
            jpeg = await self._jpeg(request.path_params["token"])
        except LinkExpired as error:
            return _sentence(str(error), 410)
        except (LinkRefused, KeyError):
            return _sentence(str(LinkRefused()), 404)
        except BackendError as error:
            log.warning("a picture could not be read: %s", error)
            return _sentence("The picture can't be read right now. Please try again in a minute.", 503)
        return Response(jpeg, media_type="image/jpeg", headers=_GUARDED | _KEPT)

    async def _jpeg(self, token: str) -> bytes:
        claim = self._links.read(token)
        if not await self._catalogue.holds(claim.workspace, claim.digest):
            raise LinkRefused
        return await self._pictures.get(claim.digest)


def _sentence(text: str, status: int) -> Response:
    return PlainTextResponse(text, status, headers=_GUARDED | _NOT_KEPT)
