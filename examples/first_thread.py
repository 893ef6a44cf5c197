"""The first thread from Slack through vsearch and back, with no account: ``python -m examples.first_thread``.

Starts a stand-in for Slack in this process and the real bot beside it, imports the sample catalogue with the
command line, shares pictures in a channel and prints what the bot answers in their threads.
"""

from __future__ import annotations

import asyncio
import contextlib
import csv
import io
import os
import re
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps
from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from examples.samples import ensure_samples
from tests.fakes.slack import FakeSlack, Message

ROOT = Path(__file__).parent.parent
DATABASE = "samples"
START_TIMEOUT_S = 60
ANSWER_TIMEOUT_S = 30
STOP_TIMEOUT_S = 30
PLAIN_SUFFIXES = frozenset({".jpg", ".jpeg", ".png"})

NEXT_STEPS = (
    "That was the real bot against a stand-in for Slack. To meet it in your own workspace:",
    "  1. Create an app from manifest.yml at https://api.slack.com/apps and install it.",
    "  2. Put SLACK_APP_TOKEN (xapp-…) and SLACK_BOT_TOKEN (xoxb-…) into .env; .env.example explains every setting.",
    "  3. Run “make run” again, invite the bot to a channel and share a picture there.",
    "The command line works without Slack: “.venv/bin/vsearch --help”.",
)

_MARKUP = re.compile(r"<!date\^[^|>]*\|([^>]*)>|<(?:[^|>]*)\|([^>]*)>|<@(\w+)>|\*([^*\n]+)\*|`([^`\n]+)`")


class Failed(Exception):
    """Says what went wrong, for people."""


async def demonstrate(console: Console, data_dir: Path) -> None:
    """Everything, from an empty folder to answers. Raises Failed."""
    table = ensure_samples(data_dir / "samples")
    async with FakeSlack() as slack:
        environment = environment_of(data_dir) | slack.environment
        console.print("Importing the sample catalogue …")
        await _command(environment, "import", str(table), "--in", DATABASE, "--create")
        console.print("Starting the bot …")
        async with _bot(environment, slack, data_dir / "bot.log"):
            for about, name, content in shared_pictures(table):
                console.print(f"\nSomeone shares [bold]{name}[/bold] in #general: {about}.")
                shared = await slack.upload(slack.host(content, name))
                answer = await slack.wait_for_reply(shared.channel, shared.ts, timeout_s=ANSWER_TIMEOUT_S)
                console.print(Panel(as_text(answer), title="vsearch, in its thread", title_align="left"))
            console.print("\nSomeone types [bold]/vsearch db[/bold].")
            slack.command("db")
            answer = await slack.wait_for_answer(timeout_s=ANSWER_TIMEOUT_S)
            console.print(Panel(as_text(answer), title="vsearch, to them alone", title_align="left"))
        if slack.failures:
            raise Failed("Slack would not have taken this:\n" + "\n".join(slack.failures))
    console.print()
    for line in NEXT_STEPS:
        console.print(line, highlight=False, markup=False)


def directory_of(environment: Mapping[str, str]) -> Path:
    """Where the demonstration keeps what is its own, below the directory for data."""
    return Path(environment.get("VSEARCH_DATA_DIR") or ROOT / "data").expanduser().absolute() / "demo"


def environment_of(data_dir: Path) -> dict[str, str]:
    """The settings of its programs. The stand-in is a workspace too: it must never be given the user's databases."""
    return {**os.environ, "VSEARCH_DATA_DIR": str(data_dir), "DATABASE_URL": "", "VSEARCH_MODEL_PATH": ""}


