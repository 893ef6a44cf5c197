"""Example conversations for the demo: people set up channels, share pictures, and get answers."""

from __future__ import annotations

import csv
import io
from collections.abc import Awaitable, Callable, Container
from functools import partial
from pathlib import Path
from urllib.parse import urlencode

from PIL import Image

from examples.demo import edits
from examples.demo.stand_in import Message, StandIn
from examples.demo.workspace import CATALOGUE, JONAS, LEA, LOOKUP, MIRA, REPOSTS, YOU

SAMPLES, SEEN = "samples", "reposts"
"""The two databases."""

ANSWER_WITHIN_S = 30

HELD_OUT = {
    "ball_bearing.png": (MIRA, 'Just in, aisle 4: id:bearing_6204 note:"Ball bearing, 10 balls"'),
    "coil_spring.png": (MIRA, 'And these. id:spring_0042 note:"Compression spring, 10 turns"'),
    "harbour_logo.png": (JONAS, 'The logo as approved in March. id:logo_harbour note:"Logo of Harbour, on white"'),
}
"""Samples that are left out of the import, because people share them in #catalogue."""


def without_held_out(table: Path) -> Path:
    """Write a copy of the table without the held-out samples, next to it, and return its path."""
    shorter = table.with_name("imported.csv")
    with table.open(encoding="utf-8", newline="") as stream, shorter.open("w", encoding="utf-8", newline="") as kept:
        rows = csv.writer(kept)
        rows.writerows(row for row in csv.reader(stream) if row[0] not in HELD_OUT)
    return shorter


class StoryRunner:
    """Posts the example conversations while the bot runs. ``until_idle`` waits until the bot has handled everything."""

    def __init__(self, stand_in: StandIn, until_idle: Callable[[], Awaitable[None]], samples: Path) -> None:
        self._stand_in = stand_in
        self._until_idle = until_idle
        self._samples = samples

    async def run(self) -> str:
        """Post everything. Return the path of the page's first view. Raises DemoError."""
        await self._set_up()
        for name, (person, text) in HELD_OUT.items():
            await self._shared(CATALOGUE, person, (name, (self._samples / name).read_bytes()), text)
        await self._reposted()
        return path_to(await self._looked_up())

    async def _set_up(self) -> None:
        for channel, words in (
            (CATALOGUE, f"watch collect in:{SAMPLES}"),
            (LOOKUP, f"watch lookup in:{SAMPLES}"),
            (REPOSTS, f"db create {SEEN}"),
            (REPOSTS, f"watch guard in:{SEEN}"),
        ):
            before = {message["ts"] for message in await self._stand_in.messages(channel)}
            await self._stand_in.command(channel, YOU, words)
            await self._stand_in.seen(channel, partial(_is_new, before), ANSWER_WITHIN_S)

    async def _reposted(self) -> None:
        firs = self._picture("foggy_forest")
        await self._shared(REPOSTS, LEA, as_file("this_morning.jpg", firs), "Fog over the firs")
        render = as_file("render.jpg", self._picture("ringed_planet"))
        await self._shared(REPOSTS, JONAS, render, "First render")
        copy = as_file("mine.jpg", edits.captioned(firs, "look what I made"))
        await self._answered(await self._shared(REPOSTS, MIRA, copy, "My best one yet"))

    async def _looked_up(self) -> Message:
        strange = as_file("lunch_break.png", edits.unknown_picture())
        await self._answered(await self._shared(LOOKUP, LEA, strange, "Do we have this one?"))
        board = as_file("IMG_2041.jpg", edits.photographed(self._picture("circuit_board")))
        asked = await self._shared(LOOKUP, MIRA, board, "A customer sent this back. Which board is it?")
        await self._answered(asked)
        label = as_file("found_online.jpg", edits.cropped_and_mirrored(self._picture("tea_label")))
        last = await self._shared(LOOKUP, JONAS, label, "Found this in an online shop. Is it ours?")
        await self._answered(last)
        return last

    async def _shared(self, channel: str, person: str, file: tuple[str, bytes], text: str) -> Message:
        """Share a picture as a person, and wait until the bot has handled it."""
        message = await self._stand_in.share(channel, person, [file], text)
        await self._until_idle()
        return message

    async def _answered(self, message: Message) -> None:
        asked = message["ts"]
        await self._stand_in.seen(message["channel"], lambda one: one.get("thread_ts") == asked, ANSWER_WITHIN_S)

    def _picture(self, name: str) -> Image.Image:
        return _open(self._samples, name)


def write_pictures_to_try(samples: Path, folder: Path) -> None:
    """Write pictures for people to try."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in (
        as_file("poster_on_a_blog.jpg", edits.cropped_and_mirrored(_open(samples, "lighthouse_poster"))),
        as_file("part_on_the_bench.jpg", edits.photographed(_open(samples, "spur_gear"))),
        as_file("planet_flipped.jpg", edits.cropped_and_mirrored(_open(samples, "ringed_planet"))),
    ):
        (folder / name).write_bytes(content)


def path_to(message: Message) -> str:
    """Return the page's path to a message with its thread."""
    link = f"/archives/{message['channel']}/p{message['ts'].replace('.', '')}"
    return f"{link}?{urlencode({'thread_ts': message['ts'], 'cid': message['channel']})}"


def _is_new(before: Container[str], message: Message) -> bool:
    return message["ts"] not in before


def _open(samples: Path, name: str) -> Image.Image:
    with Image.open(samples / f"{name}.png") as picture:
        return picture.convert("RGB")


def as_file(name: str, picture: Image.Image) -> tuple[str, bytes]:
    """Encode a picture as a shared file: (name, bytes)."""
    content = io.BytesIO()
    picture.save(content, "PNG" if name.endswith(".png") else "JPEG", quality=88)
    return name, content.getvalue()
