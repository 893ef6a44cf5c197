"""Help, version and usage errors of the command line, and output in other encodings."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator

import pytest
from typer import Typer

from bot.cli import main
from bot.cli.terminal.encoding import print_in_any_encoding
from bot.cli.terminal.exit_codes import ExitCode
from tests.fixtures.command_line import Vsearch, vsearch

__all__ = ["vsearch"]


def _commands(app: Typer, before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for command in app.registered_commands:
        assert command.callback is not None
        yield (*before, command.name or command.callback.__name__.replace("_", "-"))
    for group in app.registered_groups:
        assert isinstance(group.typer_instance, Typer)
        yield from _commands(group.typer_instance, (*before, str(group.name)) if group.name == "db" else before)


COMMANDS = tuple(_commands(main.app))


def test_help_shows_flags_without_a_type(vsearch: Vsearch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    wrong = []
    for command in ((), ("db",), *COMMANDS):
        name = " ".join(command).replace("list-databases", "list")
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
        (("retire", "nosuch"), "There is no back end “nosuch”. The back ends are embedded, pgvector, showapi."),
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
