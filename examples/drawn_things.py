"""Drawn samples: parts, labels, logos and posters."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from examples.painting import (
    HEIGHT,
    SCALE,
    WIDTH,
    Colour,
    around,
    blank,
    disc,
    finished,
    gradient,
    metallic,
    write,
)

MIDDLE = (WIDTH * SCALE / 2, HEIGHT * SCALE / 2)
STEEL, BRASS, COPPER = (205, 212, 222), (236, 196, 104), (222, 142, 98)


def _shape() -> tuple[Image.Image, ImageDraw.ImageDraw]:
    mask = Image.new("L", (WIDTH * SCALE, HEIGHT * SCALE), 0)
    return mask, ImageDraw.Draw(mask)


def _ring(draw: ImageDraw.ImageDraw, radius: float, fill: int, centre: tuple[float, float] = MIDDLE) -> None:
    x, y = centre
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=fill)


def _gear(teeth: int, radius: float, tint: Colour, holes: int, table: tuple[Colour, Colour]) -> Image.Image:
    mask, draw = _shape()
    step = 2 * math.pi / teeth
    outline = []
    for tooth in range(teeth):
        for share, reach in ((0.0, 0.86), (0.2, 1.0), (0.5, 1.0), (0.7, 0.86)):
            angle = (tooth + share) * step
            x, y = MIDDLE[0] + radius * reach * math.cos(angle), MIDDLE[1] + radius * reach * math.sin(angle)
            outline.append((x, y))
    draw.polygon(outline, fill=255)
    for hole in around(MIDDLE, radius * 0.52, holes, 0.3):
        _ring(draw, radius * 0.15, 0, hole)
    _ring(draw, radius * 0.2, 0)
    return finished(metallic(mask, gradient(*table), tint, seed=teeth))


def spur_gear() -> Image.Image:
    """Draw a steel gear with 24 teeth."""
    return _gear(24, 440, STEEL, 6, ((236, 238, 240), (176, 184, 194)))


def pinion() -> Image.Image:
    """Draw a brass pinion with 11 teeth."""
    return _gear(11, 330, BRASS, 3, ((72, 88, 104), (34, 42, 54)))


def ball_bearing() -> Image.Image:
    """Draw two rings with balls between them."""
    mask, draw = _shape()
    _ring(draw, 450, 255)
    _ring(draw, 345, 0)
    _ring(draw, 235, 255)
    _ring(draw, 145, 0)
    for ball in around(MIDDLE, 290, 10):
        _ring(draw, 62, 255, ball)
    return finished(metallic(mask, gradient((250, 244, 232), (214, 196, 170)), STEEL, seed=3))


def hexagon_nut() -> Image.Image:
    """Draw a copper nut."""
    mask, draw = _shape()
    draw.polygon(list(around(MIDDLE, 420, 6, 0.2)), fill=255)
    _ring(draw, 215, 0)
    return finished(metallic(mask, gradient((58, 84, 78), (22, 38, 36)), COPPER, seed=5))


def hexagon_bolt() -> Image.Image:
    """Draw a bolt lying across the picture with its thread to the right."""
    mask, draw = _shape()
    draw.rounded_rectangle((190, 330, 400, 750), 40, fill=255)
    draw.rectangle((400, 430, 1220, 650), fill=255)
    for x in range(640, 1220, 36):
        draw.polygon([(x, 418), (x + 18, 442), (x + 36, 418)], fill=0)
        draw.polygon([(x, 662), (x + 18, 638), (x + 36, 662)], fill=0)
        draw.line((x + 18, 440, x + 2, 640), fill=120, width=8)
    return finished(metallic(mask, gradient((206, 220, 234), (140, 160, 184)), STEEL, seed=7))


def coil_spring() -> Image.Image:
    """Draw a spring with ten turns."""
    mask, draw = _shape()
    for turn in range(10):
        x = 230 + turn * 98
        draw.line((x, 800, x + 60, 280), fill=255, width=34)
        draw.line((x + 60, 280, x + 98, 800), fill=200, width=22)
    return finished(metallic(mask, gradient((120, 40, 44), (58, 14, 22)), STEEL, seed=9))


def circuit_board() -> Image.Image:
    """Draw a green board with chips and traces."""
    rng = np.random.default_rng(11)
    canvas = gradient((24, 112, 62), (12, 74, 44))
    draw = ImageDraw.Draw(canvas)
    for _ in range(90):
        x, y = (int(value) * 24 for value in rng.integers((2, 2), (58, 43)))
        bend, drop = int(rng.integers(2, 12)) * 24, int(rng.integers(-6, 7)) * 24
        draw.line([(x, y), (x + bend, y), (x + bend + abs(drop), y + drop)], fill=(62, 168, 98), width=6)
        disc(draw, (x, y), 11, (214, 184, 92))
    for left, top, right, bottom in ((240, 220, 620, 600), (840, 160, 1180, 340), (820, 640, 1260, 900)):
        for x in range(left + 20, right - 10, 36):
            draw.rectangle((x, top - 24, x + 14, bottom + 24), fill=(206, 208, 210))
        draw.rectangle((left, top, right, bottom), fill=(26, 28, 32))
        disc(draw, (left + 36, top + 36), 12, (70, 74, 80))
    write(draw, (430, 410), "VS-2026", 34, (150, 156, 160))
    return finished(canvas)


def _label(paper: Colour, ink: Colour, accent: Colour, lines: tuple[str, str, str]) -> Image.Image:
    canvas = blank(paper, 540, 640)
    draw = ImageDraw.Draw(canvas)
    draw.rounded_rectangle((50, 50, 1030, 1230), 60, outline=ink, width=12)
    draw.rounded_rectangle((78, 78, 1002, 1202), 44, outline=accent, width=4)
    for ray in around((540, 400), 250, 24):
        draw.line(((540, 400), ray), fill=accent, width=12)
    disc(draw, (540, 400), 165, paper)
    disc(draw, (540, 400), 145, accent)
    for petal in around((540, 400), 76, 8):
        disc(draw, petal, 44, paper)
    disc(draw, (540, 400), 40, ink)
    write(draw, (540, 780), lines[0], 62, ink, spacing=0.12)
    draw.rectangle((300, 860, 780, 866), fill=accent)
    write(draw, (540, 930), lines[1], 30, ink, spacing=0.2)
    write(draw, (540, 1110), lines[2], 24, accent, spacing=0.1)
    return finished(canvas)


def honey_label() -> Image.Image:
    """Draw the label of a jar."""
    return _label((255, 246, 220), (92, 56, 14), (230, 160, 30), ("HONEY", "MEADOW FLOWERS", "500 g"))


def tea_label() -> Image.Image:
    """Draw the label of a tin."""
    return _label((226, 238, 224), (24, 66, 48), (96, 148, 92), ("GREEN TEA", "FIRST HARVEST", "80 g"))


def harbour_logo() -> Image.Image:
    """Draw a sail over waves."""
    canvas = blank((250, 250, 248))
    draw = ImageDraw.Draw(canvas)
    draw.polygon([(700, 150), (700, 600), (430, 600)], fill=(18, 70, 130))
    draw.polygon([(740, 230), (740, 600), (960, 600)], fill=(226, 84, 60))
    for row in range(3):
        points = [(x, 690 + row * 46 + 18 * math.sin(x / 60 + row)) for x in range(380, 1061, 8)]
        draw.line(points, fill=(18, 70, 130), width=16)
    write(draw, (720, 920), "HARBOUR", 74, (18, 70, 130), spacing=0.25)
    return finished(canvas)


def summit_logo() -> Image.Image:
    """Draw three peaks in a ring."""
    canvas = blank((20, 24, 32))
    draw = ImageDraw.Draw(canvas)
    disc(draw, (720, 430), 320, (244, 190, 66))
    disc(draw, (720, 430), 292, (20, 24, 32))
    draw.polygon([(470, 560), (640, 300), (800, 560)], fill=(98, 190, 180))
    draw.polygon([(600, 560), (780, 220), (970, 560)], fill=(240, 240, 236))
    draw.polygon([(690, 390), (780, 220), (872, 392), (820, 352), (778, 402), (738, 352)], fill=(244, 190, 66))
    write(draw, (720, 900), "SUMMIT & CO", 64, (244, 190, 66), spacing=0.18)
    return finished(canvas)


def jazz_poster() -> Image.Image:
    """Draw circles, piano keys and a date."""
    canvas = blank((242, 226, 196), 480, 680)
    draw = ImageDraw.Draw(canvas)
    for radius, colour in ((400, (196, 52, 44)), (310, (242, 226, 196)), (230, (28, 60, 92)), (120, (236, 176, 60))):
        disc(draw, (560, 520), radius, colour)
    for key in range(9):
        left = 60 + key * 96
        draw.rectangle((left, 900, left + 84, 1160), fill=(250, 248, 240), outline=(30, 30, 34), width=5)
        if key % 7 not in {2, 6}:
            draw.rectangle((left + 60, 900, left + 122, 1060), fill=(30, 30, 34))
    write(draw, (480, 130), "JAZZ NIGHT", 70, (28, 60, 92), spacing=0.04)
    write(draw, (480, 1260), "FRIDAY AT NINE", 46, (196, 52, 44), spacing=0.1)
    return finished(canvas)


def lighthouse_poster() -> Image.Image:
    """Draw a striped tower and its beam."""
    canvas = gradient((22, 32, 78), (246, 150, 110), 480, 680)
    beam = Image.new("L", canvas.size, 0)
    ImageDraw.Draw(beam).polygon([(500, 330), (-100, 120), (-100, 480)], fill=150)
    canvas.paste((255, 240, 190), (0, 0), beam.filter(ImageFilter.GaussianBlur(14)))
    draw = ImageDraw.Draw(canvas)
    for stripe in range(7):
        top, low = 400 + stripe * 90, 400 + (stripe + 1) * 90
        wide, wider = 62 + stripe * 9, 62 + (stripe + 1) * 9
        colour = (200, 44, 44) if stripe % 2 else (248, 244, 236)
        draw.polygon([(520 - wide, top), (520 + wide, top), (520 + wider, low), (520 - wider, low)], fill=colour)
    draw.rectangle((440, 376, 600, 404), fill=(30, 30, 40))
    draw.rectangle((472, 290, 568, 376), fill=(255, 232, 150))
    draw.polygon([(450, 290), (590, 290), (520, 210)], fill=(30, 30, 40))
    draw.polygon([(0, 1360), (0, 1120), (300, 1010), (700, 1020), (960, 1150), (960, 1360)], fill=(24, 30, 44))
    write(draw, (480, 1260), "CAPE NORTH", 52, (248, 220, 170), spacing=0.2)
    return finished(canvas)
