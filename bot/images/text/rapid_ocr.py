"""Reads text with RapidOCR: the PP-OCRv6 models in its wheel, on one thread of low priority (docs/decisions/0027).

The library loads in a second and holds 150 MB, so nothing of it is loaded before the first picture.
"""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from bot.domain.matches import PictureRegion
from bot.domain.pictures import Picture
from bot.domain.texts import MAX_LINE, MAX_LINES, PictureText, TextLine
from bot.images.text.reader import NullTextReader, TextReader, TextUnreadable

if TYPE_CHECKING:
    import numpy.typing as npt

log = logging.getLogger(__name__)

NICENESS = 10

MAX_ASPECT = 3
"""The detector enlarges the shorter side to 736 pixels. Narrower pictures get a border, so that it stays small."""

SMALL, ENLARGED_TO = 300, 736
"""The library enlarges small pictures linearly. Bicubic interpolation reads more of pictures below 300 pixels: with it
the right one of 81 products came first for 73 instead of 70 of 100 photos."""

MAX_CANDIDATES = 300
"""Areas that may hold a line. A page of small print has fewer; each costs about 10 ms."""

_LIBRARY = "rapidocr"
_MODELS = {
    "Det": "PP-OCRv6_det_small.onnx",
    "Rec": "PP-OCRv6_rec_small.onnx",
}


def open_text_reader(*, enabled: bool) -> TextReader:
    """Return a reader, or one that reads nothing if it is disabled or the library is not installed."""
    if not enabled:
        return NullTextReader()
    if not is_installed():
        log.info("text in pictures is not read, because the package %s is not installed", _LIBRARY)
        return NullTextReader()
    return RapidTextReader()


class RapidTextReader:
    """Implements ``TextReader``. One thread reads one picture at a time."""

    is_available = True

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="text", initializer=_lower_priority)
        self._library: Any = None

    async def read(self, picture: Picture) -> PictureText:
        """Return the text of a picture. Raises TextUnreadable."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._read, picture.pixels)

    async def close(self) -> None:
        """Wait for the picture that is being read, and stop."""
        await asyncio.to_thread(self._thread.shutdown, cancel_futures=True)

    def _read(self, pixels: npt.NDArray[np.uint8]) -> PictureText:
        try:
            if self._library is None:
                self._library = _load()
            return _text(self._library, pixels)
        # The library raises errors of its own, of OpenCV, of NumPy and of the runtime.
        except Exception as error:
            raise TextUnreadable(f"{type(error).__name__}: {str(error)[:200]}") from error


def is_installed() -> bool:
    """Return whether the library and its models are installed."""
    return _models() is not None


def _models() -> Path | None:
    """Return the folder of the models; None if the library is not installed."""
    spec = importlib.util.find_spec(_LIBRARY)
    folder = Path(spec.origin).parent / "models" if spec and spec.origin else None
    return folder if folder and all((folder / name).is_file() for name in _MODELS.values()) else None


def _load() -> Any:
    from rapidocr import RapidOCR  # noqa: PLC0415 - see the module

    folder = _models()
    assert folder is not None
    # With a path for each model the library neither downloads nor writes anything.
    paths = {f"{stage}.model_path": str(folder / name) for stage, name in _MODELS.items()}
    threads = {f"EngineConfig.onnxruntime.{kind}_op_num_threads": 1 for kind in ("intra", "inter")}
    library = RapidOCR(
        params={**paths, **threads, "Det.max_candidates": MAX_CANDIDATES, "Global.log_level": "error"}
        # Its classifier of upside-down lines turns some upright ones, such as NN-8599, around.
        | {"Global.use_cls": False},
    )
    # It logs to standard error in a format of its own.
    logger = logging.getLogger("RapidOCR")
    logger.handlers.clear()
    logger.propagate = True
    return library


def _text(library: Any, pixels: npt.NDArray[np.uint8]) -> PictureText:
    height, width = pixels.shape[:2]
    right, bottom = max(0, -(-height // MAX_ASPECT) - width), max(0, -(-width // MAX_ASPECT) - height)
    bgr = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    if right or bottom:
        bgr = cv2.copyMakeBorder(bgr, 0, bottom, 0, right, cv2.BORDER_REPLICATE)
    if (scale := ENLARGED_TO / min(bgr.shape[:2])) > ENLARGED_TO / SMALL:
        bgr = cv2.resize(bgr, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        width, height = round(width * scale), round(height * scale)
    found = library(bgr)
    if found.txts is None:
        return PictureText()
    lines = zip(found.txts, found.scores, found.boxes, strict=True)
    return PictureText(
        tuple(
            TextLine(text[:MAX_LINE].replace("\0", ""), round(float(score), 3), _region(box, width, height))
            for text, score, box in lines
            if text.strip()
        )[:MAX_LINES]
    )


def _region(box: npt.NDArray[np.float32], width: int, height: int) -> PictureRegion:
    corners = np.clip(np.asarray(box, dtype=np.float64) / (width, height), 0, 1)
    left, top = corners.min(axis=0)
    right, bottom = corners.max(axis=0)
    return PictureRegion(*(round(float(value), 4) for value in (left, top, right - left, bottom - top)))


def _lower_priority() -> None:
    # Linux gives each thread a priority of its own; elsewhere it would be the whole process's.
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
