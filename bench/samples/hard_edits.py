"""Edits that hide a copy well: filters, stickers, feeds, photographs of screens and prints, and parts of pictures."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageEnhance, ImageFont, ImageOps

from bench.samples.edits import COMBINED, EDITS, Edit, Rng
from bot.domain.matches import Edit as Word

Floats = npt.NDArray[np.float32]


def feed_screenshot(picture: Image.Image, rng: Rng) -> Image.Image:
    """Draw a post of a feed: the picture fills a square, which cuts it, and buttons lie over it."""
    width = 540
    shown = ImageOps.fit(picture, (width, width), Image.Resampling.BICUBIC)
    screen = Image.new("RGB", (width, 960), "white" if rng.random() < 0.6 else (18, 18, 18))
    ink = (20, 20, 20) if screen.getpixel((0, 0)) == (255, 255, 255) else (235, 235, 235)
    draw = ImageDraw.Draw(screen)
    screen.paste(shown, (0, 150))
    draw.ellipse((16, 84, 64, 132), fill=tuple(rng.integers(60, 220, 3).tolist()))
    for place, text, size in (
        ((80, 95), "kim.outdoors", 22),
        ((16, 700), "Like   Comment   Send", 24),
        ((16, 745), f"{int(rng.integers(20, 900))} likes", 20),
        ((16, 780), "kim.outdoors so good to be back here", 20),
        ((16, 20), "9:41", 20),
    ):
        draw.text(place, text, fill=ink, font=ImageFont.load_default(size=size))
    draw.rounded_rectangle((width - 92, 166, width - 16, 200), 16, fill=(40, 40, 40))
    draw.text((width - 74, 170), "1 / 4", fill="white", font=ImageFont.load_default(size=20))
    return screen


def _sticker(picture: Image.Image, rng: Rng, side: int) -> None:
    """Paste a round sticker with a face, in place."""
    left, top = (int(rng.integers(0, max(1, length - side))) for length in picture.size)
    draw = ImageDraw.Draw(picture)
    colour = tuple(int(value) for value in rng.integers(80, 256, 3))
    draw.ellipse((left, top, left + side, top + side), fill=colour, outline="white", width=max(2, side // 16))
    for x in (0.32, 0.68):
        eye = left + side * x, top + side * 0.38
        draw.ellipse((eye[0] - side * 0.07, eye[1] - side * 0.1, eye[0] + side * 0.07, eye[1] + side * 0.1), "black")
    mouth = (left + side * 0.28, top + side * 0.4, left + side * 0.72, top + side * 0.78)
    draw.arc(mouth, 20, 160, "black", max(2, side // 14))


def stickers(picture: Image.Image, rng: Rng) -> Image.Image:
    """Paste three small stickers."""
    marked = picture.copy()
    for _ in range(3):
        _sticker(marked, rng, int(min(marked.size) * rng.uniform(0.16, 0.24)))
    return marked


def big_sticker(picture: Image.Image, rng: Rng) -> Image.Image:
    """Paste one sticker of nearly half the short side."""
    marked = picture.copy()
    _sticker(marked, rng, int(min(marked.size) * 0.45))
    return marked


def strong_filter(picture: Image.Image, rng: Rng) -> Image.Image:
    """Apply a photo app's filter: a tone curve, a tint, faded blacks and dark corners."""
    pixels = np.asarray(ImageEnhance.Contrast(picture).enhance(1.5), np.float32) / 255
    tint = rng.uniform(0.75, 1.15, 3)
    pixels = 0.12 + 0.88 * (pixels ** rng.uniform(0.6, 1.5)) * tint
    y, x = np.mgrid[-1 : 1 : pixels.shape[0] * 1j, -1 : 1 : pixels.shape[1] * 1j]
    pixels *= (1 - 0.3 * (x * x + y * y))[:, :, None]
    return _image(pixels * 255)


