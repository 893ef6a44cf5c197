"""Bytes of any kind to a verified Picture: decoded under limits, upright, sRGB, without metadata."""

from __future__ import annotations

import asyncio
import hashlib
import io
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from bot.domain.errors import PictureRefused
from bot.domain.pictures import Picture
from bot.images.decode import colour, formats

T = TypeVar("T")

JPEG_QUALITY = 88

_ORIENTATION = 0x0112
_TILE_WIDTH, _TILE_LENGTH = 322, 323

_DRAFT_SHARE = 0.88
"""A JPEG may come out of its decoder this much smaller than the side allowed: 4032 px give 1008 with no resampling."""

_MAX_SCANS = 40
"""Of a progressive JPEG; encoders write about ten, and each costs a pass over the whole picture."""

_UPRIGHT: dict[int, Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.uint8]]] = {
    2: lambda stored: cv2.flip(stored, 1),
    3: lambda stored: cv2.rotate(stored, cv2.ROTATE_180),
    4: lambda stored: cv2.flip(stored, 0),
    5: cv2.transpose,
    6: lambda stored: cv2.rotate(stored, cv2.ROTATE_90_CLOCKWISE),
    7: lambda stored: cv2.flip(cv2.transpose(stored), -1),
    8: lambda stored: cv2.rotate(stored, cv2.ROTATE_90_COUNTERCLOCKWISE),
}
"""By the EXIF orientation: what makes the stored rows upright."""


@dataclass(frozen=True, slots=True)
class PictureLimits:
    """What is taken. ``max_side`` is that of the result, in pixels; larger pictures are scaled down to it."""

    max_bytes: int = 25_000_000
    max_pixels: int = 50_000_000
    max_side: int = 1023
    seconds: float = 10.0


DEFAULT_LIMITS = PictureLimits()


def normalise(data: bytes, limits: PictureLimits = DEFAULT_LIMITS) -> Picture:
    """Verify and decode a picture. Raises PictureRefused with one sentence.

    Pure CPU work of some milliseconds to about a second: call it off the event loop, as Normaliser does. Bytes,
    pixels and scans are checked before anything is decoded, and only the first frame is; ``limits.seconds`` is
    Normaliser's to hold.
    """
    if len(data) > limits.max_bytes:
        raise PictureRefused(formats.too_many_bytes(limits.max_bytes))
    found = formats.detect_format(data)
    try:
        with _opened(data, found, limits) as image:
            size = image.size
            pixels, orientation = _decoded(image, limits.max_side)
    except PictureRefused:
        raise
    except Exception as error:  # a decoder given hostile bytes raises anything
        raise PictureRefused(f"The {found.name} is damaged or incomplete: save it again and send the copy.") from error
    if orientation in _UPRIGHT:
        pixels = np.ascontiguousarray(_UPRIGHT[orientation](pixels))
        size = size if orientation < 5 else size[::-1]  # noqa: PLR2004 - 5 to 8 lie on their side
    pixels.flags.writeable = False
    return Picture(
        pixels=pixels,
        digest=_digest(pixels),
        source_digest=hashlib.sha256(data).hexdigest(),
        source_format=found.name,
        source_size=size,
    )


def encode_jpeg(picture: Picture) -> bytes:
    """The picture as a JPEG without metadata: what is stored and shown."""
    encoded = io.BytesIO()
    Image.fromarray(picture.pixels).save(encoded, "JPEG", quality=JPEG_QUALITY)
    return encoded.getvalue()


def decode_stored(jpeg: bytes, limits: PictureLimits = DEFAULT_LIMITS) -> Picture:
    """A picture back from what ``encode_jpeg`` gave. Raises PictureRefused when the file has been damaged."""
    return normalise(jpeg, limits)


class Normaliser:
    """``normalise`` off the event loop, at most ``threads`` pictures at a time.

    Takes the executor given, and leaves it open, or owns one. A decode that outlasts ``limits.seconds`` is refused
    at once, but its thread can't be stopped: it keeps its slot until it is done, which the limits on bytes, pixels
    and scans make a matter of seconds.
    """

    def __init__(
        self, limits: PictureLimits = DEFAULT_LIMITS, *, threads: int = 2, executor: ThreadPoolExecutor | None = None
    ) -> None:
        self.limits = limits
        self._owned = None if executor else ThreadPoolExecutor(threads, thread_name_prefix="pictures")
        self._executor = executor or self._owned
        self._slots = asyncio.Semaphore(threads)
        # Pillow's own ceiling of about 89 megapixels (it warns there and refuses at twice that) must not undercut ours.
        Image.MAX_IMAGE_PIXELS = max(Image.MAX_IMAGE_PIXELS or 0, limits.max_pixels)

    async def __call__(self, data: bytes) -> Picture:
        """As ``picture``."""
        return await self.picture(data)

    async def picture(self, data: bytes) -> Picture:
        """Verify and decode. Raises PictureRefused."""
        return await self._run(lambda: normalise(data, self.limits))

    async def jpeg(self, picture: Picture) -> bytes:
        """Encode for the store."""
        return await self._run(lambda: encode_jpeg(picture))

    async def picture_and_jpeg(self, data: bytes) -> tuple[Picture, bytes]:
        """Both, in one go. Raises PictureRefused."""

        def work() -> tuple[Picture, bytes]:
            picture = normalise(data, self.limits)
            return picture, encode_jpeg(picture)

        return await self._run(work)

    async def run(self, work: Callable[[], T]) -> T:
        """Other work of the same kind, in the same slots. Raises PictureRefused when it takes too long."""
        return await self._run(work)

    async def close(self) -> None:
        """Take no more work."""
        if self._owned:
            self._owned.shutdown(wait=False, cancel_futures=True)

    async def _run(self, work: Callable[[], T]) -> T:
        await self._slots.acquire()
        try:
            future = asyncio.get_running_loop().run_in_executor(self._executor, work)
        except BaseException:
            self._slots.release()
            raise
        future.add_done_callback(self._finished)
        try:
            async with asyncio.timeout(self.limits.seconds):
                # Shielded, so that the slot is free when the thread is and no sooner.
                return await asyncio.shield(future)
        except TimeoutError:
            raise PictureRefused(
                f"The picture took longer than {self.limits.seconds:g} seconds to read: "
                "save it as an ordinary JPEG and send that."
            ) from None

    def _finished(self, future: asyncio.Future[T]) -> None:
        self._slots.release()
        if not future.cancelled():
            future.exception()  # or asyncio complains of one that nobody waited for any more


