"""Fetches pictures over HTTP, accepts those that the real service accepts, and compares thumbnails."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Sequence

import httpx
import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from tests.fakes.hosted.values import Fetched, GatewayRefused, StoredImage, Thumbnail, UpstreamRefused, illegal

MEGABYTE = 1024 * 1024
ADD_AT_MOST = 2 * MEGABYTE
SEARCH_AT_MOST = 3 * MEGABYTE
SIDE_OVER, SIDE_UNDER = 128, 1024
ORIENTATION = 0x0112
SIDE = 16
NOTHING_ALIKE = 64.0
"""Mean difference of pixels at which the score is 0."""


class Pictures:
    """Fetches and compares pictures. ``fetched`` records each attempt."""

    def __init__(self, timeout_s: float = 5.0) -> None:
        self.timeout_s = timeout_s
        self.fetched: list[Fetched] = []

    async def thumbnail(self, url: str, at_most: int) -> Thumbnail:
        """Fetch a picture, and return its thumbnail. Raises Refused."""
        fetched = await self._fetch(url)
        try:
            picture = _checked(fetched.content, at_most)
        except UpstreamRefused as error:
            fetched = Fetched(url, fetched.status, fetched.content_type, fetched.content, error.text)
            raise
        finally:
            self.fetched.append(fetched)
        return np.asarray(picture.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BOX), np.uint8)

    async def _fetch(self, url: str) -> Fetched:
        if not url.isascii() or not url.startswith(("http://", "https://")):
            self.fetched.append(Fetched(url, problem="not an address"))
            raise UpstreamRefused("IllegalUrlParameter", "The ImageUrl is illegal.")
        try:
            async with asyncio.timeout(self.timeout_s), httpx.AsyncClient(trust_env=False) as client:
                answer = await client.get(url)
        except TimeoutError:
            self.fetched.append(Fetched(url, problem="too slow"))
            # The gateway has the same timeout.
            raise GatewayRefused(-3, "read timeout") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            self.fetched.append(Fetched(url, problem=str(error)))
            raise UpstreamRefused("IllegalUrlParameter", "The ImageUrl can't be opened.") from None
        kind = answer.headers.get("content-type", "")
        if answer.status_code != httpx.codes.OK:
            self.fetched.append(Fetched(url, answer.status_code, kind, problem="not there"))
            raise UpstreamRefused("IllegalUrlParameter", "The ImageUrl can't be opened.")
        return Fetched(url, answer.status_code, kind, answer.content)


def _checked(content: bytes, at_most: int) -> Image.Image:
    if len(content) > at_most:
        raise UpstreamRefused("InvalidFile.Size", f"The picture has more than {at_most} bytes.")
    try:
        picture = Image.open(io.BytesIO(content), formats=("JPEG", "PNG"))
        picture.load()
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError):
        raise UpstreamRefused("InvalidFile.Type", "The picture is not a JPEG or PNG.") from None
    if not all(SIDE_OVER < side < SIDE_UNDER for side in picture.size):
        raise UpstreamRefused("InvalidFile.Resolution", "The picture's sides are not inside 128 and 1024 pixels.")
    if picture.getexif().get(ORIENTATION, 1) != 1:
        raise illegal("The picture has a rotation tag.")
    return picture


def scores(wanted: Thumbnail, images: Sequence[StoredImage]) -> npt.NDArray[np.float64]:
    """Return scores from 0 to 10 in the order of the images. The same picture scores 10."""
    if not images:
        return np.zeros(0)
    thumbnails = np.stack([image.thumbnail for image in images]).astype(np.int16)
    differences = np.abs(thumbnails - wanted.astype(np.int16)).mean(axis=(1, 2, 3))
    found: npt.NDArray[np.float64] = np.round(10 * (1 - differences / NOTHING_ALIKE).clip(0, 1), 4)
    return found
