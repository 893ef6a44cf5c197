"""Decoder processes: the same pixels, a hard limit on memory, and pictures that kill them."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bot.domain.errors import PictureRefused
from bot.images.decode import plan as planning
from bot.images.decode import worker_pool
from bot.images.decode.normaliser import DEFAULT_LIMITS, Normaliser, PictureLimits, normalise
from bot.images.decode.plan import DecodePlan
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


def in_mode(image: Image.Image, mode: str) -> Image.Image:
    if mode in {"F", "I;16"}:
        values = np.asarray(image.convert("L"))
        return Image.fromarray(values.astype(np.float32) if mode == "F" else values.astype(np.uint16) * 257)
    return image.quantize(32) if mode == "P" else image.convert(mode)


async def test_every_format_has_the_same_pixels_in_a_decoder_process(normaliser: Normaliser) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    for kind, mode, options in IN_BOTH:
        extra = {} if kind in {"GIF", "BMP"} else {"exif": exif.tobytes()}
        data = pictures.encoded(in_mode(pictures.photo(160, 120), mode), kind, **extra, **options)
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


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no hard limit")
async def test_picture_that_needs_more_memory_than_planned_is_refused(
    normaliser: Normaliser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The header may lie. Then the limit of the process holds, and the process serves the next picture."""
    large = pictures.encoded(Image.new("RGB", (6000, 5000)), "TIFF", compression="tiff_adobe_deflate")
    small = pictures.encoded(pictures.quarters(), "TIFF")
    from bot.images.decode import normaliser as module  # noqa: PLC0415

    monkeypatch.setattr(module, "plan", lambda *_: DecodePlan(1_000_000, is_certain=False))
    with pytest.raises(PictureRefused, match="more memory"):
        await normaliser.picture(large)
    assert (await normaliser.picture(small)).width == 96
    monkeypatch.undo()
    assert (await normaliser.picture(large)).source_size == (6000, 5000)


async def test_picture_beyond_the_budget_is_refused_in_one_sentence() -> None:
    normaliser = Normaliser(memory=70_000_000)
    data = pictures.encoded(Image.new("F", (6000, 5000)), "TIFF", compression="tiff_adobe_deflate")
    with pytest.raises(PictureRefused, match="more memory") as caught:
        await normaliser.picture(data)
    assert str(caught.value).endswith(".")
    await normaliser.close()


def dying(*_: object) -> subprocess.Popen[bytes]:
    code = "import os, sys; sys.stdin.buffer.readline(); os.kill(os.getpid(), 9)"
    return subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)


async def test_picture_that_kills_its_decoder_is_refused(
    normaliser: Normaliser, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = pictures.encoded(pictures.quarters(), "TIFF")
    monkeypatch.setattr(worker_pool, "_start", dying)
    with pytest.raises(PictureRefused, match="can't be decoded safely"):
        await normaliser.picture(data)
    monkeypatch.undo()
    assert (await normaliser.picture(data)).width == 96
    assert normaliser._budget.used == 0


async def unused(normaliser: Normaliser) -> None:
    await eventually(lambda: normaliser._budget.used == 0)


def sleeping(*_: object) -> subprocess.Popen[bytes]:
    code = "import time; time.sleep(60)"
    return subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)


async def test_slow_decoder_process_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_pool, "_start", sleeping)
    normaliser, data = Normaliser(PictureLimits(seconds=0.3)), pictures.encoded(pictures.quarters(), "TIFF")
    started = time.monotonic()
    with pytest.raises(PictureRefused, match="longer than"):
        await normaliser.picture(data)
    await unused(normaliser)
    assert time.monotonic() - started < 20
    await normaliser.close()


