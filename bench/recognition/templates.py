"""Draws pairs made from one template with other words, which are no copies of each other.

A painter gets the seed of the template and that of the words. Two drawings with the same template seed differ in their
words alone, and often in one word only.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw

from bench.recognition.lookalikes import WORDS, some_words, write
from bench.samples.edits import Rng

Painter = Callable[[Rng, Rng], Image.Image]

_LETTERS = "ABCDEFGHJKLMNPRSTUVWXYZ"


def _dark(rng: Rng) -> tuple[int, int, int]:
    red, green, blue = (int(value) for value in rng.integers(10, 140, 3))
    return red, green, blue


def _number(rng: Rng, digits: int) -> str:
    return "".join(str(value) for value in rng.integers(0, 10, digits))


def form(layout: Rng, words: Rng) -> Image.Image:
    """Draw a form with filled fields."""
    image = Image.new("RGB", (827, 1169), "white")
    draw = ImageDraw.Draw(image)
    write(draw, (60, 40), f"{some_words(layout, 2).title()} form {_number(layout, 2)}", 38)
    rows = int(layout.integers(10, 20))
    for line in range(rows):
        top = 120 + (1000 // rows) * line
        write(draw, (60, top), str(layout.choice(WORDS)).title(), 18)
        draw.rectangle((300, top - 6, 767, top + 30), outline="black")
        write(draw, (310, top), some_words(words, int(words.integers(1, 4))), 20, "#111144")
    return image


def boarding_pass(layout: Rng, words: Rng) -> Image.Image:
    """Draw a boarding pass; seat, gate and flight differ."""
    image = Image.new("RGB", (1000, 420), "white")
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, 1000, 90), fill=_dark(layout))
    write(draw, (30, 22), "BOARDING PASS", 40, "white")
    cities = layout.choice(("FRA", "JFK", "OSL", "NRT", "LHR", "CDG", "ARN"), 2, replace=False)
    write(draw, (40, 120), f"{cities[0]}  >  {cities[1]}", 76)
    seat = f"{int(words.integers(1, 60))}{words.choice(list('ABCDEFHK'))}"
    write(draw, (40, 245), f"Seat {seat}   Gate {words.choice(list('ABC'))}{_number(words, 2)}   LH400", 46)
    write(draw, (40, 330), f"Boarding {layout.integers(6, 22)}:25   Group {layout.integers(1, 6)}", 34)
    return image


def table(layout: Rng, words: Rng) -> Image.Image:
    """Draw a table of numbers."""
    image = Image.new("RGB", (900, 640), "white")
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, 900, 60), fill=_dark(layout))
    rows, columns = int(layout.integers(8, 14)), int(layout.integers(4, 7))
    for column in range(columns):
        write(draw, (20 + column * 880 / columns, 16), str(layout.choice(WORDS)).title(), 24, "white")
        for row in range(rows):
            text = str(layout.choice(WORDS)) if column == 0 else _number(words, int(words.integers(2, 5)))
            write(draw, (20 + column * 880 / columns, 76 + row * 560 / rows), text, 24)
    return image


def chat(layout: Rng, words: Rng) -> Image.Image:
    """Draw a chat whose bubbles have the same places and other words."""
    image = Image.new("RGB", (750, 1334), "#ece5dd")
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, 750, 120), fill=_dark(layout))
    write(draw, (110, 45), some_words(layout, 2).title(), 30, "white")
    top = 150
    while top < 1180:
        high, wide = 30 * int(layout.integers(1, 4)) + 30, int(layout.integers(320, 560))
        left = 20 if layout.random() < 0.5 else 730 - wide
        draw.rounded_rectangle((left, top, left + wide, top + high), 14, fill="white" if left == 20 else "#dcf8c6")
        for line in range(high // 34):
            write(draw, (left + 16, top + 10 + 34 * line), some_words(words, wide // 110), 24)
        top += high + 20
    return image


def label(layout: Rng, words: Rng) -> Image.Image:
    """Draw a label on which one number differs."""
    image = Image.new("RGB", (800, 500), "white")
    draw = ImageDraw.Draw(image)
    draw.rectangle((20, 20, 780, 480), outline="black", width=4)
    write(draw, (50, 50), some_words(layout, 2).upper(), 60)
    write(draw, (50, 150), some_words(layout, 5), 28)
    write(draw, (50, 230), f"Part no. {layout.choice(list(_LETTERS))}{_number(words, 4)}", 52)
    for column in range(60):
        if layout.random() < 0.5:
            draw.rectangle((50 + column * 11, 330, 60 + column * 11, 440), fill="black")
    return image


def card(layout: Rng, words: Rng) -> Image.Image:
    """Draw a business card on a tinted ground with a gradient; name and number differ."""
    y, x = np.mgrid[0 : 1 : 440 * 1j, 0 : 1 : 760 * 1j]
    first, second = layout.integers(120, 256, (2, 3))
    ground = first + (second - first) * ((x + y) / 2)[:, :, None]
    image = Image.fromarray(ground.clip(0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    draw.ellipse((560, 40, 700, 180), fill=_dark(layout))
    draw.polygon(((600, 150), (630, 70), (660, 150)), fill="white")
    write(draw, (50, 60), some_words(layout, 1).title() + " & Co", 44)
    write(draw, (50, 230), some_words(words, 2).title(), 48)
    write(draw, (50, 320), f"+49 {_number(words, 3)} {_number(words, 5)}", 34)
    return image


def carton(layout: Rng, words: Rng) -> Image.Image:
    """Draw a package with a colourful print; only its size differs."""
    noise = layout.integers(0, 256, (8, 10, 3)).astype(np.uint8)
    image = Image.fromarray(noise).resize((900, 700), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(image)
    for _ in range(30):
        x, y = int(layout.integers(0, 860)), int(layout.integers(0, 660))
        end = x + int(layout.integers(20, 200)), y + int(layout.integers(10, 90))
        fill = tuple(int(value) for value in layout.integers(0, 256, 3))
        if layout.random() < 0.4:
            draw.line(((x, y), end), fill=fill, width=5)
        else:
            draw.ellipse(((x, y), end), fill=fill)
    draw.rectangle((100, 80, 800, 260), fill="white")
    write(draw, (130, 115), some_words(layout, 2).upper()[:14], 90, _dark(layout))
    left, top = int(layout.integers(60, 560)), int(layout.integers(400, 560))
    draw.rectangle((left, top, left + 320, top + 130), fill=(250, 220, 0))
    write(draw, (left + 30, top + 30), f"{int(words.integers(101, 1000))} ml", 70)
    return image


def slide(layout: Rng, words: Rng) -> Image.Image:
    """Draw a slide with as many bullets and other words."""
    image = Image.new("RGB", (1280, 720), "white")
    draw = ImageDraw.Draw(image)
    colour = _dark(layout)
    draw.rectangle((0, 0, 1280, 110), fill=colour)
    write(draw, (50, 30), some_words(layout, 3).title(), 46, "white")
    for line in range(int(layout.integers(3, 7))):
        draw.ellipse((60, 172 + 80 * line, 74, 186 + 80 * line), fill=colour)
        write(draw, (100, 160 + 80 * line), some_words(words, int(layout.integers(3, 8))), 32)
    return image


def dark_screen(layout: Rng, words: Rng) -> Image.Image:
    """Draw an app's screen in dark mode with other numbers."""
    image = Image.new("RGB", (750, 1334), (22, 24, 28))
    draw = ImageDraw.Draw(image)
    write(draw, (40, 50), some_words(layout, 2).title(), 48, "white")
    for row in range(9):
        top = 160 + row * 125
        draw.rounded_rectangle((30, top, 720, top + 105), 18, fill=(44, 48, 56))
        draw.ellipse((50, top + 22, 110, top + 82), fill=tuple(int(v) for v in layout.integers(60, 230, 3)))
        write(draw, (135, top + 18), some_words(layout, 2).title(), 30, "white")
        write(draw, (135, top + 60), f"{_number(words, 3)} points", 24, (170, 170, 170))
        write(draw, (600, top + 36), f"{_number(words, 2)} %", 32, (120, 220, 140))
    return image


