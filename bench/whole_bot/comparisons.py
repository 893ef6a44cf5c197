"""Measure what the bot does after a press of “Compare”, without Slack's own part: 10,000 images, an edited photo.

It reads the image's record and stored picture, decodes both pictures, lays one over the other, finds what differs, and
draws the result. The peer decodes both, warps one and encodes the result as a JPEG, and knows the transform already.
"""

from __future__ import annotations

import asyncio
import itertools
import statistics

import cv2
import numpy as np

from bench.report import Row
from bench.samples.synthetic import KEY
from bench.timing import time_alternately
from bench.whole_bot import shares
from bot.app.services import Services, build_services
from bot.config.settings import Settings
from bot.domain.identifiers import EntityId
from bot.domain.pictures import Picture
from bot.images.decode.normaliser import normalise

ROUNDS, WARM_UP = 20, 2
TARGET_S = 1.0


async def run() -> list[Row]:
    """Return the median against a second, and against the bare decoding and warping."""
    data_dir = await shares.database()
    asked = await asyncio.to_thread(lambda: list(shares.copies(2 * (ROUNDS + WARM_UP))))
    async with build_services(Settings(data_dir=data_dir)) as services:
        # A picture that was compared before comes from the cache, so each is compared once.
        numbers, bare = itertools.count(), itertools.count()
        taken = await time_alternately(
            {
                "comparison": lambda: _compare(services, asked, next(numbers)),
                "bare": lambda: _warp(services, asked, next(bare)),
            },
            ROUNDS,
            WARM_UP,
        )
    ours, peer = (statistics.median(times) / 1000 for times in (taken["comparison"], taken["bare"]))
    slowest = f"slowest of {ROUNDS}: {max(taken['comparison']) / 1000:.2f} s"
    what = f"comparison after the press, p50, {shares.SIZE:,} images"
    return [
        Row(f"{what}, of a second", ours, "s", peer=TARGET_S, peer_name="target", limit=1.0, note=slowest),
        Row(f"{what}, of decoding and warping", ours, "s", peer=peer, peer_name="cv2"),
    ]


async def _compare(services: Services, asked: list[bytes], number: int) -> None:
    [record] = await services.storage.catalogue.of_entity(KEY, EntityId(f"part_{number % shares.KNOWN:03d}"))

    async def read() -> Picture:
        return await services.normaliser.picture(asked[number])

    async def stored() -> Picture:
        return await services.normaliser.picture(await services.storage.pictures.get(record.digest))

    await services.comparisons.compare(record, read, stored)


async def _warp(services: Services, asked: list[bytes], number: int) -> None:
    [record] = await services.storage.catalogue.of_entity(KEY, EntityId(f"part_{number % shares.KNOWN:03d}"))
    jpeg = await services.storage.pictures.get(record.digest)

    def work() -> None:
        ours, theirs = normalise(asked[number]).pixels, normalise(jpeg).pixels
        size = ours.shape[1], ours.shape[0]
        warped = cv2.warpPerspective(theirs, np.eye(3), size, flags=cv2.INTER_LINEAR)
        cv2.imencode(".jpg", np.hstack((ours, warped)), (cv2.IMWRITE_JPEG_QUALITY, 85))

    await asyncio.to_thread(work)