async def test_cancelled_decode_gives_its_memory_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_pool, "_start", sleeping)
    normaliser = Normaliser()
    task = asyncio.create_task(normaliser.picture(pictures.encoded(pictures.quarters(), "TIFF")))
    await eventually(lambda: normaliser._budget.used > 0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await unused(normaliser)
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


def test_a_decoder_process_loads_little() -> None:
    large = ("cv2", "pillow_heif", "httpx", "asyncio")
    code = f"import sys, bot.images.decode.worker; print([name for name in {large} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


# Plans


def memory_of(data: bytes) -> int:
    return planning.plan(data).memory


def test_ordinary_pictures_are_decoded_in_the_bots_own_process() -> None:
    from bot.images.decode.normaliser import IN_PROCESS_BYTES  # noqa: PLC0415

    for kind, size in (("JPEG", (4032, 3024)), ("PNG", (3840, 2160)), ("GIF", (1920, 1080)), ("WEBP", (640, 480))):
        plan = planning.plan(pictures.encoded(Image.new("RGB", size), kind))
        assert plan.is_certain
        assert plan.memory <= IN_PROCESS_BYTES, kind


def test_formats_that_hide_their_size_are_decoded_under_a_limit() -> None:
    for kind in ("TIFF", "AVIF", "HEIF"):
        assert not planning.plan(pictures.encoded(pictures.quarters(), kind)).is_certain


@pytest.mark.parametrize(
    ("kind", "mode", "options", "least", "most"),
    [
        ("JPEG", "RGB", {}, 0, 30),
        ("JPEG", "RGB", {"progressive": True, "subsampling": 0}, 120, 150),
        ("JPEG", "RGB", {"progressive": True, "subsampling": 2}, 60, 90),
        ("PNG", "RGB", {}, 80, 120),
        ("PNG", "L", {}, 20, 60),
        ("PNG", "1", {}, 20, 60),
        ("GIF", "P", {}, 20, 80),
        ("BMP", "1", {}, 20, 120),
        ("TIFF", "F", {"compression": "tiff_adobe_deflate"}, 80, 140),
        ("TIFF", "RGB", {"compression": "tiff_adobe_deflate"}, 80, 140),
        ("WEBP", "RGB", {"lossless": True, "quality": 0, "method": 0}, 140, 220),
    ],
)
def test_estimate_weighs_format_and_mode(kind: str, mode: str, options: dict[str, Any], least: int, most: int) -> None:
    data = pictures.encoded(Image.new(mode, (5000, 4000)), kind, **options)
    assert least <= memory_of(data) / 1e6 <= most, memory_of(data)


def test_40_byte_webp_is_known_to_be_large() -> None:
    small = pictures.encoded(Image.new("RGB", (16, 16)), "WEBP", lossless=True)
    at = small.index(b"VP8L") + 9
    bits = int.from_bytes(small[at : at + 4], "little") & ~0xFFFFFFF | 7999 | 6249 << 14
    data = small[:at] + bits.to_bytes(4, "little") + small[at + 4 :]
    assert len(data) < 60
    assert 300 <= memory_of(data) / 1e6 <= 600


def test_jpegs_beyond_the_limit_are_decoded_at_a_reduced_size() -> None:
    """The decoder reduces them, so that they take as little memory as a small picture."""
    data = pictures.encoded(Image.new("L", (12_000, 9_000), 90), "JPEG", quality=30)
    assert memory_of(data) < 50_000_000
    picture = normalise(data)
    assert picture.source_size == (12_000, 9_000)
    assert max(picture.width, picture.height) <= DEFAULT_LIMITS.max_side
    with pytest.raises(PictureRefused, match="200 megapixels"):
        normalise(pictures.encoded(Image.new("L", (16_320, 12_300)), "JPEG", quality=10))


# Conversions


@pytest.mark.parametrize("size", [(2600, 1900), (3000, 70), (70, 3000)])
def test_reducing_piece_by_piece_gives_the_same_pixels(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    from bot.images.decode import reduction  # noqa: PLC0415

    photo = pictures.photo(*size)
    for mode in ("RGB", "RGBA", "LA", "L", "P", "1", "F", "I;16", "CMYK", "LAB"):
        image = Image.merge("LAB", photo.split()) if mode == "LAB" else in_mode(photo, mode)
        monkeypatch.setattr(reduction, "_PIECE_PIXELS", 1 << 40)
        whole = reduction.reduce(reduction.pixels_of(image), 400)
        monkeypatch.setattr(reduction, "_PIECE_PIXELS", 10_000)
        pieces = reduction.reduce(reduction.pixels_of(image), 400)
        assert (pieces.mode, pieces.size) == (whole.mode, whole.size), mode
        assert pieces.tobytes() == whole.tobytes(), mode


_MEASURE = """
import resource, sys
from pathlib import Path
from bot.images.decode import decoder
from bot.images.decode.plan import DEFAULT_LIMITS
data = Path(sys.argv[1]).read_bytes()
decoder.prepare(data)
decoder.Image.init()
used = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
before = used()
decoder.decode(data, DEFAULT_LIMITS)
print(used() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems count in other units")
@pytest.mark.parametrize(
    ("kind", "mode", "options"),
    [
        ("TIFF", "F", {"compression": "tiff_adobe_deflate"}),
        ("PNG", "RGBA", {"compress_level": 1}),
        ("PNG", "P", {"compress_level": 1}),
        ("WEBP", "RGB", {"lossless": True, "quality": 0, "method": 0}),
        ("WEBP", "RGBA", {"method": 0}),
        ("JPEG", "RGB", {"progressive": True, "subsampling": 0}),
    ],
)
def test_decoding_takes_no_more_memory_than_planned(
    kind: str, mode: str, options: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "picture"
    path.write_bytes(pictures.encoded(Image.new(mode, (4000, 3000)), kind, **options))
    command = [sys.executable, "-c", _MEASURE, str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert int(done.stdout) <= memory_of(path.read_bytes()) + 12_000_000
