"""A decoder process: decodes pictures from standard input under a hard memory limit, until the input ends.

Started with ``python -m bot.images.decode.worker``. A message is a line of JSON and the bytes whose number it gives.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import IO, Any

from PIL import Image

from bot.domain.errors import PictureRefused
from bot.images.decode.decoder import Decoded, decode, is_threaded, prepare
from bot.images.decode.plan import PictureLimits

_TOLERANCE = 8_000_000
"""Address space beyond the estimate."""

_STACKS = 40_000_000
"""Address space for the stacks of libavif's and libheif's threads, most of which is never used."""

EXIT_OUT_OF_MEMORY = 3

AVIF_THREADS = 2

_WATCH_S = 0.01


def main() -> int:
    """Answer requests until the input ends."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # a decoder that prints must not write into the answers
    _limit_threads()
    Image.init()  # loads Pillow's decoders now, so that their size isn't counted as a picture's
    while line := sys.stdin.buffer.readline():
        request = json.loads(line)
        data = sys.stdin.buffer.read(request["length"])
        _answer(answers, data, PictureLimits(**request["limits"]), request["memory"])
        del data
    return 0


def send(stream: IO[bytes], head: dict[str, Any], body: Any) -> None:
    """Write a message."""
    stream.write(json.dumps({**head, "length": len(body)}).encode() + b"\n")
    stream.write(body)
    stream.flush()


def _answer(answers: IO[bytes], data: bytes, limits: PictureLimits, memory: int) -> None:
    prepare(data)
    try:
        limit_memory(memory + (_STACKS if is_threaded(data) else _TOLERANCE))
        decoded = decode(data, limits)
    except PictureRefused as error:
        # A decoder may report a failed allocation as damage.
        send(answers, {"refused": str(error), "cause": type(error.__cause__).__name__}, b"")
    except MemoryError:
        send(answers, {"out_of_memory": True}, b"")
    else:
        limit_memory(None)
        stored = decoded.stored.tobytes() if decoded.stored else b""
        send(answers, _head(decoded), b"".join((decoded.image.tobytes(), stored, decoded.profile or b"")))
    finally:
        limit_memory(None)


def _head(decoded: Decoded) -> dict[str, Any]:
    return {
        "mode": decoded.image.mode,
        "decoded": decoded.image.size,
        "size": decoded.size,
        "orientation": decoded.orientation,
        "profile": len(decoded.profile or b""),
        "stored": (decoded.stored.mode, decoded.stored.size) if decoded.stored else None,
        "pages": decoded.pages,
    }


def parse_answer(head: dict[str, Any], body: bytes) -> Decoded:
    """Return the picture in an answer."""
    end = len(body) - head["profile"]
    content = memoryview(body)[:end]
    image, rest = _image(head["mode"], head["decoded"], content)
    stored: tuple[str, list[int]] | None = head["stored"]
    larger = _image(*stored, rest)[0] if stored else None
    return Decoded(image, tuple(head["size"]), head["orientation"], body[end:] or None, larger, head["pages"])


def _image(mode: str, size: list[int], content: memoryview, /) -> tuple[Image.Image, memoryview]:
    """Return the image at the beginning of some bytes, and the bytes after it."""
    length = size[0] * size[1] * len(mode)  # 8 bits a channel
    return Image.frombytes(mode, (size[0], size[1]), content[:length]), content[length:]


def can_limit_memory() -> bool:
    """Return whether this system enforces a limit on a process's memory."""
    return sys.platform == "linux"


def limit_memory(more: int | None) -> None:
    """Let this process use only ``more`` bytes beyond what it uses now; None removes the limit."""
    if not can_limit_memory():
        if more is not None:
            _watch_memory(more)
        return
    import resource  # noqa: PLC0415 - Windows has none

    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    if more is None:
        resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
        return
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    limit = used + more
    resource.setrlimit(resource.RLIMIT_AS, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))


def _watch_memory(more: int) -> None:
    """End this process soon after it uses ``more`` bytes than now. For macOS, which has no limit."""
    try:
        import resource  # noqa: PLC0415 - Windows has none
    except ImportError:
        return

    def used() -> int:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS

    limit = used() + more

    def watch() -> None:
        while used() < limit:
            time.sleep(_WATCH_S)
        os._exit(EXIT_OUT_OF_MEMORY)

    threading.Thread(target=watch, daemon=True).start()


def _limit_threads() -> None:
    from PIL import AvifImagePlugin  # noqa: PLC0415 - only this process

    AvifImagePlugin.DEFAULT_MAX_THREADS = min(AVIF_THREADS, os.cpu_count() or 1)


if __name__ == "__main__":
    sys.exit(main())
