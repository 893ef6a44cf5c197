"""Measure how often a photo finds its product in a catalogue, and how often “same item” is right.

    VSEARCH_BENCH_CATALOGUE=FOLDER VSEARCH_BENCH_PHOTOS=FOLDER python -m bench catalogue

The first folder holds one studio picture for each product, named after it. The second holds a folder for each product,
of the same name, with photos of it. Products whose names begin with a word of VSEARCH_BENCH_PACKAGES (comma-separated)
are packages; the others are produce.
"""

from __future__ import annotations

import asyncio
import os
import re
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.report import Row, TargetSide
from bench.samples import pictures
from bench.samples.pictures import DATABASE
from bot.adapters.embedded.model.embedding import BuiltInModel
from bot.app.services import Services
from bot.domain.identifiers import DataId, EntityId, Note
from bot.domain.matches import Matches, Verdict
from bot.domain.pictures import Picture
from bot.images.features import fingerprint
from bot.images.features.homography import compare_views
from bot.images.features.point_features import extract_point_features
from bot.images.features.query_views import QueryView

STUDIO_VARIABLE, PHOTOS_VARIABLE = "VSEARCH_BENCH_CATALOGUE", "VSEARCH_BENCH_PHOTOS"
PACKAGES_VARIABLE = "VSEARCH_BENCH_PACKAGES"
PACKAGES = ("alpro", "arla", "bravo", "garant", "god_morgon", "oatly", "tropicana", "valio", "yoggi")
"""Brands of the packaged goods in GroceryStoreDataset."""

DEPTH = 60
TIMED = 40

TARGETS = {
    ("one picture", "packages"): (0.70, 0.85),
    ("one picture", "produce"): (0.30, 0.68),
    ("five pictures", "all"): (0.65, 0.91),
}
"""Least recall@1 and recall@5 without text."""
PRECISION, SAID_WHEN_DUE = 0.95, 0.50
"""The same for *same item*: the share that is right, and the share of packages for which it is said."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer to a photo of a product: the entities, best first, and those that are said to be the same item."""

    product: EntityId
    entities: tuple[EntityId, ...]
    same_items: tuple[EntityId, ...]

    def found_within(self, count: int) -> bool:
        """Return whether the product is among the best entities."""
        return self.product in self.entities[:count]


def folders() -> tuple[Path, Path] | None:
    """Return the folders of studio pictures and of photos, or None if the environment does not name them."""
    studio, photographed = os.environ.get(STUDIO_VARIABLE), os.environ.get(PHOTOS_VARIABLE)
    return (Path(studio), Path(photographed)) if studio and photographed else None


def studio_pictures(root: Path) -> list[tuple[str, Path]]:
    """Return product and path of each studio picture."""
    return [(_product(path.stem), path) for path in pictures.paths(root)]


def photos(root: Path) -> list[tuple[str, Path]]:
    """Return product and path of each photo."""
    return [(_product(path.parent.name), path) for path in pictures.paths(root)]


def _product(name: str) -> str:
    """Return a name as an entity's id."""
    return re.sub(r"[^a-z0-9_]", "_", name.lower())[:64]


def is_package(product: str) -> bool:
    """Return whether a product is packaged."""
    named = os.environ.get(PACKAGES_VARIABLE)
    return product.startswith(tuple(named.split(",")) if named else PACKAGES)


