"""Measure what databases learn from labels, on classes that are held out.

    VSEARCH_BENCH_IMAGES=FOLDER python -m bench learning

FOLDER has a folder for each set, and in it one for each class. Each set is a database that lacks a third of its
classes. It is searched by likeness alone, with photos of all its classes and of the other sets. Half of the classes
give labels, of which 5 % are wrong; the other half is held out. The fixed threshold that the learned scores are
compared with has the same recall. Classes are chosen anew several times.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bench.report import Row
from bench.samples import pictures
from bot.adapters.embedded.calibration.curves import default_curve
from bot.adapters.embedded.model.embedding import BuiltInModel
from bot.adapters.embedded.verification.scoring import similarity_score
from bot.domain.channels.feedback import ScoreModel, StoredLabel
from bot.domain.matches import SIMILAR_SCORE
from bot.images.decode.normaliser import PictureLimits, normalise
from bot.services.feedback.learning import fit, wrong_at_recall

SEEDS = range(20)
SCORES = (SIMILAR_SCORE, 6.0)
"""Learned scores at which matches are counted."""

WRONG_LABELS = 0.05

STORED = 3
"""Photos of a class that are stored. The others are searched with."""


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo with its set, its class, its number in the class and its embedding."""

    group: str
    kind: str
    number: int
    embedding: npt.NDArray[np.float32]

    def is_chosen(self, salt: str, share: int) -> bool:
        """Return whether its class is among one in ``share``, as the salt has it."""
        return zlib.crc32(f"{salt} {self.kind}".encode()) % share == 0


@dataclass(frozen=True, slots=True)
class Question:
    """A question about a database: the best match's score and lead over the next class, and whether it is right."""

    photo: Photo
    score: float
    lead: float
    is_right: bool

    def label(self, rng: np.random.Generator) -> StoredLabel:
        """Return what somebody says about the match, who is wrong at times."""
        said = self.is_right != bool(rng.random() < WRONG_LABELS)
        return StoredLabel(self.score, self.lead, said, self.photo.embedding.tobytes()[:32])


@dataclass(frozen=True, slots=True)
class ShownMatches:
    """What a database with learned scores shows of held-out classes at a score: right and wrong matches.

    ``fixed``: wrong ones that a fixed threshold shows at the same recall.
    """

    right: int
    wrong: int
    fixed: int

    def __add__(self, other: ShownMatches) -> ShownMatches:
        """Return the sum."""
        return ShownMatches(self.right + other.right, self.wrong + other.wrong, self.fixed + other.fixed)


def load(root: Path) -> list[Photo]:
    """Return all photos below the folder with their embeddings."""
    model, found, numbers = BuiltInModel(), list[Photo](), dict[Path, int]()
    for path in pictures.paths(root):
        number = numbers[path.parent] = numbers.get(path.parent, -1) + 1
        embedding = model.run([model.prepare(normalise(path.read_bytes(), PictureLimits()).pixels)])[0]
        group = path.parent.parent.name
        found.append(Photo(group, f"{group}/{path.parent.name}", number, embedding))
    return found


def databases(photos: Sequence[Photo], seed: int) -> Iterator[tuple[str, list[Photo], list[Photo]]]:
    """Yield each set with the photos that are stored and those to ask with."""
    for group in sorted({photo.group for photo in photos}):
        own = [one for one in photos if one.group == group]
        stored = [one for one in own if one.number < STORED and not one.is_chosen(f"lacks {seed}", 3)]
        yield group, stored, [one for one in photos if one.group != group or one.number >= STORED]


def ask(stored: Sequence[Photo], asked: Sequence[Photo]) -> list[Question]:
    """Search a database with each photo."""
    matrix, curve = np.stack([one.embedding for one in stored]), default_curve(len(stored))
    kinds = np.array([one.kind for one in stored])
    found = []
    for photo in asked:
        cosines = matrix @ photo.embedding
        best = kinds[int(np.argmax(cosines))]
        first = similarity_score(float(cosines.max()), curve)
        second = similarity_score(float(cosines[kinds != best].max()), curve)
        found.append(Question(photo, first, first - second, bool(best == photo.kind)))
    return found


def learn(questions: Sequence[Question], seed: int) -> tuple[ScoreModel | None, list[ShownMatches]]:
    """Let a database learn from half of the classes, and count what it shows of the others at each of SCORES."""
    rng, shown = np.random.default_rng(seed), [one for one in questions if one.score >= SIMILAR_SCORE]
    model = fit([one.label(rng) for one in shown if one.photo.is_chosen(f"labels {seed}", 2)])
    held = [one for one in shown if not one.photo.is_chosen(f"labels {seed}", 2)]
    right, fixed = np.array([one.is_right for one in held], np.bool_), np.array([one.score for one in held])
    scores = np.array([model.learned_score(one.score, one.lead) if model else one.score for one in held])
    outcomes = []
    for least in SCORES:
        hits, wrong = int(np.sum(right & (scores >= least))), int(np.sum(~right & (scores >= least)))
        outcomes.append(ShownMatches(hits, wrong, wrong_at_recall(fixed, right, hits) if model else wrong))
    return model, outcomes


async def run() -> list[Row]:
    """Let each database learn from labels of half of the classes, and compare on the other half."""
    root = pictures.folder()
    if root is None:
        print(f"learning: set {pictures.VARIABLE} to a folder of sets with a folder for each class")
        return []
    return measure(await asyncio.to_thread(load, root))


def measure(photos: Sequence[Photo]) -> list[Row]:
    """Print what each database learns with each choice of classes, and return the sums."""
    sums: dict[tuple[str, float], ShownMatches] = {}
    learned: dict[str, int] = {}
    for seed in SEEDS:
        for name, stored, asked in databases(photos, seed):
            model, outcomes = learn(ask(stored, asked), seed)
            learned[name] = learned.get(name, 0) + (model is not None)
            for least, one in zip(SCORES, outcomes, strict=True):
                sums[name, least] = sums.get((name, least), ShownMatches(0, 0, 0)) + one
    for (name, least), one in sums.items():
        print(f"learning, {name} at {least:g}: {one}, learned {learned[name]} of {len(SEEDS)} times")
    rows = [Row("learning, sets that became worse", sum(one.wrong > one.fixed for one in sums.values()), "", limit=0)]
    for least in SCORES:
        some = [one for (_, score), one in sums.items() if score == least]
        wrong, fixed = sum(one.wrong for one in some), sum(one.fixed for one in some)
        rows.append(
            Row(f"learning, wrong matches from {least:g} on", wrong, "", fixed, "fixed, same recall", limit=0.99)
        )
    return rows