def invoice(layout: Rng, words: Rng) -> Image.Image:
    """Draw an invoice of the same company with another number, date and sum."""
    image = Image.new("RGB", (827, 1169), "white")
    draw = ImageDraw.Draw(image)
    write(draw, (60, 50), some_words(layout, 2).title() + " GmbH", 46, _dark(layout))
    write(draw, (60, 200), f"Invoice {_number(words, 5)}", 32)
    write(draw, (560, 200), f"{int(words.integers(1, 29))}.{int(words.integers(1, 13))}.2026", 28)
    for line in range(8):
        write(draw, (60, 300 + 60 * line), some_words(layout, 4), 24)
        write(draw, (640, 300 + 60 * line), f"{_number(layout, 3)},00", 24)
    write(draw, (60, 820), "Total", 32)
    write(draw, (620, 820), f"{_number(words, 4)},00", 32)
    for line in range(4):
        write(draw, (60, 980 + 34 * line), some_words(layout, 9), 18)
    return image


TEMPLATES: tuple[Painter, ...] = (
    form,
    boarding_pass,
    table,
    chat,
    label,
    card,
    carton,
    slide,
    dark_screen,
    invoice,
)


def siblings(paint: Painter, template: int, members: int) -> list[Image.Image]:
    """Return drawings of one template with other words."""
    return [
        paint(np.random.default_rng((17, template)), np.random.default_rng((23, template, member)))
        for member in range(members)
    ]
