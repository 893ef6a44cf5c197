"""Plans: how much memory a picture needs, estimated from its header."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from bot.images.decode import plan as planning
from bot.images.decode.normaliser import DEFAULT_LIMITS, IN_PROCESS_BYTES, normalise
from tests.fixtures import pictures


def memory_of(data: bytes) -> int:
    return planning.plan(data).memory


def test_ordinary_pictures_are_decoded_in_the_bots_own_process() -> None:
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


def test_jpegs_of_any_number_of_pixels_are_read_in_a_process_that_can_be_stopped() -> None:
    """The limit on megapixels is about memory, of which these take little."""
    plan = planning.plan(pictures.encoded(Image.new("L", (20_000, 12_000), 90), "JPEG", quality=10))
    assert plan.memory < 80_000_000
    assert not plan.is_certain
    assert planning.plan(pictures.encoded(Image.new("L", (16_320, 12_240), 90), "JPEG", quality=10)).is_certain


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_further_frames_need_memory(kind: str) -> None:
    frames = [Image.new("RGB", (1600, 1300)), Image.new("RGB", (1600, 1300), "white")]
    still = pictures.encoded(frames[0], kind)
    animated = pictures.encoded(frames[0], kind, save_all=True, append_images=frames[1:])
    assert memory_of(animated) - memory_of(still) >= 20_000_000


_MEASURE = """
import resource, sys
from pathlib import Path
from bot.images.decode import decoder
from bot.images.decode.plan import DEFAULT_LIMITS
data = Path(sys.argv[1]).read_bytes()
decoder.prepare(data)
decoder.Image.init()
unit = 1 if sys.platform == "darwin" else 1024
used = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
before = used()
decoder.decode(data, DEFAULT_LIMITS)
print(used() - before)
"""


@pytest.mark.skipif(
    sys.platform == "win32", reason="Python on Windows has no resource module, which tells how much memory was used"
)
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
