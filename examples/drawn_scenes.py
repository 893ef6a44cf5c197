"""Drawn samples: landscapes, patterns and mathematical figures."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

from examples.painting import (
    HEIGHT,
    SCALE,
    WIDTH,
    Colour,
    around,
    blank,
    coloured,
    disc,
    finished,
    gradient,
    noise,
)

Complex = npt.NDArray[np.complexfloating]

_W, _H = WIDTH * SCALE, HEIGHT * SCALE


def _ridge(draw: ImageDraw.ImageDraw, seed: int, base: float, height: float, colour: Colour) -> None:
    line = noise(seed, _W, 1, 3, 5)[0]
    points = [(x, base - height * float(line[x])) for x in range(0, _W, 6)]
    draw.polygon([(0, _H), *points, (_W, _H)], fill=colour)


def mountains() -> Image.Image:
    """Draw five ridges at dusk."""
    canvas = gradient((52, 40, 110), (252, 178, 130))
    draw = ImageDraw.Draw(canvas)
    disc(draw, (1040, 420), 90, (255, 236, 190))
    for layer in range(5):
        shade = (150 - layer * 30, 96 - layer * 18, 150 - layer * 24)
        _ridge(draw, 20 + layer, 640 + layer * 110, 380 - layer * 40, shade)
    return finished(canvas)


def desert() -> Image.Image:
    """Draw dunes under a pale sky."""
    canvas = gradient((116, 190, 226), (250, 236, 206))
    draw = ImageDraw.Draw(canvas)
    for layer, colour in enumerate(((236, 186, 118), (222, 160, 88), (202, 132, 64), (168, 98, 46))):
        low = 620 + layer * 120
        curve = [(x, low + 90 * math.sin(x / (260 + 70 * layer) + layer * 1.7)) for x in range(0, _W + 1, 6)]
        draw.polygon([(0, _H), *curve, (_W, _H)], fill=colour)
    return finished(canvas)


def moonlit_sea() -> Image.Image:
    """Draw a moon and its reflection on the water."""
    rng = np.random.default_rng(31)
    canvas = gradient((6, 12, 38), (38, 66, 112))
    draw = ImageDraw.Draw(canvas)
    for x, y in rng.uniform((0, 0), (_W, 560), (160, 2)):
        disc(draw, (x, y), float(rng.uniform(1, 4)), (230, 234, 250))
    disc(draw, (960, 240), 110, (250, 246, 220))
    disc(draw, (1000, 214), 92, (14, 24, 56))
    draw.rectangle((0, 620, _W, _H), fill=(8, 22, 50))
    for row in range(60):
        y, spread = 626 + row * 7.6, 30 + row * 5
        for x in rng.normal(940, spread, 6):
            draw.line((x - 26, y, x + 26, y), fill=(214, 216, 190), width=3)
    return finished(canvas)


def foggy_forest() -> Image.Image:
    """Draw firs that fade with the distance."""
    rng = np.random.default_rng(37)
    canvas = gradient((214, 226, 222), (150, 176, 170))
    for layer in range(4):
        haze = Image.new("RGB", canvas.size, (206, 220, 216))
        canvas = Image.blend(canvas, haze, 0.25)
        draw = ImageDraw.Draw(canvas)
        shade = (92 - layer * 24, 122 - layer * 26, 112 - layer * 26)
        for x in np.sort(rng.uniform(-50, _W, 16 - 2 * layer)):
            size = float(rng.uniform(190, 280)) * (1 + layer * 0.45)
            foot = 720 + layer * 120
            for tier in range(5):
                top, half = foot - size + tier * size / 6, size * (0.10 + 0.05 * tier)
                draw.polygon([(x, top), (x - half, top + size / 3), (x + half, top + size / 3)], fill=shade)
            draw.rectangle((x - 8, foot - size / 6, x + 8, foot + 400), fill=shade)
    return finished(canvas)


def night_city() -> Image.Image:
    """Draw towers with lit windows."""
    rng = np.random.default_rng(41)
    canvas = gradient((14, 14, 44), (150, 62, 104))
    draw = ImageDraw.Draw(canvas)
    for layer in range(3):
        x = -40
        while x < _W:
            width, height = int(rng.integers(90, 190)), int(rng.integers(280, 820 - 150 * layer))
            body = (36 - 11 * layer, 34 - 10 * layer, 66 - 18 * layer)
            draw.rectangle((x, _H - height, x + width, _H), fill=body)
            for wx in range(x + 16, x + width - 20, 30):
                for wy in range(_H - height + 20, _H - 20, 42):
                    if rng.random() < 0.42:
                        draw.rectangle((wx, wy, wx + 14, wy + 22), fill=(250, 214, 120))
            x += width + int(rng.integers(0, 50))
    return finished(canvas)


def ringed_planet() -> Image.Image:
    """Draw a planet with bands and rings, and stars."""
    rng = np.random.default_rng(43)
    canvas = blank((6, 6, 16))
    draw = ImageDraw.Draw(canvas)
    for x, y in rng.uniform((0, 0), (_W, _H), (320, 2)):
        disc(draw, (x, y), float(rng.uniform(0.8, 3.2)), (220, 224, 240))
    bands = coloured(
        np.repeat(noise(44, 1, 640, 9)[:, :1], 640, axis=1),
        ((120, 76, 52), (226, 178, 124), (246, 226, 190), (180, 112, 80)),
    )
    globe = Image.new("L", (640, 640), 0)
    ImageDraw.Draw(globe).ellipse((0, 0, 639, 639), fill=255)
    canvas.paste(bands, (400, 220), globe)
    shade = Image.new("L", canvas.size, 0)
    ImageDraw.Draw(shade).ellipse((520, 150, 1260, 930), fill=190)
    inside = Image.new("L", canvas.size, 0)
    inside.paste(globe, (400, 220))
    night = Image.composite(shade.filter(ImageFilter.GaussianBlur(70)), Image.new("L", canvas.size, 0), inside)
    canvas.paste((4, 4, 12), (0, 0), night)
    draw = ImageDraw.Draw(canvas)
    for ring in range(14):
        reach = 400 + ring * 15
        colour = (206 - ring * 7, 182 - ring * 7, 150 - ring * 6)
        draw.arc((720 - reach, 540 - reach * 0.26, 720 + reach, 540 + reach * 0.26), -14, 194, fill=colour, width=9)
    return finished(canvas)


def mandelbrot() -> Image.Image:
    """Draw the seahorse valley of the Mandelbrot set."""
    across, down = np.meshgrid(np.linspace(-0.775, -0.715, WIDTH), np.linspace(0.08, 0.125, HEIGHT))
    return _escape(np.zeros_like(across) * 0j, across + 1j * down, 140)


def julia() -> Image.Image:
    """Draw the Julia set of -0.8 + 0.156i."""
    across, down = np.meshgrid(np.linspace(-1.6, 1.6, WIDTH), np.linspace(-1.2, 1.2, HEIGHT))
    point = across + 1j * down
    return _escape(point, np.full_like(point, -0.8 + 0.156j), 120)


def _escape(point: Complex, step: Complex, most: int) -> Image.Image:
    rounds = np.zeros(point.shape)
    for _ in range(most):
        inside = np.abs(point) <= 2
        rounds += inside
        point = np.where(inside, point * point + step, point)
    stops = ((8, 10, 40), (20, 90, 170), (120, 210, 220), (250, 240, 190), (240, 140, 40), (60, 10, 30))
    return coloured(np.sqrt(rounds / most), stops)


def sunflower() -> Image.Image:
    """Draw seeds at the golden angle."""
    canvas = gradient((34, 92, 60), (14, 44, 34))
    draw = ImageDraw.Draw(canvas)
    for petal in range(34):
        angle = petal * 2 * math.pi / 34
        tip = (720 + 500 * math.cos(angle), 540 + 500 * math.sin(angle))
        sides = [(720 + 330 * math.cos(angle + turn), 540 + 330 * math.sin(angle + turn)) for turn in (-0.13, 0.13)]
        draw.polygon([(720, 540), sides[0], tip, sides[1]], fill=(250, 190 + petal % 3 * 18, 30))
    for seed in range(760):
        reach, angle = 11.6 * math.sqrt(seed), seed * math.pi * (3 - math.sqrt(5))
        shade = 40 + seed * 80 // 760
        disc(draw, (720 + reach * math.cos(angle), 540 + reach * math.sin(angle)), 9, (shade + 30, shade, 20))
    return finished(canvas)


def fern() -> Image.Image:
    """Draw Barnsley's fern from its four affine maps."""
    rng = np.random.default_rng(47)
    points = np.zeros((60_000, 2))
    rates = np.array([0.01, 0.86, 0.93, 1.0])
    maps = (
        (0.0, 0.0, 0.0, 0.16, 0.0),
        (0.85, 0.04, -0.04, 0.85, 1.6),
        (0.2, -0.26, 0.23, 0.22, 1.6),
        (-0.15, 0.28, 0.26, 0.24, 0.44),
    )
    x = y = 0.0
    for index, choice in enumerate(np.searchsorted(rates, rng.random(len(points)))):
        a, b, c, d, f = maps[int(choice)]
        x, y = a * x + b * y, c * x + d * y + f
        points[index] = x, y
    canvas = np.full((HEIGHT, WIDTH, 3), (246, 242, 226), np.uint8)
    columns = ((points[:, 1] / 10.2) * (WIDTH - 40) + 20).astype(int)
    rows = ((points[:, 0] + 3) / 6 * HEIGHT).clip(0, HEIGHT - 1).astype(int)
    canvas[rows, columns] = (28, 104, 48)
    return Image.fromarray(canvas)


