"""Help, version and usage errors of the command line, and output in other encodings."""

from __future__ import annotations

import io
import re
from importlib import import_module
from typing import Any

import pytest
import typer
from typer import rich_utils
from typer.main import get_group

from bot.cli import commands, main
from bot.cli.commands import LazyCommand
from bot.cli.terminal.encoding import print_in_any_encoding
from bot.cli.terminal.exit_codes import ExitCode
from tests.fixtures.command_line import Vsearch, vsearch

__all__ = ["vsearch"]


COMMANDS = (*((name,) for name, *_ in commands.COMMANDS), *(("db", name) for name, *_ in commands.DATABASE_COMMANDS))


def _program() -> typer.core.TyperGroup:
    return get_group(main.app)


def _lazy_commands() -> list[LazyCommand]:
    groups = [_program(), _program().commands["db"]]
    return [one for group in groups for one in vars(group)["commands"].values() if isinstance(one, LazyCommand)]


@pytest.mark.parametrize("command", _lazy_commands(), ids=lambda command: command.name)
def test_list_of_commands_has_the_summary_of_each(command: LazyCommand) -> None:
    loaded = command.load()
    assert loaded.name == command.name
    assert " ".join(str(loaded.help).split("\n\n")[0].split()) == command.help
    assert loaded.get_short_help_str() == command.get_short_help_str()


def test_every_command_of_a_module_is_listed() -> None:
    listed = {name for names in COMMANDS for name in names[-1:]}
    for module in {rest[0] for _, *rest in (*commands.COMMANDS, *commands.DATABASE_COMMANDS)}:
        app = import_module(f"bot.cli.{module}").app
        assert set(get_group(app).commands) <= listed


@pytest.mark.parametrize("path", [(), ("db",)], ids=["vsearch", "db"])
@pytest.mark.parametrize("environment", [{"COLUMNS": "80"}, {"COLUMNS": "41"}, {"COLUMNS": "120", "FORCE_COLOR": "1"}])
def test_help_of_groups_is_drawn_as_typer_draws_it(
    path: tuple[str, ...],
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in {"TERM": "xterm", **environment}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(rich_utils, "FORCE_TERMINAL", True if "FORCE_COLOR" in environment else None)
    group: Any = _program()
    context = group.make_context("vsearch", ["db"])
    for name in path:
        group = group.commands[name]
        context = group.context_class(group, info_name=name, parent=context)
    rich_utils.rich_format_help(obj=group, ctx=context, markup_mode="rich")
    expected = capsys.readouterr().out
    group.format_help(context, None)
    assert capsys.readouterr().out == expected


@pytest.mark.parametrize(
    ("words", "completed"),
    [("vsearch im", ["images", "import"]), ("vsearch db l", ["list", "link"]), ("vsearch search --m", ["--min"])],
)
def test_shells_complete_commands_and_options(
    words: str,
    completed: list[str],
    vsearch: Vsearch,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("_VSEARCH_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split()) - 1))
    with pytest.raises(SystemExit):
        vsearch()
    assert capsys.readouterr().out.split() == completed


def test_help_shows_flags_without_a_type(vsearch: Vsearch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    wrong = []
    for command in ((), ("db",), *COMMANDS):
        name = " ".join(command)
        outcome = vsearch(*name.split(), "--help")
        assert outcome.code == ExitCode.OK, name
        wrong += [name] if re.search(r"<[a-z]|list\[", outcome.out) else []
        assert max(map(len, outcome.out.splitlines())) <= 80
        assert "--json" in outcome.out or name in {"", "db", "serve", "serve-api"}
    assert wrong == []


def test_version_is_printed(vsearch: Vsearch) -> None:
    outcome = vsearch("--version")
    assert outcome.code == ExitCode.OK
    assert re.fullmatch(r"vsearch \d+\.\d+\.\d+\S*\n", outcome.out)
    assert outcome.err == ""


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("search", "x.jpg", "--top", "0"), "--top must be a whole number from 1 to 1000."),
        (("search", "x.jpg", "--min", "eleven"), "--min must be a number from 0 to 10."),
        (("images", "--order", "up"), "--order: 'up' is not one of 'desc', 'asc', 'id'."),
        (("search",), "Missing argument 'IMAGE'."),
        (("retire", "nosuch"), "There is no back end “nosuch”. The back ends are embedded, pgvector, milvus, showapi."),
        (("db", "lst"), "No such command 'lst'. Did you mean 'list'?"),
    ],
)
def test_usage_errors_are_sentences_for_people(vsearch: Vsearch, arguments: tuple[str, ...], sentence: str) -> None:
    outcome = vsearch(*arguments)
    assert outcome.code == ExitCode.USAGE
    assert outcome.err.startswith(f"Error: {sentence}")


def test_other_encodings_get_plain_characters() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="latin-1")
    print_in_any_encoding(stream)
    stream.write("“Größe” … 64 × 48 ✓ 図\n")
    stream.flush()
    assert raw.getvalue().decode("latin-1") == '"Größe" ... 64 × 48 + \\u56f3\n'
