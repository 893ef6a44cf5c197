"""The pictures that the benchmarks of the whole bot share, and the database that has the originals."""

from __future__ import annotations

import asyncio
import io
import random
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path

from PIL import Image

from bench.samples import sample_pictures, synthetic
from bench.samples.synthetic import KEY
from bench.whole_bot.stand_in import SIGNING_SECRET, StandIn
from bot.app.services import build_services
from bot.config.settings import Settings
from bot.domain.identifiers import EntityId, Note

SIZE = 10_000
KNOWN = 100
"""Number of real pictures in the database. The shares are edited copies of these."""

SIDE = 1600


_made: list[Path] = []
"""The data directory of this run. ``synthetic`` removes it."""


async def database() -> Path:
    """Return a data directory with one database of ``SIZE`` images."""
    if not _made:
        _made.append(await _database())
    return _made[0]


async def _database() -> Path:
    data = await asyncio.to_thread(synthetic.create_databases, SIZE - KNOWN)
    async with build_services(Settings(data_dir=data.data_dir)) as services:
        for number, path in enumerate(sample_pictures.enlarged(SIDE, KNOWN)):
            content = await asyncio.to_thread(path.read_bytes)
            picture, jpeg = await services.normaliser.picture_and_jpeg(content)
            await services.additions.add(
                KEY, picture, jpeg, EntityId(f"part_{number:03d}"), Note("Shelf 7, second row")
            )
    return data.data_dir


def copies(count: int) -> Iterator[bytes]:
    """Yield edited copies, all different: cropped and saved as JPEG. Blocks: call it in a thread."""
    rng, known = random.Random(5), sample_pictures.enlarged(SIDE, KNOWN)
    for number in range(count):
        with Image.open(known[number % len(known)]) as image:
            left, top = rng.randrange(1, image.width // 12), rng.randrange(1, image.height // 12)
            cut = image.crop((left, top, image.width - rng.randrange(1, image.width // 12), image.height - top))
        buffer = io.BytesIO()
        cut.save(buffer, "JPEG", quality=rng.randrange(70, 90))
        yield buffer.getvalue()


def over_http(slack: StandIn, data_dir: Path) -> Mapping[str, str]:
    """Return the settings of a bot that listens on a free port of 127.0.0.1 and shows pictures through links."""
    port = _free_port()
    return {
        **slack.environment,
        "SLACK_SIGNING_SECRET": SIGNING_SECRET,
        "PUBLIC_BASE_URL": f"http://127.0.0.1:{port}",
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "VSEARCH_DATA_DIR": str(data_dir),
        "VSEARCH_LOG_LEVEL": "warning",
    }


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
