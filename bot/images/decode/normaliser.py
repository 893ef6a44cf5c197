"""Normalisation: decode untrusted bytes, within limits, into an upright sRGB Picture without metadata."""

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
"""Share of ``max_side`` that the decoder's reduced size of a JPEG must reach. 4032 px give 1008 with no resampling."""

_MAX_SCANS = 40
"""Most scans of a progressive JPEG. Encoders write about ten, and each costs a pass over the whole picture."""

_UPRIGHT: dict[int, Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.uint8]]] = {
    2: lambda stored: cv2.flip(stored, 1),
    3: lambda stored: cv2.rotate(stored, cv2.ROTATE_180),
    4: lambda stored: cv2.flip(stored, 0),
    5: cv2.transpose,
    6: lambda stored: cv2.rotate(stored, cv2.ROTATE_90_CLOCKWISE),
    7: lambda stored: cv2.flip(cv2.transpose(stored), -1),
    8: lambda stored: cv2.rotate(stored, cv2.ROTATE_90_COUNTERCLOCKWISE),
}
"""By EXIF orientation: the function that turns the stored rows upright."""


@dataclass(frozen=True, slots=True)
class PictureLimits:
    """Limits of accepted pictures. ``max_side`` is in pixels; larger pictures are scaled down to it."""

    max_bytes: int = 25_000_000
    max_pixels: int = 50_000_000
    max_side: int = 1023
    seconds: float = 10.0


DEFAULT_LIMITS = PictureLimits()


def normalise(data: bytes, limits: PictureLimits = DEFAULT_LIMITS) -> Picture:
    """Verify and decode a picture. Raises PictureRefused with a message for the user.

    Pure CPU work of some milliseconds to about a second: call it off the event loop, as Normaliser does. The limits on
    bytes, pixels and scans are checked before decoding. Only the first frame is decoded. Normaliser, not this function,
    applies ``limits.seconds``.
    """
    if len(data) > limits.max_bytes:
        raise PictureRefused(formats.too_many_bytes(limits.max_bytes))
    found = formats.detect_format(data)
    try:
        with _open(data, found, limits) as image:
            size = image.size
            pixels, orientation = _decode(image, limits.max_side)
    except PictureRefused:
        raise
    except Exception as error:  # decoders may raise anything for hostile bytes
        raise PictureRefused(f"The {found.name} is damaged or incomplete. Save it again and send the copy.") from error
    if orientation in _UPRIGHT:
        pixels = np.ascontiguousarray(_UPRIGHT[orientation](pixels))
        size = size if orientation < 5 else size[::-1]  # noqa: PLR2004 - orientations 5 to 8 swap width and height
    pixels.flags.writeable = False
    return Picture(
        pixels=pixels,
        digest=_digest(pixels),
        source_digest=hashlib.sha256(data).hexdigest(),
        source_format=found.name,
        source_size=size,
    )


def encode_jpeg(picture: Picture) -> bytes:
    """Return the picture as a JPEG without metadata, as it is stored and shown."""
    encoded = io.BytesIO()
    Image.fromarray(picture.pixels).save(encoded, "JPEG", quality=JPEG_QUALITY)
    return encoded.getvalue()


def decode_stored(jpeg: bytes, limits: PictureLimits = DEFAULT_LIMITS) -> Picture:
    """Decode a picture that ``encode_jpeg`` encoded. Raises PictureRefused if the file is damaged."""
    return normalise(jpeg, limits)


class Normaliser:
    """Runs ``normalise`` off the event loop, for at most ``threads`` pictures at a time.

    ``close`` shuts down only an executor of its own, not one that was passed in. A decode that exceeds
    ``limits.seconds`` is refused at once, but its thread can't be stopped and keeps its slot until it is done. The
    limits on bytes, pixels and scans keep that to seconds.
    """

    def __init__(
        self, limits: PictureLimits = DEFAULT_LIMITS, *, threads: int = 2, executor: ThreadPoolExecutor | None = None
    ) -> None:
        self.limits = limits
        self._owned = None if executor else ThreadPoolExecutor(threads, thread_name_prefix="pictures")
        self._executor = executor or self._owned
        self._slots = asyncio.Semaphore(threads)
        # Pillow's own limit (it warns above about 89 megapixels and refuses at twice that) must not be below ours.
        Image.MAX_IMAGE_PIXELS = max(Image.MAX_IMAGE_PIXELS or 0, limits.max_pixels)

    async def __call__(self, data: bytes) -> Picture:
        """Verify and decode a picture. Raises PictureRefused."""
        return await self.picture(data)

    async def picture(self, data: bytes) -> Picture:
        """Verify and decode a picture. Raises PictureRefused."""
        return await self._run(lambda: normalise(data, self.limits))

    async def jpeg(self, picture: Picture) -> bytes:
        """Encode a picture as it is stored."""
        return await self._run(lambda: encode_jpeg(picture))

    async def picture_and_jpeg(self, data: bytes) -> tuple[Picture, bytes]:
        """Return a decoded picture and its encoding for storage, in one step. Raises PictureRefused."""

        def work() -> tuple[Picture, bytes]:
            picture = normalise(data, self.limits)
            return picture, encode_jpeg(picture)

        return await self._run(work)

    async def run(self, work: Callable[[], T]) -> T:
        """Run other CPU work with the same slots. Raises PictureRefused if it exceeds ``limits.seconds``."""
        return await self._run(work)

    async def close(self) -> None:
        """Shut down the executor, unless it was passed in. Queued work is cancelled."""
        if self._owned:
            self._owned.shutdown(wait=False, cancel_futures=True)

    async def _run(self, work: Callable[[], T]) -> T:
        await self._slots.acquire()
        try:
            future = asyncio.get_running_loop().run_in_executor(self._executor, work)
        except BaseException:
            self._slots.release()
            raise
        future.add_done_callback(self._on_finished)
        try:
            async with asyncio.timeout(self.limits.seconds):
                # Shielded, so that the slot stays taken until the thread is done.
                return await asyncio.shield(future)
        except TimeoutError:
            raise PictureRefused(
                f"Reading the picture took longer than {self.limits.seconds:g} seconds. "
                "Save it as a standard JPEG and send that."
            ) from None

    def _on_finished(self, future: asyncio.Future[T]) -> None:
        self._slots.release()
        if not future.cancelled():
            future.exception()  # after a timeout nothing retrieves it, and asyncio would log that


