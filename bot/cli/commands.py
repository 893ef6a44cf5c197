"""The commands of ``vsearch``. The module of a command is imported when it runs, not to list it."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand
from typer.main import get_group

from bot.cli.terminal.usage import VsearchGroup, use_plain_help

_BOT, _IMAGES, _FILES, _MAINTENANCE = "Bot", "Images", "Import and export", "Maintenance"


class LazyCommand(TyperCommand):
    """A command whose module is imported when somebody runs it or asks for its help.

    ``summary`` is the first paragraph of its help, and ``panel`` the title above it in the list of commands.
    """

    def __init__(self, name: str, module: str, panel: str, summary: str) -> None:
        super().__init__(name, help=summary, rich_help_panel=panel)
        self._module = module

    def load(self) -> Any:
        """Import the module and return typer's command."""
        app = use_plain_help(import_module(f"bot.cli.{self._module}").app)
        assert isinstance(app, typer.Typer)
        return get_group(app).commands[str(self.name)]

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Return a context of the command itself, which then runs it, prints its help or completes its options."""
        return self.load().make_context(info_name, args, parent=parent, **extra)


COMMANDS: Sequence[tuple[str, str, str, str]] = (
    ("serve", "serve", _BOT, "Start the Slack bot (the default without a command)."),
    (
        "add",
        "catalogue.images",
        _IMAGES,
        "Add pictures to a database. Pictures that it already has stay unchanged.",
    ),
    ("images", "catalogue.images", _IMAGES, "List the images of a database."),
    ("delete", "catalogue.images", _IMAGES, "Delete every image with an id, or one of them."),
    ("edit", "catalogue.edit", _IMAGES, "Give the images of an id, or one of them, another id or note."),
    (
        "import",
        "catalogue.import_export",
        _FILES,
        "Import a folder with subfolders, or the files in a table. Run it again to continue.",
    ),
    (
        "export",
        "catalogue.import_export",
        _FILES,
        "Export the pictures of a database and a CSV of file, id and note, which “import” can read.",
    ),
    ("history", "catalogue.history", _IMAGES, "Let the running bot add the past pictures of a Slack channel."),
    (
        "search",
        "catalogue.search",
        _IMAGES,
        "Find the ids of a database whose images are most like a picture, best first. A folder gets a line a picture.",
    ),
    ("find", "catalogue.text", _IMAGES, "Find the images of a database by words, those with most of them first."),
    (
        "read-text",
        "catalogue.text",
        _MAINTENANCE,
        "Read the text of all stored pictures now, instead of in the background. Run it again to continue.",
    ),
    (
        "explain",
        "maintenance.explanation",
        _MAINTENANCE,
        "Show why a search answers what it answers: its steps with times, its candidates with scores, a comparison.",
    ),
    (
        "reindex",
        "maintenance.engine",
        _MAINTENANCE,
        "Compute what stored pictures lack after a change of model or version. Run it again to continue.",
    ),
    (
        "calibrate",
        "maintenance.engine",
        _MAINTENANCE,
        "Fit the scores to a database whose pictures all look alike, such as cartons of one brand.",
    ),
    (
        "feedback",
        "maintenance.feedback",
        _MAINTENANCE,
        "Show what a database learned from answers that people judged, or undo it.",
    ),
    (
        "reconcile",
        "maintenance.reconciliation",
        _MAINTENANCE,
        "Compare the catalogue with the search back end and list the differences.",
    ),
    (
        "migrate",
        "maintenance.migration",
        _MAINTENANCE,
        "Copy all data to another search back end or storage. Run it again to continue.",
    ),
    (
        "retire",
        "maintenance.migration",
        _MAINTENANCE,
        "Delete everything from a search back end that you no longer use; stored pictures stay.",
    ),
    (
        "backup",
        "maintenance.backup",
        _MAINTENANCE,
        "Copy all data of the bot, which may be running, and verify the copy.",
    ),
    ("restore", "maintenance.backup", _MAINTENANCE, "Verify a backup and copy its data to an empty data directory."),
    ("doctor", "doctor.doctor", _MAINTENANCE, "Check the set-up and say what to do about each problem."),
    (
        "serve-api",
        "serve_api",
        _BOT,
        "Serve the visual search API to programs that have a key in VSEARCH_API_KEYS (docs/api.md).",
    ),
)
"""Name, module below ``bot.cli``, panel and summary of each command, in the order of ``--help``."""

DATABASE_COMMANDS: Sequence[tuple[str, str, str]] = (
    ("create", "catalogue.databases", "Create an empty database. Names have 2 to 64 characters: a-z, 0-9 and _."),
    ("list", "catalogue.database_list", "List all databases with their numbers of images and ids."),
    (
        "delete-unused-api",
        "catalogue.databases",
        "Delete the databases of API keys that are no longer in VSEARCH_API_KEYS. You can't undo this.",
    ),
    (
        "give",
        "catalogue.databases",
        "Give a database of the workspace “local” to a Slack workspace, whose members can then search it.",
    ),
    ("link", "catalogue.databases", "Show or set the link that each match gets. {id} stands for the id."),
    (
        "delete",
        "catalogue.databases",
        "Delete a database and all its images, after you type its name. You can't undo this.",
    ),
)
"""The same of ``vsearch db``, without panels."""


class CommandGroup(VsearchGroup):
    """The program itself: the group of all commands."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        serve, *others = (LazyCommand(*listed) for listed in COMMANDS)
        self.commands.update({str(command.name): command for command in (serve, _database_group(), *others)})


def _database_group() -> VsearchGroup:
    return VsearchGroup(
        name="db",
        commands={name: LazyCommand(name, module, "", summary) for name, module, summary in DATABASE_COMMANDS},
        help="Create, list, give and delete databases.",
        no_args_is_help=True,
        rich_help_panel=_IMAGES,
    )