def tartan() -> Image.Image:
    """Draw woven bands."""
    bands = np.zeros((max(_W, _H), 3))
    widths = ((60, (14, 66, 50)), (14, (230, 200, 60)), (60, (14, 66, 50)), (90, (22, 36, 92)), (24, (176, 30, 40)))
    place = 0
    while place < len(bands):
        for width, colour in widths:
            bands[place : place + width] = colour
            place += width
    twill = (np.add.outer(np.arange(_H), np.arange(_W)) // 4 % 2)[..., None]
    woven = np.where(twill == 1, bands[None, :_W], bands[:_H, None])
    return finished(Image.fromarray(woven.astype(np.uint8)))


def stained_glass() -> Image.Image:
    """Draw cells around random points (a Voronoi diagram)."""
    rng = np.random.default_rng(53)
    seeds = rng.uniform((0, 0), (WIDTH, HEIGHT), (70, 2))
    colours = rng.uniform(60, 255, (70, 3)) * rng.choice(((1, 0.35, 0.3), (0.3, 0.6, 1), (1, 0.85, 0.3)), 70)
    across, down = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
    nearest = np.full((HEIGHT, WIDTH), np.inf)
    second, owner = nearest.copy(), np.zeros((HEIGHT, WIDTH), int)
    for index, (x, y) in enumerate(seeds):
        distance = np.hypot(across - x, down - y)
        second = np.minimum(second, np.maximum(nearest, distance))
        owner[distance < nearest] = index
        nearest = np.minimum(nearest, distance)
    glass = colours[owner] * (1.1 - nearest[..., None] / 160)
    lead = (second - nearest < 4)[..., None]
    return Image.fromarray(np.where(lead, 18, glass.clip(0, 255)).astype(np.uint8))


def marble() -> Image.Image:
    """Draw veins in white stone."""
    field = noise(59, WIDTH, HEIGHT, 4, 6)
    veins = np.abs(np.sin(field * 9 + np.linspace(0, 5, WIDTH)[None, :])) ** 0.35
    return coloured(veins, ((70, 74, 84), (200, 200, 204), (248, 246, 242)))


def oak() -> Image.Image:
    """Draw the grain of a board."""
    field = noise(61, WIDTH, HEIGHT, 2, 3)
    rings = (field * 14 + np.linspace(0, 22, HEIGHT)[:, None]) % 1
    return coloured(
        rings * 0.8 + noise(62, WIDTH, HEIGHT, 60, 2) * 0.2, ((112, 66, 30), (176, 118, 62), (218, 170, 106))
    )


def azulejo() -> Image.Image:
    """Draw painted tiles, four by three."""
    canvas = blank((244, 244, 238))
    draw = ImageDraw.Draw(canvas)
    for column in range(4):
        for row in range(3):
            centre = (180 + column * 360, 180 + row * 360)
            draw.rectangle((centre[0] - 178, centre[1] - 178, centre[0] + 178, centre[1] + 178), fill=(240, 240, 232))
            for corner in around(centre, 240, 4, math.pi / 4):
                disc(draw, corner, 84, (232, 178, 52))
                disc(draw, corner, 56, (240, 240, 232))
            for petal in around(centre, 86, 8):
                disc(draw, petal, 48, (28, 72, 150))
            disc(draw, centre, 70, (240, 240, 232))
            disc(draw, centre, 40, (28, 72, 150))
    for line in range(0, _W + 1, 360):
        draw.line((line, 0, line, _H), fill=(186, 186, 178), width=6)
        draw.line((0, line, _W, line), fill=(186, 186, 178), width=6)
    return finished(canvas)


def maze() -> Image.Image:
    """Draw a maze, dug by a random walk that backtracks at dead ends."""
    rng = np.random.default_rng(67)
    columns, rows, cell = 30, 22, 48
    canvas = blank((36, 30, 60))
    draw = ImageDraw.Draw(canvas)
    walk, seen = [(0, 0)], {(0, 0)}
    while walk:
        x, y = walk[-1]
        ways = [(x + dx, y + dy) for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1))]
        free = [way for way in ways if way not in seen and 0 <= way[0] < columns and 0 <= way[1] < rows]
        if not free:
            walk.pop()
            continue
        step = free[int(rng.integers(len(free)))]
        ends = [(20 + column * cell, 26 + row * cell) for column, row in ((x, y), step)]
        draw.rectangle((*map(min, *ends), *(largest + 26 for largest in map(max, *ends))), fill=(246, 206, 120))
        seen.add(step)
        walk.append(step)
    return finished(canvas)
