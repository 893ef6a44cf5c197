"""Whether the embedding model is there, unchanged, and runs."""

from __future__ import annotations

from collections.abc import Iterator

from bot.back_ends import load_model
from bot.cli.checks import Finding, State
from bot.cli.exits import ExitCode
from bot.config import Settings
from bot.errors import SettingsError


def model(settings: Settings) -> Iterator[Finding]:
    """Whether the built-in model is the one that was shipped, or the operator's own can be used."""
    own = settings.model_path
    try:
        dimensions = load_model(settings).dimensions
    except OSError as error:
        yield Finding("Model", State.WRONG, f"the file can't be read: {error.strerror}", "Install vsearch again.")
    except SettingsError as error:
        remedy = "Check the VSEARCH_MODEL_… settings." if own else "Install vsearch again."
        code = ExitCode.SETTINGS if own else ExitCode.FAILED
        yield Finding("Model", State.WRONG, "; ".join(error.problems).rstrip("."), remedy, code)
    else:
        name = own.name if own else "built in, and as it was shipped"
        yield Finding("Model", State.OK, f"{name}; {dimensions:,} numbers a picture")
