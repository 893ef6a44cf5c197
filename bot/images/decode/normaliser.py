"""Normalisation: decode untrusted bytes, within limits, into an upright sRGB Picture without metadata."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TypeVar

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from bot.domain.errors import PictureRefused
from bot.domain.pictures import Picture
from bot.images.decode import colour, decoder, formats, worker
from bot.images.decode.plan import DEFAULT_LIMITS, DecodePlan, PictureLimits, plan
from bot.images.decode.unusual import transparency
from bot.images.decode.worker_pool import IDLE_S, DecodeCall, DecoderPool
from bot.images.memory import FairBudget, must_isolate

__all__ = ["DEFAULT_LIMITS", "Normaliser", "PictureLimits", "decode_stored", "encode_jpeg", "normalise"]

T = TypeVar("T")

JPEG_QUALITY = 88

Copy = npt.NDArray[np.uint8] | None
"""Pixels of the copy to store, height × width × 3, or None if those of the picture are stored."""

_FIRST_SWAPPED = 5
"""EXIF orientations from this one on swap width and height."""

_MEGA = 1_000_000

IN_PROCESS_BYTES = 80 * _MEGA
"""Most memory of a decode in the bot's own process: a JPEG of a phone, and a screenshot. Others go to a process."""

CHILD_BYTES = 48 * _MEGA
"""Memory of a decoder process before it decodes anything, NumPy and Pillow's libraries included."""

_SMALL_WORK = 16 * _MEGA
"""Memory of encoding a picture and of a thumbnail."""

DEFAULT_MEMORY = 480 * _MEGA

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


def normalise(data: bytes, limits: PictureLimits = DEFAULT_LIMITS) -> Picture:
    """Verify and decode a picture. Raises PictureRefused with a message for the user.

    Pure CPU work of some milliseconds to about a second: call it off the event loop, as Normaliser does. The limits on
    bytes, pixels and scans are checked before decoding. Of an animation, one frame is decoded. Normaliser, not this
    function, applies ``limits.seconds`` and the memory budget.
    """
    return normalise_for_storage(data, limits)[0]


def normalise_for_storage(data: bytes, limits: PictureLimits) -> tuple[Picture, Copy]:
    """Do the same, and return the pixels of the copy to store too. Raises PictureRefused."""
    if len(data) > limits.max_bytes:
        raise PictureRefused(formats.too_many_bytes(limits.max_bytes))
    try:
        decoded = decoder.decode(data, limits)
    except MemoryError:
        raise PictureRefused(formats.too_much_memory(data)) from None
    return _finish(data, decoded, limits)


def _finish(data: bytes, decoded: decoder.Decoded, limits: PictureLimits) -> tuple[Picture, Copy]:
    """Return the picture at its final size, upright and in sRGB, and its copy to store if that is larger."""
    ground = transparency.ground_for(decoded.image)
    pixels = _final_pixels(decoded.image, ground, decoded, limits.max_side)
    stored = None if decoded.stored is None else _final_pixels(decoded.stored, ground, decoded, limits.stored_side)
    swapped = decoded.orientation in _UPRIGHT and decoded.orientation >= _FIRST_SWAPPED
    picture = Picture(
        pixels=pixels,
        digest=digest_of(pixels, decoded.pages),
        source_digest=hashlib.sha256(data).hexdigest(),
        source_format=formats.detect_format(data).name,
        source_size=decoded.size[::-1] if swapped else decoded.size,
    )
    return picture, stored


def _final_pixels(image: Image.Image, ground: int, decoded: decoder.Decoded, side: int) -> npt.NDArray[np.uint8]:
    opaque = transparency.flatten(image, ground)
    pixels = colour.to_srgb(_scale_down(opaque, side), opaque.mode, decoded.profile)
    if decoded.orientation in _UPRIGHT:
        pixels = np.ascontiguousarray(_UPRIGHT[decoded.orientation](pixels))
    pixels.flags.writeable = False
    return pixels


