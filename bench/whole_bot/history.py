"""Measure the import of a channel's history against ``import`` of the same files, and what lookups beside it notice.

Slack is a stand-in without rate limits.
"""

from __future__ import annotations

import asyncio
import json
import random
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web
from PIL import Image

from bench.report import Row, TargetSide
from bench.samples import sample_pictures
from bench.samples.synthetic import KEY
from bot.app.services import Services, build_services
from bot.app.slack_app import build
from bot.config.settings import Settings
from bot.domain.jobs import HistoryStatus, NewHistoryImport
from bot.services.images.import_sources import ImportSource

MESSAGES, PICTURES = 10_000, 2_000
TOKEN, CHANNEL, PAGE = "xoxb-bench", "C0BENCH", 200
LOOKUP_EVERY_S = 0.5
LOOKUPS = 30
SPEED, GROWTH = 1.0, 1.5


async def run() -> list[Row]:
    """Import the files, then the same pictures of a channel, alone and beside lookups."""
    with tempfile.TemporaryDirectory(prefix="vsearch-bench-") as folder:
        paths = await asyncio.to_thread(_pictures, Path(folder), PICTURES)
        imported = await _import_rate(paths)
        quiet, _ = await _history_rate(paths, lookups=False)
        alone = await _lookups_alone(paths)
        beside_rate, beside = await _history_rate(paths, lookups=True)
    note = f"{PICTURES:,} pictures in {MESSAGES:,} messages"
    return [
        Row("history, nothing else", quiet, "pictures/s", imported, "import", SPEED, TargetSide.AT_LEAST, note),
        Row("history, beside lookups", beside_rate, "pictures/s", quiet, "nothing else", note=note),
        Row(
            "lookups beside it, p50",
            1000 * statistics.median(beside),
            "ms",
            1000 * statistics.median(alone),
            "alone",
            GROWTH,
            note=f"{len(beside)} lookups, one every {LOOKUP_EVERY_S} s",
        ),
    ]


