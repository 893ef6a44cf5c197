"""How well edited copies are found and told from look-alikes, and how well pictures of a kind are found.

    VSEARCH_BENCH_IMAGES=FOLDER python -m bench quality

FOLDER holds pictures; where it has a folder a class (two or more pictures each), mAP is measured on them.
"""

from __future__ import annotations

import asyncio
import collections
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from bench import pictures
from bench.edits import COMBINED, EDITS, Edit
from bot.app.services import Services
from bot.domain.identifiers import EntityId
from bot.domain.matches import Match, Verdict
from bot.domain.pictures import Picture

BASES = 200
DEPTH = 20
COPY = 9.0


@dataclass(slots=True)
class Tally:
    """What came of one edit over all bases. Scores of the true copy, and of the hardest other picture, a query each."""

    found_first: list[bool] = field(default_factory=list)
    true_scores: list[float] = field(default_factory=list)
    other_scores: list[float] = field(default_factory=list)
    verdicts: collections.Counter[str] = field(default_factory=collections.Counter)

    def note(self, answer: Sequence[Match], truth: EntityId) -> None:
        """Enter one answer."""
        own = next((match for match in answer if match.entity == truth), None)
        others = [match.score for match in answer if match.entity != truth]
        self.found_first.append(bool(answer) and answer[0].entity == truth)
        self.true_scores.append(own.score if own else 0.0)
        self.other_scores.append(max(others, default=0.0))
        if own:
            self.verdicts[", ".join((own.verdict, *own.edits))] += 1

    @property
    def recall(self) -> float:
        """Share of queries whose best answer is the original."""
        return statistics.fmean(self.found_first)


def roc_auc(positive: Sequence[float], negative: Sequence[float]) -> float:
    """Chance that a positive scores higher than a negative; ties count half."""
    order = np.sort(np.asarray(negative))
    wins = np.searchsorted(order, positive, "left") + np.searchsorted(order, positive, "right")
    return float(wins.mean() / 2 / len(order))


def false_positives_at(positive: Sequence[float], negative: Sequence[float], share: float = 0.95) -> float:
    """Share of negatives at or above the score that this share of the positives reaches."""
    threshold = np.quantile(positive, 1 - share)
    return float((np.asarray(negative) >= threshold).mean())


async def measure_edits(
    services: Services, files: Sequence[Path], edits: Mapping[str, Edit], bases: Sequence[int]
) -> dict[str, Tally]:
    """Search with every edit of every base picture."""
    chance = np.random.default_rng(20)
    tallies: dict[str, Tally] = {}
    for name, edit in edits.items():
        tally = tallies[name] = Tally()
        for number in bases:
            query = await asyncio.to_thread(_edited, files[number], edit, chance)
            tally.note(await services.visual.search(pictures.DATABASE, query, DEPTH), pictures.entity(number))
    return tallies


def _edited(path: Path, edit: Edit, chance: np.random.Generator) -> Picture:
    with Image.open(path) as image:
        return pictures.as_posted(edit(image.convert("RGB"), chance))


async def measure_kinds(services: Services, files: Sequence[Path]) -> tuple[float, float] | None:
    """mAP@10 and precision@5 with each picture as a query, its own left out; None where no folder has two pictures."""
    labels = [path.parent for path in files]
    sizes = collections.Counter(labels)
    if max(sizes.values(), default=0) < 2 or len(sizes) < 2:
        return None
    averages, precisions = [], []
    for number, path in enumerate(files):
        if sizes[labels[number]] < 2:
            continue
        query = await services.normaliser.picture(await asyncio.to_thread(path.read_bytes))
        answer = await services.visual.search(pictures.DATABASE, query, 12)
        ranked = [int(match.entity.removeprefix("picture_")) for match in answer]
        right = np.array([labels[other] == labels[number] for other in ranked if other != number][:10], float)
        precision = np.cumsum(right) / np.arange(1, len(right) + 1)
        averages.append(float((precision * right).sum() / min(10, sizes[labels[number]] - 1)))
        precisions.append(float(right[:5].mean()))
    return statistics.fmean(averages), statistics.fmean(precisions)


async def run() -> None:
    """Print recall@1 an edit, the separation of copies from the hardest others, and mAP."""
    root = pictures.folder()
    if root is None:
        print(f"quality: set {pictures.VARIABLE} to a folder of pictures (a folder a class for mAP)")
        return
    files = pictures.paths(root)
    step = max(1, len(files) // BASES)
    bases = range(0, len(files), step)
    async with pictures.indexed(files) as services:
        tallies = await measure_edits(services, files, {**EDITS, **COMBINED}, bases)
        kinds = await measure_kinds(services, files)
    _report(tallies, len(files), len(bases))
    if kinds:
        print(f"{'pictures of a kind':32} mAP@10 {kinds[0]:.3f}  P@5 {kinds[1]:.3f}")


def _report(tallies: Mapping[str, Tally], held: int, queries: int) -> None:
    print(f"quality: {queries} pictures of {held}, each edited in {len(tallies)} ways")
    for name, tally in tallies.items():
        seen = ", ".join(f"{verdict} {count}" for verdict, count in tally.verdicts.most_common(3))
        copies = statistics.fmean(score >= COPY for score in tally.true_scores)
        false = statistics.fmean(score >= COPY for score in tally.other_scores)
        print(f"{name:32} recall@1 {tally.recall:.3f}  scored 9+ {copies:.3f}  others 9+ {false:.4f}  ({seen})")
    required = [tallies[name] for name in EDITS]
    recalls = [tally.recall for tally in required]
    true = [score for tally in required for score in tally.true_scores]
    other = [score for tally in required for score in tally.other_scores]
    print(f"{'recall@1':32} mean {statistics.fmean(recalls):.4f} (bar 0.99)  least {min(recalls):.3f} (bar 0.93)")
    print(
        f"{'copies against hardest others':32} ROC AUC {roc_auc(true, other):.4f} (bar 0.995)  "
        f"FPR at 95 % TPR {false_positives_at(true, other):.4f} (bar 0.005)"
    )
    same = sum(count for name in EDITS for verdict, count in tallies[name].verdicts.items() if verdict == Verdict.SAME)
    print(f"{'verdict “same image”':32} {same} of {len(true)} true copies")


if __name__ == "__main__":
    asyncio.run(run())
