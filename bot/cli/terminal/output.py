"""Printed output: tables and sentences for people, one JSON document for scripts."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, TextIO

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]+")
_PLAIN_WIDTH = 4096


def console(stream: TextIO) -> Console:
    """Return a console for a stream: plain and without wrapping if it is not a terminal. Rich honours NO_COLOR."""
    target = Console(file=stream, highlight=False)
    if not target.is_terminal:
        target.width = _PLAIN_WIDTH
    return target


def is_terminal() -> bool:
    """Return whether people read standard output, not a program."""
    return console(sys.stdout).is_terminal


def clean(text: str) -> str:
    """Replace control and bidirectional characters, since notes and names come from other people."""
    return _CONTROLS.sub(" ", text)


def when(moment: datetime) -> str:
    """Format a time in the local time zone."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M")


def print_line(sentence: str, style: str = "") -> None:
    """Print a line on standard output."""
    console(sys.stdout).print(Text(clean(sentence), style=style))


def print_text(text: Text, indented: int = 0) -> None:
    """Print a line of styled text on standard output. The terminal wraps it, so that long paths can be copied."""
    console(sys.stdout).print(Text(" " * indented).append_text(text), soft_wrap=True)


def print_remark(sentence: str, style: str = "", *, end: str = "\n") -> None:
    """Print a line on standard error, so that it stays out of output that scripts read."""
    console(sys.stderr).print(Text(clean(sentence), style=style), end=end)
    sys.stderr.flush()


def show_json(document: Any) -> None:
    """Print a JSON document on standard output."""
    plain_ascii = (sys.stdout.encoding or "").lower().replace("-", "") != "utf8"
    sys.stdout.write(json.dumps(document, ensure_ascii=plain_ascii, indent=2, default=str) + "\n")
    sys.stdout.flush()


def show_table(columns: Sequence[str], rows: Iterable[Sequence[str | Text]], right: Sequence[str] = ()) -> None:
    """Print a table; columns named in ``right`` are right-aligned."""
    target = console(sys.stdout)
    lines = box.SIMPLE_HEAD if target.is_terminal else None
    table = Table(box=lines, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Text) else Text(clean(cell)) for cell in row))
    target.print(table)


def show_error(message: str, code: int, *, as_json: bool, label: str = "Error: ") -> None:
    """Print how a command ended on standard error, or with ``as_json`` as a JSON document on standard output.

    ``label`` comes before the message. It is empty if nothing failed, such as after an answer of no.
    """
    if as_json:
        show_json({"error": message, "exit_code": code})
        return
    line = Text(label, style="bold red")
    line.append(Text("\n".join(clean(part) for part in message.splitlines()), style="default not bold"))
    console(sys.stderr).print(line)


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return a count with its noun: ``1 image``, ``2,500 images``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def images_of_ids(images: int, ids: int) -> str:
    """Return how many images there are, of how many ids: ``2,500 images of 700 ids``. An id is a match in a search."""
    return f"{counted(images, 'image')} of {counted(ids, 'id')}"
