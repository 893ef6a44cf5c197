"""The settings of one process, read from the environment. Nothing else reads the environment."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from bot.config import validation as checks
from bot.config.declarations import SLACK_API_URL, DeclaredSettings
from bot.config.fields import read_fields, secret_values
from bot.domain.errors import SettingsError

DEFAULT_PORT = 3000

Check = Callable[[DeclaredSettings], Iterator[str]]
"""Yields a sentence for each problem."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(DeclaredSettings):
    """All settings. Create them with ``from_mapping``."""

    @classmethod
    def from_mapping(cls, environment: Mapping[str, str], *needs: Check) -> Settings:
        """Read the settings; empty values count as unset. Raises SettingsError with all problems.

        ``needs`` are more checks, for what the caller is about to do.
        """
        values, wrong = read_fields(cls, environment)
        settings = cls(**values)
        together = [
            *checks.swapped_tokens(settings, stand_in=settings.slack_api_url != SLACK_API_URL),
            *checks.incomplete_oauth(settings),
            *checks.missing_for_back_end(settings, settings.backend),
            *checks.missing_for_pictures(settings),
            *checks.unusable_backup_dir(settings),
            *checks.too_little_image_memory(settings),
            *(problem for check in needs for problem in check(settings)),
        ]
        if problems := (*wrong.values(), *checks.unrelated(wrong, together)):
            raise SettingsError(problems)
        return settings

    @property
    def takes_deliveries(self) -> bool:
        """Whether this process receives Slack's deliveries."""
        return self.role != "worker"

    @property
    def runs_jobs(self) -> bool:
        """Whether this process runs the jobs of the inbox and maintenance."""
        return self.role != "web"

    @property
    def listen_address(self) -> tuple[str, int]:
        """The host and port to serve HTTP on."""
        # Platforms that set PORT, such as Heroku, connect from outside the container.
        host = self.host or ("127.0.0.1" if self.port is None else "0.0.0.0")  # noqa: S104 - documented in .env.example
        return host, DEFAULT_PORT if self.port is None else self.port

    @property
    def secrets(self) -> tuple[str, ...]:
        """The values that must never be logged."""
        return secret_values(self)

    def check_back_end(self, name: str, *, for_deletion: bool = False) -> None:
        """Check that a back end could be used, or with ``for_deletion`` emptied. Raises SettingsError if not."""
        if problems := tuple(checks.missing_for_back_end(self, name, for_deletion=for_deletion)):
            raise SettingsError(problems)
