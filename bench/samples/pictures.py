"""Read the pictures for the quality benchmark, and index them in an engine of their own."""

from __future__ import annotations

import asyncio
import io
import os
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from bench.samples.edits import Edit
from bot.app.services import Services, build_services
from bot.config.settings import Settings
from bot.domain.identifiers import LOCAL_WORKSPACE, DatabaseKey, DatabaseName, EntityId, Note
from bot.domain.pictures import Picture
from bot.images.decode.normaliser import PictureLimits, normalise

DATABASE = DatabaseKey(LOCAL_WORKSPACE, DatabaseName("bench"))
VARIABLE = "VSEARCH_BENCH_IMAGES"
ENDINGS = frozenset({".jpg", ".jpeg", ".png", ".webp", ".avif", ".bmp", ".gif", ".tif", ".tiff", ".heic"})
_LIMITS = PictureLimits(50_000_000, 100_000_000)
_CONCURRENT = 4


def folder() -> Path | None:
    """Return the folder named by the environment, or None."""
    named = os.environ.get(VARIABLE)
    return Path(named) if named else None


def paths(root: Path) -> list[Path]:
    """Return every picture below the folder, in a stable order."""
    return sorted(path for path in root.rglob("*") if path.suffix.lower() in ENDINGS)


def entity(number: int) -> EntityId:
    """Return the id of a picture. Every picture is an entity of its own."""
    return EntityId(f"picture_{number:06d}")


def as_posted(image: Image.Image) -> Picture:
    """Encode an edited picture as a file and normalise it, as the bot would."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=0)
    return normalise(buffer.getvalue(), _LIMITS)


def edited(path: Path, edit: Edit, rng: np.random.Generator) -> Picture:
    """Return an edit of the picture in a file, as the bot would see it."""
    with Image.open(path) as image:
        return as_posted(edit(image.convert("RGB"), rng))


async def decoded(services: Services, path: Path) -> Picture:
    """Return the picture in a file, as the bot sees it."""
    return await services.normaliser.picture(await asyncio.to_thread(path.read_bytes))


@asynccontextmanager
async def indexed(files: Sequence[Path], entities: Sequence[EntityId] | None = None) -> AsyncIterator[Services]:
    """Yield an engine with these pictures, in a temporary data directory.

    Without ``entities``, every picture is an entity of its own.
    """
    with tempfile.TemporaryDirectory(prefix="vsearch-bench-") as data:
        async with build_services(Settings(data_dir=Path(data))) as services:
            await services.visual.create_database(DATABASE)
            await _add_all(services, files, entities or [entity(number) for number in range(len(files))])
            yield services


async def _add_all(services: Services, files: Sequence[Path], entities: Sequence[EntityId]) -> None:
    gate = asyncio.Semaphore(_CONCURRENT)

    async def add(path: Path, name: EntityId) -> None:
        async with gate:
            await services.visual.add_image(DATABASE, await decoded(services, path), name, Note())

    await asyncio.gather(*map(add, files, entities))