def _pictures(folder: Path, count: int) -> list[Path]:
    """Write different crops of the sample pictures."""
    rng, samples = random.Random(3), sample_pictures.paths()
    paths = []
    for number in range(count):
        with Image.open(samples[number % len(samples)]) as image:
            width, height = image.size
            box = (rng.randrange(width // 6), rng.randrange(height // 6), width - rng.randrange(width // 6), height)
            paths.append(folder / f"picture {number:05}.jpg")
            image.convert("RGB").crop(box).save(paths[-1], "JPEG", quality=88)
    return paths


async def _import_rate(paths: Sequence[Path]) -> float:
    with tempfile.TemporaryDirectory(prefix="vsearch-bench-") as data:
        async with build_services(Settings(data_dir=Path(data), read_text="off")) as services:
            await services.databases.create(KEY)
            began = time.perf_counter()
            report = await services.imports.run(KEY, [ImportSource(path, path.stem) for path in paths])
            spent = time.perf_counter() - began
    assert report.added == len(paths), report
    return len(paths) / spent


async def _lookups_alone(paths: Sequence[Path]) -> list[float]:
    with tempfile.TemporaryDirectory(prefix="vsearch-bench-") as data:
        async with build_services(Settings(data_dir=Path(data), read_text="off")) as services:
            await services.databases.create(KEY)
            await services.imports.run(KEY, [ImportSource(path, path.stem) for path in paths[: len(paths) // 2]])
            return await _look_up(services, paths, asyncio.Event(), LOOKUPS)


async def _look_up(services: Services, paths: Sequence[Path], over: asyncio.Event, most: int) -> list[float]:
    """Look pictures up at intervals, and return the seconds that each took."""
    spent: list[float] = []
    for number in range(most):
        content = await asyncio.to_thread(paths[number % len(paths)].read_bytes)
        began = time.perf_counter()

        async def read(content: bytes = content) -> Any:
            return await services.normaliser.picture(content)

        await services.lookup.look_up(KEY, [("query", read)])
        spent.append(time.perf_counter() - began)
        await asyncio.sleep(max(0.0, LOOKUP_EVERY_S - spent[-1]))
        if over.is_set():
            break
    return spent


async def _history_rate(paths: Sequence[Path], *, lookups: bool) -> tuple[float, list[float]]:
    """Return pictures a second, and the seconds of the lookups beside them."""
    with tempfile.TemporaryDirectory(prefix="vsearch-bench-") as data:
        async with _slack(paths) as url:
            settings = Settings(
                data_dir=Path(data),
                read_text="off",
                slack_bot_token=TOKEN,
                slack_api_url=url,
                history_calls_per_min=1_000_000,
            )
            async with build(settings) as app:
                services, over = app.services, asyncio.Event()
                await services.databases.create(KEY)
                await asyncio.sleep(4)
                began = time.perf_counter()
                new = NewHistoryImport(
                    workspace=KEY.workspace, enterprise="", channel=CHANNEL, database=KEY.name, latest="9999999999.0"
                )
                begun = await services.storage.history.start(new)
                assert begun is not None
                asking = asyncio.create_task(_look_up(services, paths, over, 100_000 if lookups else 0))
                given = begun
                while given.status.is_active:
                    await asyncio.sleep(0.05)
                    given = await services.storage.history.get(begun.id) or given
                spent = time.perf_counter() - began
                over.set()
                answers = await asking
                assert (given.status, given.added) == (HistoryStatus.DONE, len(paths)), given
    return len(paths) / spent, answers


@asynccontextmanager
async def _slack(paths: Sequence[Path]) -> AsyncIterator[str]:
    """Serve a channel of which every fifth message has a picture."""
    origin = ""

    def message(number: int) -> dict[str, Any]:
        said: dict[str, Any] = {"type": "message", "user": "U0ONE", "ts": f"1700000000.{number:06}", "text": "hello"}
        every = MESSAGES // PICTURES
        if number % every == 0 and number // every < len(paths):
            path = paths[number // every]
            file = {"id": f"F{number:06}", "name": path.name, "mimetype": "image/jpeg", "size": path.stat().st_size}
            said["files"] = [file | {"url_private": f"{origin}/files/{number // every}"}]
        return said

    async def call(request: web.Request) -> web.Response:
        sent = dict(request.query) | {name: str(value) for name, value in (await request.post()).items()}
        if request.content_type == "application/json":
            sent |= json.loads(await request.text() or "{}")
        answer: dict[str, Any] = {"ok": True}
        match request.match_info["method"]:
            case "auth.test":
                answer |= {"team_id": KEY.workspace, "team": "Bench", "user_id": "UBOT", "bot_id": "BBOT"}
            case "conversations.info":
                answer["channel"] = {"id": CHANNEL, "is_channel": True, "is_private": False, "is_member": True}
            case "conversations.history":
                start = int(sent.get("cursor") or 0)
                numbers = range(MESSAGES - 1 - start, max(-1, MESSAGES - 1 - start - PAGE), -1)
                following = str(start + PAGE) if start + PAGE < MESSAGES else ""
                answer |= {"messages": [message(number) for number in numbers], "has_more": bool(following)}
                answer["response_metadata"] = {"next_cursor": following}
            case "chat.getPermalink":
                ts = str(sent["message_ts"]).replace(".", "")
                answer["permalink"] = f"https://bench.slack.com/archives/{CHANNEL}/p{ts}"
            case _:
                answer |= {"channel": CHANNEL, "ts": "1700000001.000001", "members": []}
        return web.json_response(answer)

    async def file(request: web.Request) -> web.Response:
        return web.Response(body=paths[int(request.match_info["number"])].read_bytes(), content_type="image/jpeg")

    app = web.Application()
    app.add_routes([web.route("*", "/api/{method}", call), web.get("/files/{number}", file)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    origin = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield f"{origin}/api/"
    finally:
        await runner.cleanup()
