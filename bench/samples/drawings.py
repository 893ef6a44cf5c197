"""Draws what photographs lack: line art, logos with a transparent ground, and products in several colours."""

from __future__ import annotations

import colorsys

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from bench.samples.edits import Rng

NAMES = ("Nordlys", "Halden", "ACME", "Quartz", "Birkin", "Solvang", "Tern", "Moxie", "Delta 9", "Kiosk")


def line_art(rng: Rng) -> Image.Image:
    """Draw a plan of curves, boxes and circles in thin lines on white."""
    image = Image.new("RGB", (640, 480), "white")
    draw = ImageDraw.Draw(image)
    for _ in range(int(rng.integers(14, 26))):
        x, y = int(rng.integers(30, 560)), int(rng.integers(30, 400))
        across, down = int(rng.integers(20, 180)), int(rng.integers(20, 160))
        kind = int(rng.integers(0, 4))
        if kind == 0:
            draw.rectangle((x, y, x + across, y + down), outline="black", width=2)
        elif kind == 1:
            draw.ellipse((x, y, x + across, y + down), outline="black", width=2)
        elif kind == 2:
            draw.line((x, y, x + across, y + down), fill="black", width=3)
        else:
            turns = np.linspace(0, 6 * float(rng.random()) + 2, 40)
            points = [(x + t * 18 * np.cos(t), y + t * 12 * np.sin(t)) for t in turns]
            draw.line([(float(a), float(b)) for a, b in points], fill="black", width=2)
    return image


def logo(rng: Rng) -> Image.Image:
    """Draw a mark and a name on a transparent ground."""
    image = Image.new("RGBA", (600, 400), (0, 0, 0, 0))
    draw = ImageDraw.Draw(image)
    first, second = (_colour(rng, value) for value in (0.55, 0.75))
    corners = int(rng.integers(3, 9))
    turn = float(rng.random())
    inner = float(rng.uniform(0.35, 1))
    star = []
    for step in range(2 * corners):
        radius = 110 * (inner if step % 2 else 1.0)
        angle = np.pi * (step / corners + turn)
        star.append((300 + radius * float(np.cos(angle)), 150 + radius * float(np.sin(angle))))
    draw.polygon(star, fill=first)
    side = int(rng.integers(25, 60))
    draw.ellipse((300 - side, 150 - side, 300 + side, 150 + side), fill=second)
    font = ImageFont.load_default(size=72)
    name = str(rng.choice(NAMES)) + (f" {int(rng.integers(2, 99))}" if rng.random() < 0.5 else "")
    draw.text((300, 300), name, fill=first, font=font, anchor="mt")
    return image


def on_ground(drawing: Image.Image, colour: tuple[int, int, int], rng: Rng) -> Image.Image:
    """Lay a transparent drawing on a colour, with margins of its own."""
    margin = int(rng.integers(0, 60))
    sheet = Image.new("RGB", (drawing.width + 2 * margin, drawing.height + 2 * margin), colour)
    sheet.paste(drawing, (margin, margin), drawing)
    return sheet


def product(rng: Rng, hue: float, words: str) -> Image.Image:
    """Draw a bottle with a label on white. ``hue`` and ``words`` differ between variants of one product."""
    image = Image.new("RGB", (420, 560), "white")
    draw = ImageDraw.Draw(image)
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.7, 0.8)
    shade = np.linspace(0.6, 1.1, 200)
    for column, light in enumerate(shade):
        tint = tuple(int(min(255, 255 * light * value)) for value in (red, green, blue))
        draw.line((110 + column, 150, 110 + column, 520), fill=tint)
    draw.rectangle((170, 60, 250, 150), fill=(60, 60, 64))
    draw.rectangle((110, 240, 310, 430), fill="white")
    font = ImageFont.load_default(size=40)
    draw.text((210, 255), str(rng.choice(NAMES)), fill="black", font=font, anchor="mt")
    draw.text((210, 330), words, fill=(int(200 * red), int(200 * green), int(200 * blue)), font=font, anchor="mt")
    for _ in range(14):
        x, y = int(rng.integers(115, 295)), int(rng.integers(440, 505))
        draw.ellipse((x, y, x + 10, y + 10), fill=(255, 255, 255))
    return image


def _colour(rng: Rng, value: float) -> tuple[int, int, int]:
    red, green, blue = colorsys.hsv_to_rgb(float(rng.random()), 0.8, value)
    return int(255 * red), int(255 * green), int(255 * blue)