def _opened(data: bytes, found: formats.Format, limits: PictureLimits) -> Image.Image:
    """The header read, the pixels not yet. Raises PictureRefused for what would be dear to decode."""
    if found is formats.HEIC:
        _register_heic()
    try:
        image = Image.open(io.BytesIO(data), formats=(found.decoder,))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise PictureRefused(
            f"The picture has far more than the {limits.max_pixels / 1_000_000:g} megapixels that are read: "
            "make it smaller and send it again."
        ) from error
    width, height = image.size
    if width < 1 or height < 1:
        raise PictureRefused(f"The {found.name} has no pixels: save it again and send the copy.")
    if width * height > limits.max_pixels:
        raise PictureRefused(formats.too_many_pixels(width, height, limits.max_pixels))
    if found is formats.JPEG and image.info.get("progressive") and data.count(b"\xff\xda") > _MAX_SCANS:
        raise PictureRefused("The JPEG is built in too many steps to be read: save it as an ordinary JPEG.")
    if found is formats.TIFF:
        _check_tiles(image, limits)
    return image


def _check_tiles(image: Image.Image, limits: PictureLimits) -> None:
    """A TIFF's tiles may be declared far larger than its picture, and a whole one is decoded at a time."""
    tags = getattr(image, "tag_v2", {})
    width, height = tags.get(_TILE_WIDTH, 1), tags.get(_TILE_LENGTH, 1)
    if width * height > limits.max_pixels:
        raise PictureRefused(formats.too_many_pixels(width, height, limits.max_pixels))


def _decoded(image: Image.Image, side: int) -> tuple[npt.NDArray[np.uint8], int]:
    """The pixels in sRGB, at most ``side`` long, still as stored; and the orientation that they are stored in."""
    _draft(image, side)
    image.load()
    profile = image.info.get("icc_profile")
    # Asked after the load: TIFF turns itself upright there, and PNG may bring its EXIF last.
    orientation = _orientation(image)
    plain = colour.to_eight_bit(image)
    max_side = max(plain.size)
    if max_side >= 2 * side:
        plain = plain.reduce(max_side // side)
    plain = colour.flatten_on_white(plain)
    return colour.to_srgb(_fitted(plain, side), plain.mode, profile), orientation


def _draft(image: Image.Image, side: int) -> None:
    """Let libjpeg decode at an eighth, a quarter or half the size, whichever is still large enough."""
    max_side, enough = max(image.size), side * _DRAFT_SHARE
    if image.format in {"JPEG", "MPO"} and max_side > side:
        width, height = (max(1, int(length * enough / max_side)) for length in image.size)
        image.draft(None, (width, height))


def _fitted(image: Image.Image, side: int) -> npt.NDArray[np.uint8]:
    """The pixels, scaled down by less than 2 if need be.

    At such factors bilinear sampling comes as close to a Lanczos filter as averaging does (40 to 43 dB), at a
    tenth of the cost; integer factors were averaged out before.
    """
    pixels: npt.NDArray[np.uint8] = np.asarray(image)
    max_side = max(image.size)
    if max_side <= side:
        return pixels
    width, height = (max(1, round(length * side / max_side)) for length in image.size)
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # noqa: BLE001 - broken EXIF does not make a broken picture
        return 1


def _digest(pixels: npt.NDArray[np.uint8]) -> str:
    """SHA-256 over shape and pixels, so that 2 × 8 and 4 × 4 differ."""
    digest = hashlib.sha256(np.array(pixels.shape, dtype="<u4").tobytes())
    digest.update(pixels.data)
    return digest.hexdigest()


_registering = threading.Lock()


def _register_heic() -> None:
    """Make Pillow know HEIC, on the first such file: libheif is slow to load and most never meet one."""
    with _registering:
        _registered_heic()


@cache
def _registered_heic() -> None:
    import pillow_heif  # noqa: PLC0415 - see above

    pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)
