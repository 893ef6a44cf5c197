"""``GET /media/{token}``: pictures, each to whoever holds a link to it. No lists, no proxying."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Protocol

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from bot.domain.errors import BackendError
from bot.media.links import LinkExpired, LinkRefused, MediaLinks, RelayClaim
from bot.storage.ports.catalogue import Catalogue
from bot.storage.ports.pictures import RelayedPictures

log = logging.getLogger(__name__)

# A link always shows the same picture; kept for no longer than an hour, since it may be deleted here.
_CACHEABLE = {"Cache-Control": "private, max-age=3600, immutable"}
_NOT_CACHEABLE = {"Cache-Control": "no-store"}
# Bytes that a user once sent: a browser is to make nothing of them but a picture, and nobody is to find them.
_SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
}


class StoredPictures(Protocol):
    """Where stored pictures come from."""

    async def get(self, digest: str) -> bytes:
        """The JPEG bytes. Raises KeyError."""
        ...


class PictureEndpoint:
    """Opens a link and sends its picture: a stored one if the workspace still has it, or one that is relayed."""

    def __init__(
        self, links: MediaLinks, pictures: StoredPictures, catalogue: Catalogue, relayed: RelayedPictures
    ) -> None:
        self._links = links
        self._pictures = pictures
        self._catalogue = catalogue
        self._relayed = relayed

    async def answer(self, request: Request) -> Response:
        """The JPEG; 404 for a link that never was good or whose picture is gone, 410 for one that has expired."""
        try:
            return await self._picture(request.path_params["token"])
        except LinkExpired as error:
            return _sentence(str(error), 410)
        except (LinkRefused, KeyError):
            return _sentence(str(LinkRefused()), 404)
        except BackendError as error:
            log.warning("a picture could not be read: %s", error)
            return _sentence("The picture can't be read right now. Please try again in a minute.", 503)

    async def _picture(self, token: str) -> Response:
        claim = self._links.read(token)
        if isinstance(claim, RelayClaim):
            return _jpeg(await self._relayed.get(claim.relay_id), _NOT_CACHEABLE)
        if not await self._catalogue.holds(claim.workspace, claim.digest):
            raise LinkRefused
        return _jpeg(await self._pictures.get(claim.digest), _CACHEABLE)


def _jpeg(content: bytes, caching: Mapping[str, str]) -> Response:
    return Response(content, media_type="image/jpeg", headers={**_SECURITY_HEADERS, **caching})


def _sentence(text: str, status: int) -> Response:
    return PlainTextResponse(text, status, headers=_SECURITY_HEADERS | _NOT_CACHEABLE)