def _open(data: bytes, found: formats.Format, limits: PictureLimits) -> Image.Image:
    """Open a picture by its header, without decoding pixels. Raises PictureRefused if decoding would cost too much."""
    if found is formats.HEIC:
        _register_heic()
    try:
        image = Image.open(io.BytesIO(data), formats=(found.decoder,))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise PictureRefused(
            f"The picture is far larger than the limit of {limits.max_pixels / 1_000_000:g} megapixels. "
            "Make it smaller and send it again."
        ) from error
    width, height = image.size
    if width < 1 or height < 1:
        raise PictureRefused(f"The {found.name} is empty. Save it again and send the copy.")
    if width * height > limits.max_pixels:
        raise PictureRefused(formats.too_many_pixels(width, height, limits.max_pixels))
    if found is formats.JPEG and image.info.get("progressive") and data.count(b"\xff\xda") > _MAX_SCANS:
        raise PictureRefused("The JPEG has too many progressive scans. Save it as a standard JPEG and send that.")
    if found is formats.TIFF:
        _check_tiles(image, limits)
    return image


def _check_tiles(image: Image.Image, limits: PictureLimits) -> None:
    """Check the size of a TIFF's tiles, which are decoded as a whole and may be declared larger than the picture.

    Raises PictureRefused.
    """
    tags = getattr(image, "tag_v2", {})
    width, height = tags.get(_TILE_WIDTH, 1), tags.get(_TILE_LENGTH, 1)
    if width * height > limits.max_pixels:
        raise PictureRefused(formats.too_many_pixels(width, height, limits.max_pixels))


def _decode(image: Image.Image, side: int) -> tuple[npt.NDArray[np.uint8], int]:
    """Return the sRGB pixels, scaled down to at most ``side``, and their EXIF orientation, which is not applied yet."""
    _set_draft_size(image, side)
    image.load()
    profile = image.info.get("icc_profile")
    # Read the orientation after the load: Pillow turns TIFFs upright there, and PNGs may have their EXIF at the end.
    orientation = _orientation(image)
    converted = colour.to_eight_bit(image)
    max_side = max(converted.size)
    if max_side >= 2 * side:
        converted = converted.reduce(max_side // side)
    converted = colour.flatten_on_white(converted)
    return colour.to_srgb(_scale_down(converted, side), converted.mode, profile), orientation


def _set_draft_size(image: Image.Image, side: int) -> None:
    """Let libjpeg decode at an eighth, a quarter or half of the size, whichever is the smallest that suffices."""
    max_side, enough = max(image.size), side * _DRAFT_SHARE
    if image.format in {"JPEG", "MPO"} and max_side > side:
        width, height = (max(1, int(length * enough / max_side)) for length in image.size)
        image.draft(None, (width, height))


def _scale_down(image: Image.Image, side: int) -> npt.NDArray[np.uint8]:
    """Return the pixels, scaled down to at most ``side`` by a factor below 2.

    At such factors, bilinear sampling is as close to a Lanczos filter as averaging (40 to 43 dB) at a tenth of the
    cost. Integer factors were already applied by averaging.
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
    except Exception:  # noqa: BLE001 - a picture with broken EXIF is still readable
        return 1


def _digest(pixels: npt.NDArray[np.uint8]) -> str:
    """Return the SHA-256 of shape and pixels as hex. The shape is included, so that 2 × 8 and 4 × 4 differ."""
    digest = hashlib.sha256(np.array(pixels.shape, dtype="<u4").tobytes())
    digest.update(pixels.data)
    return digest.hexdigest()


_registering = threading.Lock()


def _register_heic() -> None:
    """Register HEIC with Pillow on the first HEIC file."""
    with _registering:
        _registered_heic()


@cache
def _registered_heic() -> None:
    import pillow_heif  # noqa: PLC0415 - a missing or broken libheif must affect only HEIC files

    pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)
