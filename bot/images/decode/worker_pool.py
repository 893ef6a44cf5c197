"""Decoder processes, which hold a picture that needs much memory, or an unknown amount of it, to a hard limit."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bot.domain.errors import PictureRefused
from bot.images.decode import formats, worker
from bot.images.decode.decoder import Decoded
from bot.images.decode.plan import PictureLimits

log = logging.getLogger(__name__)

IDLE_S = 60.0
"""How long an idle decoder process is kept. Starting one takes about 0.2 s."""

MAX_IDLE = 1

_DIED = "The picture can't be decoded safely. Save it as a standard JPEG and send that."

_ROOT = Path(__file__).parents[3]
_ENVIRONMENT = (
    "PATH",
    "LANG",
    "LC_ALL",
    "TZ",
    "TMPDIR",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "PYTHONHOME",
    "SYSTEMROOT",
)
"""Variables that a decoder process gets. It reads hostile files, so it gets no settings and no tokens."""


class DecoderDied(PictureRefused):
    """The decoder process ended without an answer. The picture may have killed it."""


@dataclass(slots=True, eq=False)
class DecodeCall:
    """One decode in a decoder process. ``cancel`` may be called from another thread, at any time."""

    data: bytes
    memory: int
    limits: PictureLimits
    is_capped: bool = False
    """Whether the limit is less than the estimate, so that damage may be a failed allocation."""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _process: subprocess.Popen[bytes] | None = None
    _cancelled: bool = False

    def cancel(self) -> None:
        """Kill the decoder process of this call."""
        with self._lock:
            self._cancelled = True
            if self._process is not None:
                self._process.kill()

    def run_in(self, process: subprocess.Popen[bytes]) -> Decoded:
        """Decode in a process. Raises PictureRefused, and DecoderDied if the process ended."""
        with self._lock:
            if self._cancelled:
                raise PictureRefused(_DIED)
            self._process = process
        try:
            head, body = self._exchange(process)
        except (OSError, ValueError, EOFError):
            process.kill()
            code = process.wait()
            if code == worker.EXIT_OUT_OF_MEMORY:
                raise DecoderDied(formats.too_much_memory(self.data)) from None
            log.warning("a decoder process ended with code %d while it decoded %d bytes", code, len(self.data))
            raise DecoderDied(_DIED) from None
        finally:
            with self._lock:
                self._process = None
        if head.get("out_of_memory") or ("refused" in head and self.is_capped and head["cause"] != "NoneType"):
            raise PictureRefused(formats.too_much_memory(self.data))
        if "refused" in head:
            raise PictureRefused(head["refused"])
        return worker.parse_answer(head, body)

    def _exchange(self, process: subprocess.Popen[bytes]) -> tuple[dict[str, Any], bytes]:
        assert process.stdin is not None
        assert process.stdout is not None
        worker.send(process.stdin, {"limits": asdict(self.limits), "memory": self.memory}, self.data)
        head: dict[str, Any] = json.loads(process.stdout.readline())
        body = process.stdout.read(head["length"])
        if len(body) != head["length"]:
            raise EOFError
        return head, body


class DecoderPool:
    """Starts decoder processes when they are needed, and keeps one for the next picture.

    Its methods block: call them in threads. As many processes run as there are calls at the same time.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[subprocess.Popen[bytes]] = []
        self._closed = False

    def decode(self, call: DecodeCall) -> Decoded:
        """Decode a picture in a process of its own. Raises PictureRefused."""
        process = self._take()
        try:
            decoded = call.run_in(process)
        except DecoderDied:
            _discard(process)
            raise
        except PictureRefused:
            self._keep(process)
            raise
        except BaseException:
            _discard(process)
            raise
        self._keep(process)
        return decoded

    def stop_idle(self) -> None:
        """Stop the processes that wait for a picture."""
        with self._lock:
            idle, self._idle = self._idle, []
        for process in idle:
            _discard(process)

    def close(self) -> None:
        """Stop the idle processes, and those in use when they are done."""
        with self._lock:
            self._closed = True
        self.stop_idle()

    def _take(self) -> subprocess.Popen[bytes]:
        with self._lock:
            while self._idle:
                process = self._idle.pop()
                if process.poll() is None:
                    return process
        return _start()

    def _keep(self, process: subprocess.Popen[bytes]) -> None:
        with self._lock:
            # Without a hard limit, a process watches the most memory that it ever used, so it serves one picture.
            if not self._closed and len(self._idle) < MAX_IDLE and worker.can_limit_memory():
                self._idle.append(process)
                return
        _discard(process)


def _start() -> subprocess.Popen[bytes]:
    environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    # One arena: glibc reserves 64 MB of address space for each.
    environment |= {"PYTHONPATH": str(_ROOT), "MALLOC_ARENA_MAX": "1"}
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "bot.images.decode.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        start_new_session=True,  # Ctrl+C in a terminal is for the bot alone
    )


def _discard(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            try:
                stream.close()
            except OSError:  # flushing to a dead process
                continue
