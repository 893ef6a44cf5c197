"""Edits that people make before they post a picture again, as functions of the picture and a seeded generator."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont, ImageOps

Rng = np.random.Generator
Edit = Callable[[Image.Image, Rng], Image.Image]
Colour = tuple[int, int, int]


def _jpeg(quality: int) -> Edit:
    def edit(picture: Image.Image, _: Rng) -> Image.Image:
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=quality)
        return Image.open(buffer).convert("RGB")

    return edit


def _longest(side: int) -> Edit:
    def edit(picture: Image.Image, _: Rng) -> Image.Image:
        scale = side / max(picture.size)
        size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
        return picture.resize(size, Image.Resampling.LANCZOS)

    return edit


def _crop(share: float) -> Edit:
    """Keep this share of the area, at a random place in the picture."""

    def edit(picture: Image.Image, rng: Rng) -> Image.Image:
        width, height = (max(1, int(length * share**0.5)) for length in picture.size)
        left = int(rng.integers(0, picture.width - width + 1))
        top = int(rng.integers(0, picture.height - height + 1))
        return picture.crop((left, top, left + width, top + height))

    return edit


def _border(picture: Image.Image, rng: Rng) -> Image.Image:
    red, green, blue = (int(value) for value in rng.integers(0, 256, 3))
    return ImageOps.expand(picture, int(min(picture.size) * 0.12), fill=(red, green, blue))


def _mirror(picture: Image.Image, _: Rng) -> Image.Image:
    return ImageOps.mirror(picture)


def _tilt(picture: Image.Image, _: Rng) -> Image.Image:
    return picture.rotate(5, Image.Resampling.BICUBIC)


def _tilt_whole(picture: Image.Image, _: Rng) -> Image.Image:
    return picture.rotate(-5, Image.Resampling.BICUBIC, expand=True, fillcolor="white")


def _quarter_turn(picture: Image.Image, rng: Rng) -> Image.Image:
    return picture.transpose(Image.Transpose.ROTATE_90 if rng.random() < 0.5 else Image.Transpose.ROTATE_270)


def _caption(picture: Image.Image, _: Rng) -> Image.Image:
    captioned = picture.copy()
    draw = ImageDraw.Draw(captioned)
    width, height = captioned.size
    font = ImageFont.load_default(size=max(12, height // 8))
    for place, text in (
        ((width * 0.05, height * 0.05), "NOBODY SAW THIS"),
        ((width * 0.1, height * 0.82), "UNTIL NOW"),
    ):
        draw.text(place, text, fill="white", stroke_width=2, stroke_fill="black", font=font)
    return captioned


def _logo(picture: Image.Image, _: Rng) -> Image.Image:
    marked = picture.copy()
    draw = ImageDraw.Draw(marked)
    side = min(marked.size) // 4
    left, top = marked.width - side - 5, marked.height - side - 5
    draw.ellipse((left, top, left + side, top + side), fill=(220, 30, 40))
    inner = (left + side // 4, top + side // 3, left + 3 * side // 4, top + 2 * side // 3)
    draw.rectangle(inner, fill="white")
    return marked


def _colour(picture: Image.Image, _: Rng) -> Image.Image:
    return ImageEnhance.Color(ImageEnhance.Brightness(picture).enhance(1.25)).enhance(1.8)


def _gray(picture: Image.Image, _: Rng) -> Image.Image:
    return picture.convert("L").convert("RGB")


def _blur(picture: Image.Image, _: Rng) -> Image.Image:
    return picture.filter(ImageFilter.GaussianBlur(max(picture.size) / 128))


def _noise(picture: Image.Image, rng: Rng) -> Image.Image:
    pixels = np.asarray(picture, np.float32)
    return Image.fromarray((pixels + rng.normal(0, 25, pixels.shape)).clip(0, 255).astype(np.uint8))


def _phone_screenshot(picture: Image.Image, rng: Rng) -> Image.Image:
    """Draw a post in a chat app on a phone, light or dark."""
    width, top = 540, 170
    shown = _longest_width(picture, width)
    paper, ink = ((25, 26, 30), (220, 220, 220)) if rng.random() < 0.4 else ((255, 255, 255), (30, 30, 30))
    screen = Image.new("RGB", (width, max(960, shown.height + 420)), paper)
    draw = ImageDraw.Draw(screen)
    large, small = ImageFont.load_default(size=22), ImageFont.load_default(size=16)
    draw.text((20, 8), "12:41", fill=ink, font=small)
    draw.rectangle((width - 60, 10, width - 20, 26), outline=ink)
    draw.ellipse((20, 60, 70, 110), fill=(90, 120, 200))
    draw.text((85, 65), "Jo Anders", fill=ink, font=large)
    draw.text((20, 130), "look what I have found today!", fill=ink, font=small)
    screen.paste(shown, (0, top))
    for line, text in enumerate(("128 likes   comment   share", "Sam: nice one", "Kim: where is that?")):
        draw.text((20, top + shown.height + 20 + 40 * line), text, fill=ink, font=large)
    return screen


def _longest_width(picture: Image.Image, width: int) -> Image.Image:
    return picture.resize((width, max(1, round(picture.height * width / picture.width))), Image.Resampling.BICUBIC)


def _desktop_screenshot(picture: Image.Image, _: Rng) -> Image.Image:
    """Draw a page in a browser window with the picture in the middle."""
    screen = Image.new("RGB", (900, 640), (240, 240, 244))
    draw = ImageDraw.Draw(screen)
    font = ImageFont.load_default(size=16)
    draw.rectangle((0, 0, 900, 50), fill=(60, 64, 72))
    draw.text((20, 15), "<  >  https://example.org/pictures/1234", fill="white", font=font)
    draw.rectangle((0, 50, 180, 640), fill=(225, 227, 232))
    for line in range(8):
        draw.text((20, 80 + line * 40), f"Menu item {line}", fill=(60, 60, 60), font=font)
    shown = picture.copy()
    shown.thumbnail((560, 480))
    screen.paste(shown, (220, 90))
    draw.text((220, 100 + shown.height), "Figure 1. A picture", fill=(60, 60, 60), font=font)
    return screen


def _combined(picture: Image.Image, rng: Rng) -> Image.Image:
    return _jpeg(40)(_caption(ImageOps.mirror(_crop(0.8)(picture, rng)), rng), rng)


EDITS: dict[str, Edit] = {
    "JPEG quality 10": _jpeg(10),
    "resized to 128 px": _longest(128),
    "crop to 80 %": _crop(0.8),
    "crop to 65 %": _crop(0.65),
    "crop to 50 %": _crop(0.5),
    "border": _border,
    "mirrored": _mirror,
    "rotated by 5°": _tilt,
    "rotated by 5°, corners shown": _tilt_whole,
    "rotated by 90°": _quarter_turn,
    "caption": _caption,
    "logo": _logo,
    "colours changed": _colour,
    "gray": _gray,
    "blurred": _blur,
    "noise": _noise,
    "screenshot of a phone": _phone_screenshot,
    "screenshot of a browser": _desktop_screenshot,
}

COMBINED: dict[str, Edit] = {"crop, mirror, caption, JPEG": _combined}
"""Edits without a target: reported only."""
