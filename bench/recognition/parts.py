"""Measure how well stored pictures are found inside others: collages, small posts on a phone, crops, and photographs.

    VSEARCH_BENCH_IMAGES=FOLDER python -m bench parts

Every fourth folder of pictures is left out of the database. It fills the rest of the collages, and its pictures are the
queries that must find no copy. The queries come from every second stored picture, the odd ones. The limits of
``images.features.regions.region_proposals`` were chosen on the even ones.
"""

from __future__ import annotations

import asyncio
import functools
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from bench.recognition.copy_tally import COPY, CopyTally
from bench.report import Row, TargetSide
from bench.samples import pictures
from bench.samples.part_edits import FILLERS, ON_PHOTOGRAPH, PART_EDITS, PartEdit, logo
from bot.adapters.embedded.model.embedding import BuiltInModel
from bot.adapters.port import CompletingPoints
from bot.app.services import Services
from bot.domain.identifiers import EntityId, Note
from bot.domain.matches import Matches

QUERIES = 40
LOGOS = 60
DEPTH = 20
BATCH = 100
SEED = 6

TARGETS: Mapping[str, float] = {
    "collage of 4": 90,
    "collage of 4, no gutters": 90,
    "collage of 3": 90,
    "collage of 3, no gutters": 90,
    "small on a phone": 90,
    "logo on a photograph": 60,
}
"""Least percentage of queries whose picture is the first match. Crops are reported only."""

MAX_FALSE = 0.1
"""Greatest percentage of queries with a false copy."""
MAX_COST = 12.0
"""Greatest median time of a search that proves nothing, as a multiple of one bare embedding."""

Rng = np.random.Generator


@dataclass(frozen=True, slots=True)
class _Pictures:
    """The pictures that are stored, those that aren't, and the drawn logos that are stored too."""

    stored: Sequence[Path]
    absent: Sequence[Path]
    logos: Sequence[Image.Image]

    def queries(self, name: str, edit: PartEdit) -> Iterator[tuple[Image.Image, EntityId]]:
        """Yield queries of one kind, with the entity that each contains."""
        rng = np.random.default_rng(SEED)
        odd = range(1, len(self.stored), 2)
        for number in rng.permutation(odd)[:QUERIES].tolist():
            if name in PART_EDITS:
                yield edit(_read(self.stored[number]), self.fillers(rng), rng), pictures.entity(number)
            else:
                chosen = int(rng.integers(len(self.logos)))
                yield edit(self.logos[chosen], self.fillers(rng), rng), _logo_entity(chosen)

    def without_stored(self, edit: PartEdit) -> Iterator[Image.Image]:
        """Yield queries of one kind that contain nothing that is stored."""
        rng = np.random.default_rng(SEED + 1)
        for _ in range(QUERIES // 2):
            one, *others = self.fillers(rng, FILLERS + 1)
            yield edit(one, others, rng)

    def fillers(self, rng: Rng, count: int = FILLERS) -> list[Image.Image]:
        """Return random pictures that aren't stored."""
        return [_read(self.absent[number]) for number in rng.integers(len(self.absent), size=count).tolist()]


def _read(path: Path) -> Image.Image:
    with Image.open(path) as image:
        return image.convert("RGB")


def _logo_entity(number: int) -> EntityId:
    return EntityId(f"logo_{number:03d}")


def _split(root: Path) -> _Pictures:
    files = pictures.paths(root)
    folders = sorted({path.parent for path in files})
    left_out = set(folders[::4]) if len(folders) > 1 else set()
    is_absent = [path.parent in left_out if left_out else number % 4 == 0 for number, path in enumerate(files)]
    rng = np.random.default_rng(SEED + 2)
    return _Pictures(
        [path for path, absent in zip(files, is_absent, strict=True) if not absent],
        [path for path, absent in zip(files, is_absent, strict=True) if absent],
        [logo(rng) for _ in range(LOGOS)],
    )


async def _search(services: Services, image: Image.Image) -> tuple[Matches, float]:
    """Return the answer and the time of the search in milliseconds."""
    query = await asyncio.to_thread(pictures.as_posted, image)
    started = time.perf_counter()
    answer = await services.visual.search(pictures.DATABASE, query, DEPTH)
    return answer, (time.perf_counter() - started) * 1000


async def _measure(services: Services, chosen: _Pictures) -> list[Row]:
    rows: list[Row] = []
    false: list[bool] = []
    edits = PART_EDITS | {"logo on a photograph": ON_PHOTOGRAPH}
    for name, edit in edits.items():
        tally = CopyTally()
        for image, truth in chosen.queries(name, edit):
            tally.note((await _search(services, image))[0], truth, lambda own: own.part is not None)
        false += tally.false
        named = f"{sum(tally.described)} of {len(tally.described)}"
        note = f"copies {statistics.fmean(tally.copies):.3f}, part named in {named}"
        share = 100 * statistics.fmean(tally.first)
        rows.append(Row(f"{name}: recall@1", share, "%", limit=TARGETS.get(name), side=TargetSide.AT_LEAST, note=note))
    nothing: list[float] = []
    for edit in edits.values():
        for image in chosen.without_stored(edit):
            answer, taken = await _search(services, image)
            false.append(any(match.score >= COPY for match in answer))
            nothing.append(taken)
    share = 100 * statistics.fmean(false)
    rows.append(Row("queries with a false copy", share, "%", limit=MAX_FALSE, note=f"of {len(false)}"))
    return [*rows, *await _costs(services, chosen, nothing)]


async def _costs(services: Services, chosen: _Pictures, containers: Sequence[float]) -> list[Row]:
    """Return the time of searches that prove nothing, for photographs and for pictures that contain others."""
    model = BuiltInModel()
    photographs: list[float] = []
    bare: list[float] = []
    for path in chosen.absent[:: max(1, len(chosen.absent) // QUERIES)]:
        image = _read(path)
        photographs.append((await _search(services, image))[1])
        prepared = model.prepare(np.asarray(image))
        started = time.perf_counter()
        await asyncio.to_thread(model.run, [prepared])
        bare.append((time.perf_counter() - started) * 1000)
    peer = statistics.median(bare)
    row = functools.partial(Row, unit="ms", peer=peer, peer_name="a bare embedding")
    return [
        row("search of a photograph, nothing proved, p50", statistics.median(photographs), limit=MAX_COST),
        row("search of a collage or screenshot, nothing proved, p50", statistics.median(containers)),
    ]


async def run() -> list[Row]:
    """Return recall@1 for each kind, the false copies, and what a search without a proof costs."""
    root = pictures.folder()
    if root is None:
        print(f"parts: set {pictures.VARIABLE} to a folder of pictures")
        return []
    chosen = _split(root)
    print(f"parts: {QUERIES} queries of each kind; {len(chosen.stored)} pictures and {LOGOS} logos stored")
    async with pictures.indexed(chosen.stored) as services:
        for number, drawn in enumerate(chosen.logos):
            await services.visual.add_image(pictures.DATABASE, pictures.as_posted(drawn), _logo_entity(number), Note())
        # An add leaves points for later. A search that computes them for others takes several times as long.
        if isinstance(services.visual, CompletingPoints):
            while await services.visual.complete_points(BATCH):
                pass
        return await _measure(services, chosen)


if __name__ == "__main__":
    asyncio.run(run())