def text(picture: Image.Image, rng: Rng) -> Image.Image:
    """Write three lines in a colour of its own over the middle."""
    marked = picture.copy()
    draw = ImageDraw.Draw(marked)
    font = ImageFont.load_default(size=max(12, marked.height // 10))
    fill = tuple(int(value) for value in rng.integers(0, 256, 3))
    for line, words in enumerate(("SALE ENDS", "THIS SUNDAY", "everything goes")):
        draw.text((marked.width * 0.12, marked.height * (0.3 + 0.13 * line)), words, fill=fill, font=font)
    return marked


def inverted(picture: Image.Image, _: Rng) -> Image.Image:
    """Return the negative."""
    return ImageOps.invert(picture)


def photo_of_screen(picture: Image.Image, rng: Rng) -> Image.Image:
    """Photograph a monitor that shows the picture: pixels that beat, a bezel, glare, and an oblique view."""
    shown = _long_side(picture, 520)
    pixels = np.asarray(shown, np.float32)
    y, x = np.mgrid[: shown.height, : shown.width].astype(np.float32)
    period = rng.uniform(2.4, 4.0)
    beat = 1 + 0.07 * np.sin(2 * np.pi * (x + 0.2 * y) / period) * np.sin(2 * np.pi * y / (period * 1.13))
    glare = 60 * np.exp(-(((x - shown.width * rng.random()) ** 2 + (y - shown.height * rng.random()) ** 2) / 2e4))
    screen = np.full((shown.height + 60, shown.width + 60, 3), 18, np.float32)
    screen[30:-30, 30:-30] = pixels * beat[:, :, None] * (0.9, 0.97, 1.05) + glare[:, :, None]
    return _photograph(screen, _wall(rng, (70, 60, 55)), rng, 0.09)


def photo_of_print(picture: Image.Image, rng: Rng) -> Image.Image:
    """Photograph a print on a table: a paper's margin, faded ink, uneven light, and an oblique view."""
    shown = _long_side(picture, 520)
    ink = 30 + np.asarray(shown, np.float32) * (0.78, 0.76, 0.7)
    paper = np.full((shown.height + 80, shown.width + 80, 3), (236, 232, 222), np.float32)
    paper[40:-40, 40:-40] = ink
    y, x = np.mgrid[0 : 1 : paper.shape[0] * 1j, 0 : 1 : paper.shape[1] * 1j]
    paper *= (0.72 + 0.4 * (x * rng.random() + y * rng.random()))[:, :, None]
    paper += rng.normal(0, 5, paper.shape)
    return _photograph(paper, _wall(rng, (120, 86, 60)), rng, 0.12)


def close_up(picture: Image.Image, rng: Rng) -> Image.Image:
    """Photograph a part of a screen at an angle, without its bezel."""
    shown = np.asarray(_long_side(picture, 640), np.float32)
    height, width = shown.shape[:2]
    corners = np.array(((0, 0), (width, 0), (width, height), (0, height)), np.float32)
    inset = (
        np.array(((1, 1), (-1, 1), (-1, -1), (1, -1)), np.float32) * rng.uniform(0.03, 0.14, (4, 2)) * (width, height)
    )
    size = (480, max(16, round(480 * height / width)))
    target = np.array(((0, 0), (size[0], 0), size, (0, size[1])), np.float32)
    matrix = cv2.getPerspectiveTransform((corners + inset).astype(np.float32), target)
    return _image(cv2.GaussianBlur(cv2.warpPerspective(shown, matrix, size), (0, 0), 0.8))


def _wall(rng: Rng, colour: tuple[int, int, int]) -> Floats:
    coarse = rng.normal(0, 14, (24, 32, 1)).astype(np.float32)
    surface = cv2.resize(coarse, (768, 768), interpolation=cv2.INTER_CUBIC)[:, :, None] + np.array(colour, np.float32)
    return np.asarray(surface + rng.normal(0, 4, surface.shape), np.float32)


def _photograph(subject: Floats, ground: Floats, rng: Rng, slant: float) -> Image.Image:
    """Return the subject in front of the ground, seen with corners moved by up to ``slant``."""
    height, width = subject.shape[:2]
    scale = 600 / max(height, width)
    box = np.array(((0, 0), (width, 0), (width, height), (0, height)), np.float32) * scale
    moved = box + rng.uniform(-slant, slant, (4, 2)) * max(box[2]) * 0.8
    turn = np.deg2rad(rng.uniform(-6, 6))
    rotation = np.array(((np.cos(turn), -np.sin(turn)), (np.sin(turn), np.cos(turn))))
    placed = (moved - moved.mean(axis=0)) @ rotation.T + 384
    source = np.array(((0, 0), (width, 0), (width, height), (0, height)), np.float32)
    matrix = cv2.getPerspectiveTransform(source, placed.astype(np.float32))
    seen = cv2.warpPerspective(subject, matrix, (768, 768), flags=cv2.INTER_AREA)
    mask = cv2.warpPerspective(np.ones((height, width), np.float32), matrix, (768, 768))[:, :, None]
    taken = _image(cv2.GaussianBlur(seen * mask + ground * (1 - mask), (0, 0), 0.9))
    return ImageEnhance.Contrast(taken).enhance(rng.uniform(0.85, 1.1))


def collage(picture: Image.Image, rng: Rng) -> Image.Image:
    """Put the picture into one of four places, beside three abstract ones."""
    sheet = Image.new("RGB", (640, 640), "white")
    place = int(rng.integers(0, 4))
    for number in range(4):
        noise = rng.integers(0, 256, (6, 6, 3)).astype(np.uint8)
        other = Image.fromarray(noise).resize((312, 312), Image.Resampling.BICUBIC)
        shown = ImageOps.fit(picture, (312, 312)) if number == place else other
        sheet.paste(shown, (4 + 320 * (number % 2), 4 + 320 * (number // 2)))
    return sheet


def small_phone(picture: Image.Image, rng: Rng) -> Image.Image:
    """Draw a phone's screen with lines of text, in which the picture is small."""
    screen = Image.new("RGB", (540, 1100), (250, 250, 250))
    draw = ImageDraw.Draw(screen)
    for line in range(26):
        words = " ".join("x" * int(length) for length in rng.integers(2, 9, 6))
        draw.text((24, 60 + 40 * line), words, fill=(40, 40, 40), font=ImageFont.load_default(size=20))
    shown = ImageOps.fit(picture, (220, 220))
    screen.paste(shown, (int(rng.integers(20, 300)), int(rng.integers(100, 800))))
    return screen


def _long_side(picture: Image.Image, side: int) -> Image.Image:
    scale = side / max(picture.size)
    size = max(16, round(picture.width * scale)), max(16, round(picture.height * scale))
    return picture.resize(size, Image.Resampling.BICUBIC)


def _image(pixels: npt.NDArray[np.floating]) -> Image.Image:
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


_PHOTOGRAPHED = frozenset({Word.PHOTOGRAPHED})
_OVERLAID = frozenset({Word.OVERLAID})

HARD_EDITS: dict[str, tuple[Edit, frozenset[Word]]] = {
    "logo": (EDITS["logo"], _OVERLAID),
    "caption": (EDITS["caption"], _OVERLAID),
    "text": (text, _OVERLAID),
    "crop, mirror, caption, JPEG": (
        COMBINED["crop, mirror, caption, JPEG"],
        frozenset({Word.CROPPED, Word.MIRRORED, Word.OVERLAID}),
    ),
    "feed screenshot": (feed_screenshot, frozenset({Word.FRAMED})),
    "stickers": (stickers, _OVERLAID),
    "big sticker": (big_sticker, _OVERLAID),
    "strong filter": (strong_filter, frozenset({Word.RECOLOURED})),
    "gray": (EDITS["gray"], frozenset({Word.RECOLOURED})),
    "colours changed": (EDITS["colours changed"], frozenset({Word.RECOLOURED})),
    "photo of a screen": (photo_of_screen, _PHOTOGRAPHED),
    "photo of a print": (photo_of_print, _PHOTOGRAPHED),
    "close-up of a screen": (close_up, _PHOTOGRAPHED),
    "inverted": (inverted, frozenset({Word.INVERTED})),
    "collage": (collage, frozenset({Word.FRAMED})),
    "small in a phone's screen": (small_phone, frozenset({Word.FRAMED})),
}
"""By name: the edit, and the words that its verdict must have."""