def encode_jpeg(picture: Picture, copy: Copy = None) -> bytes:
    """Return the picture as a JPEG without metadata, as it is stored and shown. ``copy``: its larger pixels, if any."""
    # The same as Pillow's encoder, in four fifths of its time.
    swapped = cv2.cvtColor(picture.pixels if copy is None else copy, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", swapped, (cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY))[1].tobytes()


def decode_stored(jpeg: bytes, limits: PictureLimits = DEFAULT_LIMITS) -> Picture:
    """Decode a picture that ``encode_jpeg`` encoded. Raises PictureRefused if the file is damaged."""
    return normalise(jpeg, limits)


class Normaliser:
    """Decodes pictures off the event loop, within a memory budget that workspaces share fairly.

    At most ``threads`` pictures are decoded at a time. Those whose memory is small and certain are decoded in this
    process, the others in decoder processes with a hard limit. ``memory`` is the budget in bytes.

    ``close`` shuts down only an executor of its own, not one that was passed in. A decode that exceeds
    ``limits.seconds`` is refused at once. A decoder process is killed then; a thread can't be stopped and keeps its
    memory and its slot until it is done, which the limits on bytes, pixels and scans keep to seconds.
    """

    def __init__(
        self,
        limits: PictureLimits = DEFAULT_LIMITS,
        *,
        threads: int = 2,
        executor: ThreadPoolExecutor | None = None,
        memory: int = DEFAULT_MEMORY,
    ) -> None:
        self.limits = limits
        self._search_limits = replace(limits, stored_side=0)
        self._owned = None if executor else ThreadPoolExecutor(threads, thread_name_prefix="pictures")
        self._executor = executor or self._owned
        self._budget = FairBudget(memory, max_holders=threads)
        self._processes = DecoderPool()
        self._idle_timer: asyncio.TimerHandle | None = None

    async def __call__(self, data: bytes) -> Picture:
        """Verify and decode a picture. Raises PictureRefused, and FetchFailed if too many wait."""
        return await self.picture(data)

    async def picture(self, data: bytes) -> Picture:
        """Verify and decode a picture. Raises PictureRefused, and FetchFailed if too many wait."""
        return await self._decode(data, lambda picture, _: picture, self._search_limits)

    async def jpeg(self, picture: Picture) -> bytes:
        """Encode a picture at the size at which it is compared."""
        return await self.run(lambda: encode_jpeg(picture))

    async def picture_and_jpeg(self, data: bytes) -> tuple[Picture, bytes]:
        """Return a decoded picture and its encoding for storage, with at most ``limits.stored_side`` pixels a side.

        Raises PictureRefused and FetchFailed.
        """
        return await self._decode(data, lambda picture, copy: (picture, encode_jpeg(picture, copy)), self.limits)

    async def run(self, work: Callable[[], T], memory: int = _SMALL_WORK) -> T:
        """Run other CPU work, which takes ``memory`` bytes, with the same slots.

        Raises PictureRefused if it exceeds ``limits.seconds``.
        """
        return await self._run(work, memory)

    async def close(self) -> None:
        """Shut down the executor, unless it was passed in, and the decoder processes. Queued work is cancelled."""
        if self._idle_timer is not None:
            self._idle_timer.cancel()
        await asyncio.to_thread(self._processes.close)
        if self._owned:
            self._owned.shutdown(wait=False, cancel_futures=True)

    def _plan(self, data: bytes, limits: PictureLimits) -> tuple[DecodePlan, PictureLimits]:
        """Return what decoding takes, and the limits: without a larger copy if there is no memory for one."""
        needed = plan(data, limits)
        if limits.stored_side and needed.memory + CHILD_BYTES + len(data) > self._budget.total:
            return plan(data, self._search_limits), self._search_limits
        return needed, limits

    async def _decode(self, data: bytes, then: Callable[[Picture, Copy], T], limits: PictureLimits) -> T:
        needed, limits = await asyncio.to_thread(self._plan, data, limits)
        if needed.is_certain and needed.memory <= min(IN_PROCESS_BYTES, self._budget.total) and not must_isolate():
            return await self._run(lambda: then(*normalise_for_storage(data, limits)), needed.memory)
        return await self._decode_in_process(data, needed, then, limits)

    async def _decode_in_process(
        self, data: bytes, needed: DecodePlan, then: Callable[[Picture, Copy], T], limits: PictureLimits
    ) -> T:
        """Decode in a decoder process. Raises PictureRefused, also if the picture kills the process."""
        if len(data) > limits.max_bytes:
            raise PictureRefused(formats.too_many_bytes(limits.max_bytes))
        own = CHILD_BYTES + len(data)
        allowed = min(needed.memory, self._budget.total - own)
        if allowed <= 0 or (allowed < needed.memory and not worker.can_limit_memory()):
            raise PictureRefused(formats.too_much_memory(data))
        call = DecodeCall(data, allowed, limits, is_capped=allowed < needed.memory)

        def work() -> T:
            return then(*_finish(data, self._processes.decode(call), limits))

        try:
            return await self._run(work, own + allowed)
        except BaseException:
            call.cancel()
            raise
        finally:
            self._stop_idle_later()

    def _stop_idle_later(self) -> None:
        if self._idle_timer is not None:
            self._idle_timer.cancel()
        loop = asyncio.get_running_loop()
        self._idle_timer = loop.call_later(IDLE_S, loop.run_in_executor, None, self._processes.stop_idle)

    async def _run(self, work: Callable[[], T], memory: int) -> T:
        reservation = await self._budget.acquire(memory)
        try:
            future = asyncio.get_running_loop().run_in_executor(self._executor, work)
        except BaseException:
            self._budget.release(reservation)
            raise

        def finished(done: asyncio.Future[T]) -> None:
            self._budget.release(reservation)
            if not done.cancelled():
                done.exception()  # after a timeout nothing retrieves it, and asyncio would log that

        future.add_done_callback(finished)
        try:
            async with asyncio.timeout(self.limits.seconds):
                # Shielded, so that the slot stays taken until the thread is done.
                return await asyncio.shield(future)
        except TimeoutError:
            raise PictureRefused(
                f"Reading the picture took longer than {self.limits.seconds:g} seconds. "
                "Save it as a standard JPEG and send that."
            ) from None


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


def digest_of(pixels: npt.NDArray[np.uint8], pages: str = "") -> str:
    """Return the SHA-256 of shape and pixels as hex. The shape is included, so that 2 × 8 and 4 × 4 differ.

    ``pages``: a digest of a document's pages, of which the pixels show less.
    """
    digest = hashlib.sha256(np.array(pixels.shape, dtype="<u4").tobytes())
    digest.update(pixels.data)
    digest.update(pages.encode())
    return digest.hexdigest()
