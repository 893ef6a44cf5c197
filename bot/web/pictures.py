"""``GET /media/{token}``: serves a picture to anyone who has its signed link."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Protocol

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from bot.domain.errors import BackendError, FetchFailed, PictureRefused
from bot.images.thumbnails import PictureDamaged
from bot.media.links import LinkExpired, LinkRefused, MediaLinks, RelayClaim
from bot.storage.ports.catalogue import Catalogue
from bot.storage.ports.pictures import RelayedPictures

log = logging.getLogger(__name__)

# A link always leads to the same picture. Cache it for an hour at most, since it may be deleted.
_CACHEABLE = {"Cache-Control": "private, max-age=3600, immutable"}
_JPEG = b"\xff\xd8\xff"
_NOT_CACHEABLE = {"Cache-Control": "no-store"}
# Users sent these bytes. Browsers must treat them only as a picture, and search engines must not index them.
_SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
}


class StoredPictures(Protocol):
    """Port for reading stored pictures."""

    async def get(self, digest: str) -> bytes:
        """Return the JPEG bytes. Raises KeyError if there is no such picture, and BackendError."""
        ...


class PictureEndpoint:
    """Sends the picture of a signed link: a stored one that its workspace still has, or a relayed one."""

    def __init__(
        self, links: MediaLinks, pictures: StoredPictures, catalogue: Catalogue, relayed: RelayedPictures
    ) -> None:
        self._links = links
        self._pictures = pictures
        self._catalogue = catalogue
        self._relayed = relayed

    async def answer(self, request: Request) -> Response:
        """Answer with the JPEG; 404 for a bad link or no such picture, 410 for an expired link, 503 on errors.

        A missing or damaged picture counts as none, and leaves a line in the log.
        """
        try:
            return await self._picture(request.path_params["token"])
        except LinkExpired as error:
            return _sentence(str(error), 410)
        except (LinkRefused, KeyError):
            return _sentence(str(LinkRefused()), 404)
        except (BackendError, FetchFailed, PictureRefused) as error:
            # The last two: too many pictures wait to be decoded, or this one took too long.
            log.warning("a picture could not be read: %s", error)
            return _sentence("The picture can't be read right now. Please try again in a minute.", 503)

    async def _picture(self, token: str) -> Response:
        claim = self._links.read(token)
        if isinstance(claim, RelayClaim):
            return _jpeg(await self._relayed.get(claim.relay_id), _NOT_CACHEABLE)
        if not await self._catalogue.holds(claim.workspace, claim.digest):
            raise LinkRefused
        return _jpeg(await self._stored(claim.digest), _CACHEABLE)

    async def _stored(self, digest: str) -> bytes:
        try:
            content = await self._pictures.get(digest)
        except PictureDamaged:
            raise  # already logged
        except KeyError:
            # The catalogue has the picture, so it should be there.
            log.warning("the stored picture %s is missing", digest)
            raise
        if not content.startswith(_JPEG):
            log.warning("the stored picture %s is damaged: it is no JPEG", digest)
            raise LinkRefused
        return content


def _jpeg(content: bytes, caching: Mapping[str, str]) -> Response:
    return Response(content, media_type="image/jpeg", headers={**_SECURITY_HEADERS, **caching})


def _sentence(text: str, status: int) -> Response:
    return PlainTextResponse(text, status, headers=_SECURITY_HEADERS | _NOT_CACHEABLE)
