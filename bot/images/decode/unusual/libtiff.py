"""Lets libtiff decode TIFFs that Pillow's own decoder would read wrongly."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.Lock()


@contextmanager
def used_for_all(*, needed: bool) -> Iterator[None]:
    """Let libtiff decode uncompressed pixels too, if that is needed."""
    if not needed:
        yield
        return
    from PIL import TiffImagePlugin  # noqa: PLC0415 - TIFFs only

    with _lock:
        TiffImagePlugin.READ_LIBTIFF = True
        try:
            yield
        finally:
            TiffImagePlugin.READ_LIBTIFF = False
