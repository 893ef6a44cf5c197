"""Decoder processes: the same pixels, a hard limit on memory, and pictures that kill them."""

from __future__ import annotations

import asyncio
import io
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from PIL import Image

from bot.domain.errors import PictureRefused
from bot.images.decode import normaliser as normaliser_module
from bot.images.decode import worker_pool
from bot.images.decode.normaliser import Normaliser, PictureLimits, normalise
from bot.images.decode.plan import DecodePlan
from bot.images.decode.worker import can_limit_memory
from bot.images.memory import on_behalf_of
from tests.fakes.jobs import eventually
from tests.fixtures import pictures

IN_BOTH: list[tuple[str, str, dict[str, Any]]] = [
    ("JPEG", "RGB", {"progressive": True}),
    ("JPEG", "CMYK", {}),
    ("PNG", "RGBA", {}),
    ("PNG", "LA", {}),
    ("PNG", "I;16", {}),
    ("GIF", "P", {}),
    ("BMP", "RGB", {}),
    ("TIFF", "F", {}),
    ("TIFF", "RGB", {"compression": "tiff_lzw"}),
    ("WEBP", "RGBA", {}),
    ("AVIF", "RGBA", {"speed": 10}),
    ("HEIF", "RGB", {}),
]


@pytest.fixture
async def normaliser() -> AsyncIterator[Normaliser]:
    made = Normaliser()
    yield made
    await made.close()


async def test_every_format_has_the_same_pixels_in_a_decoder_process(normaliser: Normaliser) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    for kind, mode, options in IN_BOTH:
        extra = {} if kind in {"GIF", "BMP"} else {"exif": exif.tobytes()}
        data = pictures.encoded(pictures.in_mode(pictures.photo(160, 120), mode), kind, **extra, **options)
        here = normalise(data)
        with on_behalf_of("T1", isolated=True):
            there = await normaliser.picture(data)
        assert (there.digest, there.source_size, there.source_format, there.source_digest) == (
            here.digest,
            here.source_size,
            here.source_format,
            here.source_digest,
        ), (kind, mode)


async def test_profile_is_applied_after_a_decoder_process(normaliser: Normaliser) -> None:
    profile = pictures.matrix_profile(pictures.P3, 2.2)
    data = pictures.encoded(Image.new("RGB", (64, 64), (200, 90, 80)), "TIFF", icc_profile=profile)
    assert (await normaliser.picture(data)).digest == normalise(data).digest


async def test_refusal_of_a_decoder_process_has_its_sentence(normaliser: Normaliser) -> None:
    data = pictures.encoded(pictures.quarters(), "TIFF")
    with pytest.raises(PictureRefused, match="TIFF is damaged"):
        await normaliser.picture(data[:60])
    assert (await normaliser.picture(data)).source_format == "TIFF"


async def test_one_process_serves_several_pictures_and_ends_with_the_normaliser(normaliser: Normaliser) -> None:
    data = pictures.encoded(pictures.quarters(), "TIFF")
    await normaliser.picture(data)
    [process] = normaliser._processes._idle
    await normaliser.picture(data)
    assert normaliser._processes._idle == [process]
    await normaliser.close()
    assert process.poll() is not None


@pytest.mark.parametrize("frames", [1, 2])
@pytest.mark.parametrize("format_name", ["PNG", "GIF", "WEBP"])
async def test_plan_has_room_to_look_for_a_frame_that_shows_something(format_name: str, frames: int) -> None:
    first, *further = (pictures.photo(1000, 750, seed=seed) for seed in range(frames))
    stream = io.BytesIO()
    first.save(stream, format_name, save_all=frames > 1, append_images=further)
    fresh = Normaliser()
    with on_behalf_of("T1", isolated=True):
        assert (await fresh(stream.getvalue())).pixels.shape == (750, 1000, 3)
    await fresh.close()


