"""The help of a group of commands, drawn as typer draws it, byte for byte.

Typer's own code loads a Markdown parser and a syntax highlighter to draw any help: 65 ms of CPU time, as much as
Python and typer take to start. The help of a single command is still typer's.
"""

from __future__ import annotations

import inspect
import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from rich.align import Align
from rich.columns import Columns
from rich.console import Console, RenderableType
from rich.highlighter import RegexHighlighter
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text
from rich.theme import Theme
from typer.core import TyperGroup, TyperOption

OPTIONS, COMMANDS = "Options", "Commands"

_THEME = {
    "option": "bold cyan",
    "switch": "bold green",
    "negative_option": "bold magenta",
    "negative_switch": "bold red",
    "types": "bold yellow",
    "types_sep": "dim",
    "usage": "yellow",
}


class _OptionHighlighter(RegexHighlighter):
    highlights = [  # noqa: RUF012 - the name and type are rich's
        r"(^|\W)(?P<switch>\-\w+)(?![a-zA-Z0-9])",
        r"(^|\W)(?P<option>\-\-[\w\-]+)(?![a-zA-Z0-9])",
        r"(?P<types>\<[^\>]+\>)",
        r"(?P<usage>Usage: )",
    ]


class _NegativeOptionHighlighter(RegexHighlighter):
    highlights = [  # noqa: RUF012 - as above
        r"(^|\W)(?P<negative_switch>\-\w+)(?![a-zA-Z0-9])",
        r"(^|\W)(?P<negative_option>\-\-[\w\-]+)(?![a-zA-Z0-9])",
    ]


class _TypeHighlighter(RegexHighlighter):
    highlights = [  # noqa: RUF012 - as above
        r"^(?P<types_sep>(\[|<))",
        r"(?P<types_sep>\|)",
        r"(?P<types_sep>(\]|>))(\.\.\.)?$",
    ]


_highlighted, _negative, _type = _OptionHighlighter(), _NegativeOptionHighlighter(), _TypeHighlighter()


def print_group_help(group: TyperGroup, ctx: Any) -> None:
    """Print the help of a group: usage, options, and a panel of commands for each ``rich_help_panel``."""
    console = _console()
    console.print(Padding(_highlighted(group.get_usage(ctx)), 1), style="bold")
    if group.help:
        console.print(Padding(Align(_text(group.help.replace("\n", " ")), pad=False), (0, 1, 1, 1)))
    options = [one for one in group.get_params(ctx) if isinstance(one, TyperOption) and not one.hidden]
    _print_panel(console, OPTIONS, _options_table(options, ctx))
    listed = [group.get_command(ctx, name) for name in group.list_commands(ctx)]
    shown = [command for command in listed if command and not command.hidden]
    panels: dict[str, list[Any]] = defaultdict(list)
    for command in shown:
        panels[getattr(command, "rich_help_panel", None) or COMMANDS].append(command)
    longest = max((len(command.name or "") for command in shown), default=0)
    for title, commands in panels.items():
        _print_panel(console, title, _commands_table(commands, longest))
    if group.epilog:
        console.print(Padding(Align(_text(group.epilog), pad=False), 1))


def _console() -> Console:
    """Return a console that the same variables configure as typer's."""
    width = os.getenv("TERMINAL_WIDTH")
    forced = any(os.getenv(name) for name in ("GITHUB_ACTIONS", "FORCE_COLOR", "PY_COLORS"))
    return Console(
        theme=Theme(_THEME),
        highlighter=_highlighted,
        force_terminal=False if os.getenv("_TYPER_FORCE_DISABLE_TERMINAL") else forced or None,
        width=int(width) if width else None,
    )


def _text(text: str) -> Text:
    return _highlighted(Text.from_markup(inspect.cleandoc(text).strip()))


def _print_panel(console: Console, title: str, table: Table) -> None:
    if table.row_count:
        console.print(Panel(table, border_style="dim", title=title, title_align="left"))


def _table(*, highlight: bool) -> Table:
    return Table(highlight=highlight, show_header=False, expand=True, box=None, pad_edge=False, padding=(0, 1))


def _options_table(options: Iterable[TyperOption], ctx: Any) -> Table:
    table = _table(highlight=True)
    for option in options:
        long, short = _split(option.opts)
        negative_long, negative_short = _split(option.secondary_opts)
        cells: list[RenderableType] = [_highlighted(long), _highlighted(short)]
        cells += [_negative(negative_long), _negative(negative_short)]
        kind = Text(option.display_type_rich(ctx=ctx) or "", style="bold yellow", overflow="fold")
        table.add_row(*cells, _type(kind), Columns([_text((option.help or "").replace("\n", " "))]))
    return table


def _split(names: Sequence[str]) -> tuple[str, str]:
    """Return the long names and the short ones, each separated by commas."""
    return ",".join(name for name in names if "--" in name), ",".join(name for name in names if "--" not in name)


def _commands_table(commands: Iterable[Any], name_width: int) -> Table:
    table = _table(highlight=False)
    table.add_column(style="bold cyan", no_wrap=True, width=name_width)
    # The large ratio gives this column all the space, so that the names align with those of other panels.
    table.add_column("Description", justify="left", no_wrap=False, ratio=10)
    for command in commands:
        first_paragraph = inspect.cleandoc(command.short_help or command.help or "").split("\n\n")[0]
        table.add_row(Text(command.name or ""), _text(first_paragraph))
    return table
