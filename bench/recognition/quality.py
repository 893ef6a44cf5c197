"""Measure how well edited copies are found, named and separated from look-alikes, and how well pictures of a class are.

    VSEARCH_BENCH_IMAGES=FOLDER python -m bench quality

FOLDER holds pictures. If they are in one subfolder per class (two or more pictures each), mAP is measured too.
"""

from __future__ import annotations

import asyncio
import collections
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bench.recognition import stages
from bench.recognition.copy_tally import COPY
from bench.recognition.metrics import micro_average_precision, recall_at_precision
from bench.samples import pictures
from bench.samples.edits import COMBINED, EDITS, Edit
from bot.app.services import Services
from bot.domain.identifiers import EntityId
from bot.domain.matches import Edit as NamedEdit
from bot.domain.matches import Match, Verdict

BASES = 200
DEPTH = 20
TIMED = 40
"""Pictures whose searches are timed stage by stage."""

EXPECTED: dict[str, set[NamedEdit]] = {
    "crop to 80 %": {NamedEdit.CROPPED},
    "crop to 65 %": {NamedEdit.CROPPED},
    "crop to 50 %": {NamedEdit.CROPPED},
    "border": {NamedEdit.FRAMED},
    "mirrored": {NamedEdit.MIRRORED},
    "rotated by 5°": {NamedEdit.ROTATED},
    "rotated by 5°, corners shown": {NamedEdit.ROTATED, NamedEdit.FRAMED},
    "rotated by 90°": {NamedEdit.ROTATED},
    "caption": {NamedEdit.OVERLAID},
    "logo": {NamedEdit.OVERLAID},
    "colours changed": {NamedEdit.RECOLOURED},
    "gray": {NamedEdit.RECOLOURED},
    "screenshot of a phone": {NamedEdit.FRAMED},
    "screenshot of a browser": {NamedEdit.FRAMED},
    "crop, mirror, caption, JPEG": {NamedEdit.CROPPED, NamedEdit.MIRRORED, NamedEdit.OVERLAID},
}
"""The words for each edit. Edits that are not listed, such as recompression, have none."""


@dataclass(slots=True)
class Tally:
    """Results of one edit: per query, the scores of the true copy and of the hardest other picture."""

    found_first: list[bool] = field(default_factory=list)
    true_scores: list[float] = field(default_factory=list)
    other_scores: list[float] = field(default_factory=list)
    verdicts: collections.Counter[str] = field(default_factory=collections.Counter)
    expected: set[NamedEdit] = field(default_factory=set)
    named_right: list[bool] = field(default_factory=list)
    predictions: list[tuple[float, bool]] = field(default_factory=list)
    said: collections.Counter[Verdict] = field(default_factory=collections.Counter)
    said_right: collections.Counter[Verdict] = field(default_factory=collections.Counter)

    def note(self, answer: Sequence[Match], truth: EntityId) -> None:
        """Record one answer."""
        self.predictions += [(match.score, match.entity == truth) for match in answer]
        self.said.update(match.verdict for match in answer)
        self.said_right.update(match.verdict for match in answer if match.entity == truth)
        own = next((match for match in answer if match.entity == truth), None)
        others = [match.score for match in answer if match.entity != truth]
        self.found_first.append(bool(answer) and answer[0].entity == truth)
        self.true_scores.append(own.score if own else 0.0)
        self.other_scores.append(max(others, default=0.0))
        if own:
            self.verdicts[", ".join((own.verdict, *own.edits))] += 1
        self.named_right.append(own is not None and own.verdict.is_copy and set(own.edits) == self.expected)

    @property
    def recall(self) -> float:
        """Share of queries whose best match is the original."""
        return statistics.fmean(self.found_first)


def roc_auc(positive: Sequence[float], negative: Sequence[float]) -> float:
    """Return the probability that a positive scores higher than a negative. Ties count half."""
    order = np.sort(np.asarray(negative))
    wins = np.searchsorted(order, positive, "left") + np.searchsorted(order, positive, "right")
    return float(wins.mean() / 2 / len(order))


def false_positives_at(positive: Sequence[float], negative: Sequence[float], share: float = 0.95) -> float:
    """Return the share of negatives that score at least as high as the given share of positives."""
    threshold = np.quantile(positive, 1 - share)
    return float((np.asarray(negative) >= threshold).mean())


