"""What is printed: tables and sentences for people, one JSON document for scripts."""

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
    """A console that is plain, and never wraps, where nobody watches. NO_COLOR is honoured by rich."""
    made = Console(file=stream, highlight=False)
    if not made.is_terminal:
        made.width = _PLAIN_WIDTH
    return made


def clean(text: str) -> str:
    """Text that can do nothing to a terminal: notes and names come from others."""
    return _CONTROLS.sub(" ", text)


def when(moment: datetime) -> str:
    """A time as people read it, in their own zone."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M")


def print_line(sentence: str, style: str = "") -> None:
    """One line on standard output."""
    console(sys.stdout).print(Text(clean(sentence), style=style))


def print_remark(sentence: str, style: str = "") -> None:
    """One line on standard error, which scripts that read the output don't see."""
    console(sys.stderr).print(Text(clean(sentence), style=style))


def show_json(document: Any) -> None:
    """The document, and nothing else, on standard output."""
    plain_ascii = (sys.stdout.encoding or "").lower().replace("-", "") != "utf8"
    sys.stdout.write(json.dumps(document, ensure_ascii=plain_ascii, indent=2, default=str) + "\n")
    sys.stdout.flush()


def show_table(columns: Sequence[str], rows: Iterable[Sequence[str | Text]], right: Sequence[str] = ()) -> None:
    """A table; the columns named in ``right`` are numbers."""
    target = console(sys.stdout)
    lines = box.SIMPLE_HEAD if target.is_terminal else None
    table = Table(box=lines, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Text) else Text(clean(cell)) for cell in row))
    target.print(table)


def show_error(message: str, code: int, *, as_json: bool) -> None:
    """A sentence on standard error; for scripts, the error as a document on standard output."""
    if as_json:
        show_json({"error": message, "exit_code": code})
        return
    line = Text("Error: ", style="bold red")
    line.append(Text("\n".join(clean(part) for part in message.splitlines()), style="default not bold"))
    console(sys.stderr).print(line)


def counted(number: int, noun: str) -> str:
    """``1 image``, ``2,500 images``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