def shared_pictures(table: Path) -> list[tuple[str, str, bytes]]:
    """What is shared, as (what it is, file name, bytes): a picture as it is, an edited copy, one nobody knows."""
    with table.open(encoding="utf-8", newline="") as rows:
        files = [table.parent / row["file"] for row in csv.DictReader(rows)]
    plain = [file for file in files if file.suffix.lower() in PLAIN_SUFFIXES]
    if not plain:
        raise Failed(f"{table} names no JPEG or PNG.")
    exact, original = plain[0], plain[len(plain) // 2]
    stranger = Image.effect_mandelbrot((640, 480), (-2.0, -1.2, 0.8, 1.2), 80)
    return [
        ("a picture of the catalogue, as it is", exact.name, exact.read_bytes()),
        (f"an edited copy of {original.name}, cropped and mirrored", "found_online.jpg", _edited(original)),
        ("a picture that is not in the catalogue", "holiday.png", _encoded(stranger, "PNG")),
    ]


def _edited(path: Path) -> bytes:
    with Image.open(path) as image:
        whole = image.convert("RGB")
    width, height = whole.size
    part = whole.crop((width // 10, height // 10, width * 19 // 20, height * 19 // 20))
    return _encoded(ImageOps.mirror(part), "JPEG")


def _encoded(image: Image.Image, kind: str) -> bytes:
    file = io.BytesIO()
    image.save(file, kind)
    return file.getvalue()


def as_text(message: Message) -> Text:
    """A message's blocks as a terminal shows them."""
    lines = [_line(block) for block in message.blocks]
    return Text("\n").join(line for line in lines if line)


def _line(block: dict[str, object]) -> Text:
    texts = [block.get("text"), *(elements if isinstance(elements := block.get("elements"), list) else [])]
    line = Text("  ").join(_element(text) for text in texts if isinstance(text, dict))
    if block["type"] == "context":
        line.stylize("dim")
    if block["type"] == "header":
        line.stylize("bold underline")
    return line


def _element(element: dict[str, Any]) -> Text:
    if element["type"] == "button":
        return Text(f"[ {element['text']['text']} ]", "bold cyan")
    return _styled(element)


def _styled(text: dict[str, str]) -> Text:
    raw = text["text"]
    if text["type"] != "mrkdwn":
        return Text(raw)
    styled, end = Text(), 0
    for found in _MARKUP.finditer(raw):
        styled.append(_plain(raw[end : found.start()]))
        date, link, user, bold, code = found.groups()
        styled.append(
            _plain(date or link or (user and f"@{user}") or bold or code or ""), _STYLES[found.lastindex or 0]
        )
        end = found.end()
    return styled.append(_plain(raw[end:]))


_STYLES = {0: "", 1: "", 2: "underline", 3: "cyan", 4: "bold", 5: "green"}


def _plain(text: str) -> str:
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


async def _command(environment: dict[str, str], *arguments: str) -> None:
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "bot", *arguments, env=environment, cwd=ROOT)
    if await process.wait():
        raise Failed(f"“python -m bot {' '.join(arguments)}” did not work.")


@contextlib.asynccontextmanager
async def _bot(environment: dict[str, str], slack: FakeSlack, log: Path) -> AsyncIterator[None]:
    """The bot as a process of its own, from connected to stopped."""
    with log.open("w") as stream:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bot", env=environment, cwd=ROOT, stderr=stream
        )
    ended = asyncio.create_task(process.wait())
    connected = asyncio.create_task(slack.socket_mode.connected())
    try:
        await asyncio.wait({ended, connected}, timeout=START_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED)
        if not connected.done():
            raise Failed(_told("The bot did not start", log))
        yield
    finally:
        connected.cancel()
        if not ended.done():
            process.terminate()
        await asyncio.wait({ended}, timeout=STOP_TIMEOUT_S)
        if not ended.done():
            process.kill()
        await ended
    if process.returncode:
        raise Failed(_told(f"The bot ended with code {process.returncode}", log))


def _told(what: str, log: Path) -> str:
    return f"{what}:\n{log.read_text()}"


def save_screenshot(console: Console, path: Path) -> None:
    """Keep what was printed as a picture that fetches no font from elsewhere."""
    picture = re.sub(r"@font-face \{.*?\}", "", console.export_svg(title="make run"), flags=re.DOTALL)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(line.rstrip() for line in picture.splitlines() if line.strip()) + "\n")


def main(arguments: Sequence[str] = ()) -> int:
    """Run the demonstration; 0 if every part of it worked. ``--screenshot FILE`` keeps it as an SVG."""
    screenshot = Path(arguments[1]) if list(arguments[:1]) == ["--screenshot"] else None
    console = Console(highlight=False, record=screenshot is not None, width=90 if screenshot else None)
    data_dir = directory_of(os.environ)
    data_dir.mkdir(parents=True, exist_ok=True)
    try:
        asyncio.run(demonstrate(console, data_dir))
        if screenshot:
            save_screenshot(console, screenshot)
    except (Failed, TimeoutError) as error:
        problem = str(error) or f"The bot did not answer in time; its log is {data_dir / 'bot.log'}."
        Console(stderr=True).print(problem, style="red", markup=False)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