async def measure_edits(
    services: Services, files: Sequence[Path], edits: Mapping[str, Edit], bases: Sequence[int]
) -> dict[str, Tally]:
    """Search with every edit of every base picture."""
    rng = np.random.default_rng(20)
    tallies: dict[str, Tally] = {}
    for name, edit in edits.items():
        tally = tallies[name] = Tally(expected=EXPECTED.get(name, set()))
        for number in bases:
            query = await asyncio.to_thread(pictures.edited, files[number], edit, rng)
            tally.note(await services.visual.search(pictures.DATABASE, query, DEPTH), pictures.entity(number))
    return tallies


async def measure_kinds(services: Services, files: Sequence[Path]) -> tuple[float, float] | None:
    """Return mAP@10 and precision@5 with each picture as a query, or None if no folder has two pictures.

    The query itself is left out of its results.
    """
    labels = [path.parent for path in files]
    sizes = collections.Counter(labels)
    if max(sizes.values(), default=0) < 2 or len(sizes) < 2:
        return None
    averages, precisions = [], []
    for number, path in enumerate(files):
        if sizes[labels[number]] < 2:
            continue
        query = await pictures.decoded(services, path)
        answer = await services.visual.search(pictures.DATABASE, query, 12)
        ranked = [int(match.entity.removeprefix("picture_")) for match in answer]
        right = np.array([labels[other] == labels[number] for other in ranked if other != number][:10], float)
        precision = np.cumsum(right) / np.arange(1, len(right) + 1)
        averages.append(float((precision * right).sum() / min(10, sizes[labels[number]] - 1)))
        precisions.append(float(right[:5].mean()))
    return statistics.fmean(averages), statistics.fmean(precisions)


async def run() -> None:
    """Print recall@1 for each edit, the separation of copies, named edits, mAP, and the time of each stage."""
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
        spent = await stages.measure(services, [files[number] for number in bases][:TIMED])
    _report(tallies, len(files), len(bases))
    if kinds:
        print(f"{'pictures of a kind':32} mAP@10 {kinds[0]:.3f}  P@5 {kinds[1]:.3f}")
    print(f"{'CPU-ms of a search':32} " + "  ".join(f"{stage} {spent[stage]:.1f}" for stage in stages.STAGES))


def _report(tallies: Mapping[str, Tally], held: int, queries: int) -> None:
    print(f"quality: {queries} pictures of {held}, each edited in {len(tallies)} ways")
    for name, tally in tallies.items():
        seen = ", ".join(f"{verdict} {count}" for verdict, count in tally.verdicts.most_common(3))
        copies = statistics.fmean(score >= COPY for score in tally.true_scores)
        false = statistics.fmean(score >= COPY for score in tally.other_scores)
        print(
            f"{name:32} recall@1 {tally.recall:.3f}  scored 9+ {copies:.3f}  others 9+ {false:.4f}  "
            f"edits named right {statistics.fmean(tally.named_right):.3f}  ({seen})"
        )
    required = [tallies[name] for name in EDITS]
    recalls = [tally.recall for tally in required]
    true = [score for tally in required for score in tally.true_scores]
    other = [score for tally in required for score in tally.other_scores]
    print(f"{'recall@1':32} mean {statistics.fmean(recalls):.4f} (target 0.99)  least {min(recalls):.3f} (target 0.93)")
    print(
        f"{'copies against hardest others':32} ROC AUC {roc_auc(true, other):.4f} (target 0.995)  "
        f"FPR at 95 % TPR {false_positives_at(true, other):.4f} (target 0.005)"
    )
    predictions = [prediction for tally in required for prediction in tally.predictions]
    print(
        f"{'copies among all answers':32} uAP {micro_average_precision(predictions, len(true)):.4f}  "
        f"recall at 90 % precision {recall_at_precision(predictions, len(true)):.4f}"
    )
    named = statistics.fmean(right for tally in required for right in tally.named_right)
    print(f"{'edits named right':32} {named:.3f} of {len(true)} true copies (target 0.95)")
    for verdict in Verdict:
        said = sum(tally.said[verdict] for tally in tallies.values())
        right = sum(tally.said_right[verdict] for tally in tallies.values())
        if said:
            print(f"{f'verdict “{verdict}”':32} said {said} times, of the right picture {right / said:.3f}")


if __name__ == "__main__":
    asyncio.run(run())
