"""Count how often pictures of one template, none a copy of another, are called copies.

    python -m bench lookalikes

Draws families of look-alikes (pages of text, letters, forms, slides, chats, labels, badges, codes, posts in an app) and
compares every picture with every other of its family. The limits for plain backgrounds in
``adapters.embedded.verification.scoring`` were chosen so that few of these are called copies, while edited copies still
are (``quality``).
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from bench.report import Row
from bench.samples import pictures, sample_pictures
from bot.adapters.embedded.ports import FINGERPRINT_RADIUS, Candidate, QueryFeatures
from bot.adapters.embedded.verification.item_evidence import rank_by_items
from bot.adapters.embedded.verification.verifier import GeometricVerifier
from bot.images.features import fingerprint
from bot.images.features.local_features import extract_local_features
from bot.images.features.point_features import extract_point_features
from bot.images.features.query_views import QueryRegion

Rng = np.random.Generator
Painter = Callable[[Rng, int], Image.Image]

MEMBERS = 6
ALIKE = 0.95
"""Cosine passed for every pair, high enough that all of them are verified."""

_TEXT = (
    "about after again animal answer around because before between change country different earth every example "
    "father follow found great house large learn letter light little mother never night number other paper people "
    "picture plant point right school sentence should small sound spell still study thing think three through "
    "together under water while white without world would write young"
)
WORDS = _TEXT.split(" ")


def some_words(rng: Rng, count: int) -> str:
    """Return random words."""
    return " ".join(rng.choice(WORDS, count))


def _sheet(size: tuple[int, int], colour: str = "white") -> tuple[Image.Image, ImageDraw.ImageDraw]:
    image = Image.new("RGB", size, colour)
    return image, ImageDraw.Draw(image)


def write(
    draw: ImageDraw.ImageDraw,
    place: tuple[float, float],
    text: str,
    size: int,
    colour: str | tuple[int, int, int] = "black",
) -> None:
    """Write a line of text."""
    draw.text(place, text, font=ImageFont.load_default(size=size), fill=colour)


def _paragraph(draw: ImageDraw.ImageDraw, rng: Rng, top: int, lines: int, size: int = 18) -> None:
    for line in range(lines):
        write(draw, (60, top + line * int(size * 1.4)), some_words(rng, int(rng.integers(5, 11))), size)


def page(rng: Rng, _: int) -> Image.Image:
    """Draw a page of text."""
    image, draw = _sheet((827, 1169))
    _paragraph(draw, rng, 70, 40)
    return image


def letter(rng: Rng, _: int) -> Image.Image:
    """Draw a letter; all have the same letterhead."""
    image, draw = _sheet((827, 1169))
    draw.rectangle((0, 0, 827, 110), fill="#204080")
    write(draw, (60, 30), "ACME Industries", 44, "white")
    _paragraph(draw, rng, 200, int(rng.integers(14, 30)))
    return image


def form(rng: Rng, _: int) -> Image.Image:
    """Draw a form; all have the same fields with different contents."""
    image, draw = _sheet((827, 1169))
    write(draw, (60, 40), "Application form B-12", 38)
    for line, name in enumerate(WORDS[:22]):
        top = 120 + 46 * line
        write(draw, (60, top), name.title(), 18)
        draw.rectangle((300, top - 6, 767, top + 30), outline="black")
        write(draw, (310, top), some_words(rng, int(rng.integers(1, 5))), 20, "#111144")
    return image


def slide(rng: Rng, _: int) -> Image.Image:
    """Draw a slide; all are of one presentation."""
    image, draw = _sheet((1280, 720))
    draw.rectangle((0, 0, 1280, 110), fill="#b02020")
    write(draw, (50, 30), some_words(rng, 3).title(), 46, "white")
    for line in range(int(rng.integers(3, 7))):
        draw.ellipse((60, 172 + 80 * line, 74, 186 + 80 * line), fill="#b02020")
        write(draw, (100, 160 + 80 * line), some_words(rng, int(rng.integers(3, 9))), 32)
    return image


def chat(rng: Rng, _: int) -> Image.Image:
    """Draw a conversation; all are in the same app."""
    image, draw = _sheet((750, 1334), "#ece5dd")
    draw.rectangle((0, 0, 750, 120), fill="#075e54")
    write(draw, (110, 45), "Family group", 30, "white")
    top = 150
    while top < 1180:
        high, wide = 30 * int(rng.integers(1, 5)) + 24, int(rng.integers(260, 520))
        left = 20 if rng.random() < 0.5 else 730 - wide
        draw.rounded_rectangle((left, top, left + wide, top + high), 14, fill="white" if left == 20 else "#dcf8c6")
        write(draw, (left + 16, top + 10), some_words(rng, wide // 130), 22)
        top += high + 20
    return image


def label(rng: Rng, number: int) -> Image.Image:
    """Draw a label with a part number; the numbers are consecutive."""
    image, draw = _sheet((800, 400))
    write(draw, (150, 150), f"SKU-{4711 + number * int(rng.integers(1, 900))}-{'ABCDEF'[number % 6]}", 72)
    return image


def badge(_: Rng, number: int) -> Image.Image:
    """Draw a badge; all differ in one letter."""
    image, draw = _sheet((600, 600))
    draw.ellipse((60, 60, 540, 540), fill="#0a58ca")
    write(draw, (215, 130), "ABRPQO"[number % 6], 260, "white")
    return image


def code(rng: Rng, _: int) -> Image.Image:
    """Draw a two-dimensional code with its finder patterns."""
    cells = np.where(rng.random((33, 33)) < 0.5, 0, 255).astype(np.uint8)
    for top, left in ((0, 0), (0, 26), (26, 0)):
        cells[top : top + 7, left : left + 7] = 0
        cells[top + 1 : top + 6, left + 1 : left + 6] = 255
        cells[top + 2 : top + 5, left + 2 : left + 5] = 0
    framed = np.pad(cells, 4, constant_values=255)
    return Image.fromarray(np.kron(framed, np.ones((16, 16), np.uint8))).convert("RGB")


def post(rng: Rng, number: int) -> Image.Image:
    """Draw a post; all are in the same app with different photographs."""
    image, draw = _sheet((750, 1334))
    write(draw, (280, 30), "Pictogram", 36)
    draw.ellipse((20, 110, 90, 180), fill="#cc88cc")
    write(draw, (110, 125), "somebody_famous", 26)
    paths = sample_pictures.paths()
    photo = Image.fromarray(sample_pictures.read(paths[(number * 37 + int(rng.integers(0, 30))) % len(paths)]).pixels)
    image.paste(photo.resize((750, 750)), (0, 200))
    _paragraph(draw, rng, 1050, 3, 24)
    return image


FAMILIES: tuple[Painter, ...] = (page, letter, form, slide, chat, label, badge, code, post)


def false_copies(members: Sequence[Image.Image]) -> Iterator[bool]:
    """Yield for every ordered pair whether the first is called a copy of the second."""
    pixels = [pictures.as_posted(member).pixels for member in members]
    grays = [fingerprint.luminance(one) for one in pixels]
    kept = [extract_local_features(one, gray).pack() for one, gray in zip(pixels, grays, strict=True)]
    marks = [fingerprint.orientations(gray) for gray in grays]
    points = [extract_point_features(gray).pack() for gray in grays]
    verifier = GeometricVerifier()
    for query, stored in itertools.permutations(range(len(members)), 2):
        rows = marks[query]
        query_features = QueryFeatures(
            np.zeros((1, 1), np.float32), rows, (QueryRegion(pixels[query], grays[query], range(len(rows))),)
        )
        distance, row = _nearest(rows, marks[stored])
        candidates = [Candidate(1, ALIKE, distance, row, kept[stored])]
        matches = verifier.verify(query_features, candidates, None)
        if not matches[0].verdict.is_copy:  # as in the engine
            matches = rank_by_items(query_features, candidates, matches, {1: points[stored]}, {1: "stored"})
        yield matches[0].verdict.is_copy


def _nearest(rows: np.ndarray, kept: np.ndarray) -> tuple[int | None, int | None]:
    if not len(rows) or not len(kept):
        return None, None
    distances = np.bitwise_count(rows ^ kept[0]).sum(axis=1)
    row = int(distances.argmin())
    near = distances[row] <= FINGERPRINT_RADIUS
    return (int(distances[row]), row) if near else (None, None)


async def run() -> list[Row]:
    """Print the share of false copies for each family."""
    wrong = total = 0
    for paint in FAMILIES:
        rng = np.random.default_rng(11)
        members = [paint(rng, number) for number in range(MEMBERS)]
        found = await asyncio.to_thread(list, false_copies(members))
        print(f"lookalikes: {paint.__name__:8} {sum(found):3} of {len(found)} pairs called copies")
        wrong, total = wrong + sum(found), total + len(found)
    print(f"lookalikes: {wrong} of {total} in all")
    return []


if __name__ == "__main__":
    asyncio.run(run())
