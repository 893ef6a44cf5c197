"""The global options of one run of the program, and its settings."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import typer

from bot.cli import data_location as location
from bot.cli.terminal.output import print_remark
from bot.config.settings import Check, Settings
from bot.config.unknown import unknown_settings
from bot.config.validation import contradicting_data_dir
from bot.domain.errors import InvalidInput
from bot.domain.identifiers import LOCAL_WORKSPACE, WorkspaceId


@dataclass(frozen=True, slots=True)
class GlobalOptions:
    """The global options of one run of the program."""

    data_dir: Path | None = None
    workspace: str | None = None
    debug: bool = False

    def settings(self, *needs: Check, creates: bool = False) -> Settings:
        """Read the settings: options override the environment, which overrides ``.env``.

        ``needs`` are more checks, for what the command is about to do. A command that ``creates`` data does so in the
        current directory, unless a setting names another. Others find the data of this checkout from anywhere. Raises
        SettingsError with all problems.
        """
        folder = Path() if creates else location.folder(self.data_dir)
        environment = {**location.env_file(folder), **os.environ}
        if self.data_dir is not None:
            environment["VSEARCH_DATA_DIR"] = str(self.data_dir)
            needs = (contradicting_data_dir, *needs)
        settings = Settings.from_mapping(environment, *needs)
        if folder != Path():
            settings = location.beside(folder, settings)
        return replace(settings, log_level="debug") if self.debug else settings

    def unknown_settings(self) -> tuple[str, ...]:
        """Return a sentence for each name in the environment and in ``.env`` that is probably a misspelled setting."""
        return unknown_settings(os.environ, location.env_file(location.folder(self.data_dir)))

    def print_unknown_settings(self) -> None:
        """Print these sentences on standard error."""
        for sentence in self.unknown_settings():
            print_remark(sentence, "yellow")

    def choose_workspace(self, settings: Settings, known: Sequence[WorkspaceId]) -> WorkspaceId:
        """Return the workspace of ``--workspace``, or the only one. Raises InvalidInput if there are several."""
        if self.workspace is not None:
            return WorkspaceId(self.workspace)
        if known and settings.many_workspaces and not settings.slack_bot_token and LOCAL_WORKSPACE not in known:
            # Anybody may install the app through its page, so the only workspace need not be the operator's.
            known = (*known, LOCAL_WORKSPACE)
        if len(known) > 1:
            raise InvalidInput(f"Name a workspace with --workspace: {listed(known)}.")
        return known[0] if known else LOCAL_WORKSPACE


def listed(names: Iterable[str], max_shown: int = 10) -> str:
    """Return the first names, separated by commas."""
    every = list(names)
    return ", ".join(every[:max_shown]) + (", …" if len(every) > max_shown else "")


def options_of(ctx: typer.Context) -> GlobalOptions:
    """Return the global options of this run."""
    options = ctx.find_root().obj
    assert isinstance(options, GlobalOptions)
    return options