@pytest.mark.skipif(
    not can_limit_memory(), reason="only Linux enforces a limit; macOS may notice too late, and Windows never does"
)
async def test_picture_that_needs_more_memory_than_planned_is_refused(
    normaliser: Normaliser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The header may lie. Then the limit of the process holds, and the process serves the next picture."""
    large = pictures.encoded(Image.new("RGB", (6000, 5000)), "TIFF", compression="tiff_adobe_deflate")
    small = pictures.encoded(pictures.quarters(), "TIFF")
    monkeypatch.setattr(normaliser_module, "plan", lambda *_: DecodePlan(1_000_000, is_certain=False))
    with pytest.raises(PictureRefused, match=r"The .* needs more memory .*VSEARCH_IMAGE_MEMORY_MB"):
        await normaliser.picture(large)
    assert (await normaliser.picture(small)).width == 96
    monkeypatch.undo()
    assert (await normaliser.picture(large)).source_size == (6000, 5000)


async def test_picture_beyond_the_budget_is_refused_in_one_sentence() -> None:
    normaliser = Normaliser(memory=70_000_000)
    data = pictures.encoded(Image.new("F", (6000, 5000)), "TIFF", compression="tiff_adobe_deflate")
    with pytest.raises(PictureRefused, match=r"The .* needs more memory .*VSEARCH_IMAGE_MEMORY_MB") as caught:
        await normaliser.picture(data)
    assert str(caught.value).endswith(".")
    await normaliser.close()


DIES = "import os, sys; sys.stdin.buffer.readline(); os.kill(os.getpid(), 9)"
DIES_ANSWERING = (
    "import os, sys; sys.stdin.buffer.readline(); "
    """os.write(1, b'{"length": 100}\\n...'); os.kill(os.getpid(), 9)"""
)
HANGS = "import time; time.sleep(60)"


def start_instead(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Start processes that run this code in place of decoders."""

    def start(*_: object) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    monkeypatch.setattr(worker_pool, "_start", start)


@pytest.mark.parametrize("code", [DIES, DIES_ANSWERING], ids=["before its answer", "within its answer"])
async def test_picture_that_kills_its_decoder_is_refused(
    code: str, normaliser: Normaliser, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = pictures.encoded(pictures.quarters(), "TIFF")
    start_instead(monkeypatch, code)
    with pytest.raises(PictureRefused, match="can't be decoded safely"):
        await normaliser.picture(data)
    monkeypatch.undo()
    assert (await normaliser.picture(data)).width == 96
    assert normaliser._budget.used == 0


async def all_memory_is_returned(normaliser: Normaliser) -> None:
    await eventually(lambda: normaliser._budget.used == 0)


async def test_slow_decoder_process_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    start_instead(monkeypatch, HANGS)
    normaliser, data = Normaliser(PictureLimits(seconds=0.3)), pictures.encoded(pictures.quarters(), "TIFF")
    started = time.monotonic()
    with pytest.raises(PictureRefused, match="longer than"):
        await normaliser.picture(data)
    await all_memory_is_returned(normaliser)
    assert time.monotonic() - started < 20
    await normaliser.close()


async def test_cancelled_decode_gives_its_memory_back(monkeypatch: pytest.MonkeyPatch) -> None:
    start_instead(monkeypatch, HANGS)
    normaliser = Normaliser()
    task = asyncio.create_task(normaliser.picture(pictures.encoded(pictures.quarters(), "TIFF")))
    await eventually(lambda: normaliser._budget.used > 0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await all_memory_is_returned(normaliser)
    await normaliser.close()


async def test_decoder_process_gets_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-secret")
    given: list[dict[str, str]] = []

    class Started(Exception):
        pass

    def started(_command: object, **options: dict[str, str]) -> None:
        given.append(options["env"])
        raise Started

    monkeypatch.setattr(subprocess, "Popen", started)
    with pytest.raises(Started):
        worker_pool._start()
    assert "SLACK_BOT_TOKEN" not in given[0]


def test_decoder_process_loads_no_large_libraries() -> None:
    large = ("cv2", "pillow_heif", "httpx", "asyncio")
    code = f"import sys, bot.images.decode.worker; print([name for name in {large} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
