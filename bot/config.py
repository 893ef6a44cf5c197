"""Settings: data with a meaning, a unit and a default. The only reader of the environment."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bot.errors import SettingsError

SLACK_API_URL = "https://slack.com/api/"


def _text(raw: str) -> str:
    return raw


def _integer(low: int, high: int) -> Callable[[str], int]:
    def parse(raw: str) -> int:
        value = int(raw)
        if not low <= value <= high:
            raise ValueError(raw)
        return value

    parse.__doc__ = f"a whole number from {low} to {high}"
    return parse


def _three_numbers(raw: str) -> tuple[float, float, float]:
    """three numbers separated by commas"""  # noqa: D403, D400 - becomes part of a sentence
    red, green, blue = (float(part) for part in raw.split(","))
    return red, green, blue


def _names(raw: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in raw.split(",") if part.strip())


def _one_of(*choices: str) -> Callable[[str], str]:
    def parse(raw: str) -> str:
        if raw.lower() not in choices:
            raise ValueError(raw)
        return raw.lower()

    parse.__doc__ = " or ".join(choices)
    return parse


def _path(raw: str) -> Path:
    return Path(raw).expanduser()


def _database_url(raw: str) -> str:
    """an address that begins with sqlite:/// and names a file"""  # noqa: D403, D400 - becomes part of a sentence
    if not raw.startswith("sqlite:///") or raw == "sqlite:///":
        raise ValueError(raw)
    return raw


def _api_url(raw: str) -> str:
    """an http or https address"""  # noqa: D403, D400 - becomes part of a sentence
    parts = urlsplit(raw)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(raw)
    return raw if raw.endswith("/") else raw + "/"


def _setting(
    name: str, meaning: str, *, default: Any, parse: Callable[[str], Any] = _text, unit: str = "", secret: bool = False
) -> Any:
    about = {"name": name, "meaning": meaning, "parse": parse, "unit": unit, "secret": secret}
    return field(default=default, metadata=about, repr=not secret)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All that can be set. Build one with ``from_mapping``; secrets stay out of its repr."""

    slack_bot_token: str | None = _setting("SLACK_BOT_TOKEN", "The bot's token, xoxb-…", default=None, secret=True)
    slack_app_token: str | None = _setting(
        "SLACK_APP_TOKEN",
        "The app-level token of Socket Mode, xapp-…",
        default=None,
        secret=True,
    )
    slack_api_url: str = _setting(
        "SLACK_API_URL",
        "Where Slack's Web API is; lets the bot talk to a stand-in",
        default=SLACK_API_URL,
        parse=_api_url,
    )
    data_dir: Path = _setting("VSEARCH_DATA_DIR", "Everything that the bot writes", default=Path("data"), parse=_path)
    backend: str = _setting("VSEARCH_BACKEND", "The search back end", default="embedded", parse=_one_of("embedded"))
    database_url: str | None = _setting(
        "DATABASE_URL",
        "Address (sqlite:///…) of the file for catalogue and vectors, if it is not to be in the data directory",
        default=None,
        parse=_database_url,
        secret=True,
    )
    trusted_hosts: tuple[str, ...] = _setting(
        "VSEARCH_TRUSTED_HOSTS",
        "Hosts (host or host:port, comma-separated) that user URLs may reach although they are private or loopback",
        default=(),
        parse=_names,
    )
    max_image_mb: int = _setting(
        "VSEARCH_MAX_IMAGE_MB", "Largest file that is taken", default=25, parse=_integer(1, 200), unit="MB"
    )
    max_image_megapixels: int = _setting(
        "VSEARCH_MAX_IMAGE_MEGAPIXELS",
        "Largest picture that is decoded",
        default=50,
        parse=_integer(1, 500),
        unit="megapixels",
    )
    fetch_timeout_s: int = _setting(
        "VSEARCH_FETCH_TIMEOUT_S",
        "Longest that one download may take",
        default=15,
        parse=_integer(1, 300),
        unit="seconds",
    )
    index_memory_mb: int = _setting(
        "VSEARCH_INDEX_MEMORY_MB",
        "Memory for the vectors of all databases together; one that does not fit is searched from disk, more slowly",
        default=512,
        parse=_integer(1, 1_000_000),
        unit="MB",
    )
    threads: int = _setting(
        "VSEARCH_THREADS", "Threads for pictures and the model; 0: one a core", default=0, parse=_integer(0, 256)
    )
    model_path: Path | None = _setting(
        "VSEARCH_MODEL_PATH",
        "An ONNX image embedding to use instead of the built-in one (input 1×3×size×size float32)",
        default=None,
        parse=_path,
    )
    model_size: int = _setting(
        "VSEARCH_MODEL_SIZE", "Input side of that model", default=224, parse=_integer(32, 1024), unit="pixels"
    )
    model_mean: tuple[float, float, float] = _setting(
        "VSEARCH_MODEL_MEAN",
        "Mean of red, green, blue that it expects (0 to 1)",
        default=(0.485, 0.456, 0.406),
        parse=_three_numbers,
    )
    model_std: tuple[float, float, float] = _setting(
        "VSEARCH_MODEL_STD", "Standard deviation of the same", default=(0.229, 0.224, 0.225), parse=_three_numbers
    )
    log_format: str = _setting("VSEARCH_LOG_FORMAT", "Form of the log", default="text", parse=_one_of("text", "json"))
    log_level: str = _setting(
        "VSEARCH_LOG_LEVEL",
        "Least level that is logged",
        default="info",
        parse=_one_of("debug", "info", "warning", "error"),
    )

    @classmethod
    def from_mapping(cls, environment: Mapping[str, str]) -> Settings:
        """Read the settings; empty values count as unset. Raises SettingsError with every problem at once."""
        values: dict[str, Any] = {}
        problems: list[str] = []
        for item in dataclasses.fields(cls):
            raw = environment.get(item.metadata["name"], "").strip()
            if not raw:
                continue
            parse = item.metadata["parse"]
            try:
                values[item.name] = parse(raw)
            except ValueError:
                # The value itself is not shown: it may be a secret put in the wrong place.
                problems.append(f"{item.metadata['name']} must be {parse.__doc__}.")
        settings = cls(**values)
        problems.extend(settings._swapped_tokens())
        if problems:
            raise SettingsError(tuple(problems))
        return settings

    def _swapped_tokens(self) -> Iterator[str]:
        """Slack's tokens tell what they are for; a stand-in's may look any way."""
        if self.slack_api_url != SLACK_API_URL:
            return
        for name, token, prefix in (
            ("SLACK_BOT_TOKEN", self.slack_bot_token, "xoxb-"),
            ("SLACK_APP_TOKEN", self.slack_app_token, "xapp-"),
        ):
            if token and not token.startswith(prefix):
                yield f"{name} must be a token that begins with {prefix}."