async def run() -> list[Row]:
    """Search with every photo, with one picture of each product stored, and then with the other photos too."""
    found = folders()
    if found is None:
        print(f"catalogue: set {STUDIO_VARIABLE} to a folder of studio pictures and {PHOTOS_VARIABLE} to one of photos")
        return []
    studio, queries = studio_pictures(found[0]), photos(found[1])
    rows: list[Row] = []
    async with pictures.indexed([path for _, path in studio], [EntityId(name) for name, _ in studio]) as services:
        decoded = [await pictures.decoded(services, path) for _, path in queries]
        started = time.process_time()
        answers = [await _answer(services, name, one) for (name, _), one in zip(queries, decoded, strict=True)]
        print(f"catalogue: {1000 * (time.process_time() - started) / len(queries):.1f} ms of CPU for a search")
        rows += _report("one picture", answers)
        ids = [await _add(services, name, one) for (name, _), one in zip(queries, decoded, strict=True)]
        rows += _report(
            "five pictures",
            [
                await _answer(services, name, one, (own,))
                for (name, _), one, own in zip(queries, decoded, ids, strict=True)
            ],
        )
    await asyncio.to_thread(_print_stages, decoded[:: max(1, len(decoded) // TIMED)])
    return rows


async def _add(services: Services, product: str, picture: Picture) -> DataId:
    return await services.visual.add_image(DATABASE, picture, EntityId(product), Note())


async def _answer(services: Services, product: str, picture: Picture, exclude: tuple[DataId, ...] = ()) -> Answer:
    matches: Matches = await services.visual.search(DATABASE, picture, DEPTH, exclude)
    entities = tuple(dict.fromkeys(match.entity for match in matches))
    said = dict.fromkeys(match.entity for match in matches if match.verdict is Verdict.SAME_ITEM)
    return Answer(EntityId(product), entities, tuple(said))


def _report(stored: str, answers: Sequence[Answer]) -> list[Row]:
    groups = {
        "packages": [answer for answer in answers if is_package(answer.product)],
        "produce": [answer for answer in answers if not is_package(answer.product)],
        "all": list(answers),
    }
    rows = []
    for group, some in groups.items():
        recalls = {count: statistics.fmean(answer.found_within(count) for answer in some) for count in (1, 5, 10)}
        shown = "  ".join(f"R@{count} {100 * recall:.1f} %" for count, recall in recalls.items())
        print(f"catalogue, {stored} a product, {group:9} {shown}  ({len(some)} photos)")
        for count, target in zip((1, 5), TARGETS.get((stored, group), ()), strict=False):
            rows.append(_row(f"catalogue, {stored}, {group}, R@{count}", recalls[count], target))
    said = [answer for answer in answers for _ in answer.same_items]
    right = sum(answer.product in answer.same_items for answer in answers)
    due = statistics.fmean(answer.product in answer.same_items for answer in groups["packages"])
    print(f"catalogue, {stored}, “same item”: right {right} of {len(said)}; said for {100 * due:.1f} % of packages")
    rows.append(_row(f"catalogue, {stored}, same item, precision", right / max(len(said), 1), PRECISION))
    if stored == "one picture":
        rows.append(_row(f"catalogue, {stored}, same item, said when due", due, SAID_WHEN_DUE))
    return rows


def _row(what: str, reached: float, least: float) -> Row:
    return Row(what, 100 * reached, "%", limit=100 * least, side=TargetSide.AT_LEAST)


def _print_stages(queries: Sequence[Picture]) -> None:
    model = BuiltInModel()
    points = [extract_point_features(fingerprint.luminance(one.pixels)) for one in queries]
    stages: dict[str, Callable[[], object]] = {
        "embedding": lambda: [model.run([model.prepare(one.pixels)]) for one in queries],
        "ORB points and thumbnails": lambda: [
            QueryView(one.pixels, fingerprint.luminance(one.pixels)) for one in queries
        ],
        "SIFT points": lambda: [extract_point_features(fingerprint.luminance(one.pixels)) for one in queries],
        "comparing SIFT points with 20 pictures": lambda: [
            compare_views(one, points[(number + step) % len(points)])
            for number, one in enumerate(points)
            for step in range(20)
        ],
    }
    for name, stage in stages.items():
        started = time.process_time()
        stage()
        print(f"catalogue, CPU of a query: {name} {1000 * (time.process_time() - started) / len(queries):.1f} ms")


if __name__ == "__main__":
    asyncio.run(run())
