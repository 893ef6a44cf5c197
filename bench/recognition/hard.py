"""Measure copies that are hard to prove, what is said about them, and what must not be called a copy.

    VSEARCH_BENCH_IMAGES=FOLDER python -m bench hard

FOLDER holds pictures. Every second one is edited in each way of ``hard_edits``; line art and logos are drawn. For each
kind: recall@1, the share that scores 9 and more, the share of these whose verdict has the right words, and the queries
for which another picture scores 9 and more. Then the pairs of ``templates`` and of products in several colours and
flavours, none of which is a copy.
"""

from __future__ import annotations

import asyncio
import itertools
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from bench.recognition.copy_tally import CopyTally
from bench.recognition.lookalikes import false_copies
from bench.recognition.templates import TEMPLATES, siblings
from bench.report import Row
from bench.samples import drawings, pictures
from bench.samples.edits import EDITS
from bench.samples.hard_edits import HARD_EDITS, inverted
from bot.app.services import Services
from bot.domain.matches import Edit as Word
from bot.domain.pictures import Picture

BASES = 60
DRAWN = 20
DEPTH = 20
GROUPS, MEMBERS = 4, 3
COLOURS = {"white": (255, 255, 255), "colour": (196, 72, 60), "black": (0, 0, 0)}


@dataclass(frozen=True, slots=True)
class DrawnQuery:
    """An edit of a drawing: the kind, the number of the drawing, and the words that the verdict must have."""

    kind: str
    number: int
    image: Image.Image
    words: frozenset[Word]


async def run() -> list[Row]:
    """Print the results of every kind."""
    root = pictures.folder()
    if root is None:
        print(f"hard: set {pictures.VARIABLE} to a folder of pictures")
    else:
        await _photographs(pictures.paths(root))
    with tempfile.TemporaryDirectory(prefix="vsearch-bench-") as folder:
        await _drawings(Path(folder))
    await asyncio.to_thread(_templates)
    return []


async def _photographs(files: Sequence[Path]) -> None:
    bases = range(1, len(files), max(2, 2 * (len(files) // (2 * BASES))))
    async with pictures.indexed(files) as services:
        for number, (kind, (edit, words)) in enumerate(HARD_EDITS.items()):
            tally = CopyTally()
            for base in bases:
                rng = np.random.default_rng((31, number, base))
                query = await asyncio.to_thread(pictures.edited, files[base], edit, rng)
                await _note(services, tally, query, base, words)
            _print(kind, tally)


async def _drawings(folder: Path) -> None:
    arts = [drawings.line_art(np.random.default_rng((41, number))) for number in range(DRAWN)]
    logos = [drawings.logo(np.random.default_rng((43, number))) for number in range(DRAWN)]
    files = []
    for number, image in enumerate((*arts, *logos)):
        files.append(folder / f"{number:03}.png")
        image.save(files[-1])
    tallies: dict[str, CopyTally] = {}
    async with pictures.indexed(files) as services:
        for query in (*_line_art_queries(arts), *_logo_queries(logos)):
            tally = tallies.setdefault(query.kind, CopyTally())
            picture = await asyncio.to_thread(pictures.as_posted, query.image)
            await _note(services, tally, picture, query.number, query.words)
    for kind, tally in tallies.items():
        _print(kind, tally)


def _line_art_queries(arts: Sequence[Image.Image]) -> Iterator[DrawnQuery]:
    for number, art in enumerate(arts):
        rng = np.random.default_rng((47, number))
        yield DrawnQuery("line art with a caption", number, EDITS["caption"](art, rng), frozenset({Word.OVERLAID}))
        yield DrawnQuery("crop of line art", number, EDITS["crop to 65 %"](art, rng), frozenset({Word.CROPPED}))
        yield DrawnQuery("line art, inverted", number, inverted(art, rng), frozenset({Word.INVERTED}))


def _logo_queries(logos: Sequence[Image.Image]) -> Iterator[DrawnQuery]:
    for number, logo in enumerate(logos):
        for name, colour in COLOURS.items():
            rng = np.random.default_rng((53, number))
            query = drawings.on_ground(logo, colour, rng)
            yield DrawnQuery(f"logo on {name}", len(logos) + number, query, frozenset())


async def _note(services: Services, tally: CopyTally, query: Picture, number: int, words: frozenset[Word]) -> None:
    answer = await services.visual.search(pictures.DATABASE, query, DEPTH)
    tally.note(answer, pictures.entity(number), lambda own: words <= set(own.edits))


def _print(kind: str, tally: CopyTally) -> None:
    words = f"{statistics.fmean(tally.described):.2f}" if tally.described else "–"
    print(
        f"hard: {kind:28} {len(tally.first):3} queries  recall@1 {statistics.fmean(tally.first):.2f}  "
        f"scored 9+ {statistics.fmean(tally.copies):.3f}  right words {words}  others 9+ {sum(tally.false)}",
        flush=True,
    )


def _templates() -> None:
    wrong = total = 0
    for name, members in itertools.chain(_template_groups(), _product_groups()):
        found = [one for group in members for one in false_copies(group)]
        print(f"hard: {name:28} {sum(found):3} of {len(found)} pairs called copies", flush=True)
        wrong, total = wrong + sum(found), total + len(found)
    print(f"hard: {wrong} of {total} pairs of one template called copies (target 1 %)")


def _template_groups() -> Iterator[tuple[str, list[list[Image.Image]]]]:
    for paint in TEMPLATES:
        yield paint.__name__.replace("_", " "), [siblings(paint, number, MEMBERS) for number in range(GROUPS)]


def _product_groups() -> Iterator[tuple[str, list[list[Image.Image]]]]:
    def group(number: int, hues: Sequence[float], words: Sequence[str]) -> list[Image.Image]:
        pairs = zip(hues, words, strict=True)
        return [drawings.product(np.random.default_rng((59, number)), hue, word) for hue, word in pairs]

    hues, names, same = (0.02, 0.3, 0.6), ("Cherry", "Lime", "Berry"), ("Mint",) * 3
    yield "flavours of one product", [group(number, hues, names) for number in range(GROUPS)]
    yield "products of other names", [group(number, (0.3,) * 3, names) for number in range(GROUPS)]
    yield "products of other colours", [group(number, hues, same) for number in range(GROUPS)]


if __name__ == "__main__":
    asyncio.run(run())
