"""Settings: parsing, errors, and documentation in .env.example."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from dotenv import dotenv_values

from bot.config.declarations import SLACK_API_URL
from bot.config.settings import Settings
from bot.domain.errors import SettingsError

EXAMPLE = Path(__file__).parents[3] / ".env.example"
FIELDS = {item.metadata["name"]: item for item in dataclasses.fields(Settings)}


def _documented() -> dict[str, tuple[str, str]]:
    """Return the value and the comment of each setting in .env.example, by name."""
    found: dict[str, tuple[str, str]] = {}
    comment: list[str] = []
    for line in EXAMPLE.read_text("utf-8").splitlines():
        name, is_setting, value = line.removeprefix("#").partition("=")
        if line.startswith("#") and is_setting and name.isupper():
            found[name] = (value, " ".join(comment))
            comment = []
        elif line.startswith("# "):
            comment.append(line.removeprefix("# "))
        else:
            comment = []
    return found


def test_empty_environment_gives_the_defaults() -> None:
    assert Settings.from_mapping({}) == Settings()
    assert Settings().slack_api_url == SLACK_API_URL


def test_empty_value_counts_as_unset() -> None:
    assert Settings.from_mapping({"VSEARCH_THREADS": "  ", "SLACK_BOT_TOKEN": ""}) == Settings()


def test_env_example_has_exactly_the_settings() -> None:
    assert set(_documented()) == set(FIELDS)


@pytest.mark.parametrize("name", sorted(FIELDS))
def test_env_example_documents_meaning_and_default(name: str) -> None:
    value, comment = _documented()[name]
    about = FIELDS[name].metadata
    assert about["meaning"] in comment
    assert about["unit"] in comment
    read = Settings.from_mapping({name: value})
    assert getattr(read, FIELDS[name].name) == FIELDS[name].default


def test_env_example_sets_nothing() -> None:
    assert dotenv_values(EXAMPLE) == {}


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("VSEARCH_DATA_DIR", "/srv/vsearch", Path("/srv/vsearch")),
        ("VSEARCH_DATA_DIR", "~/pictures", Path.home() / "pictures"),
        ("VSEARCH_THREADS", "4", 4),
        ("VSEARCH_TRUSTED_HOSTS", " pictures.intern:8080, 10.0.0.7 ,", ("pictures.intern:8080", "10.0.0.7")),
        ("VSEARCH_MODEL_MEAN", "0.5, 0.5, 0.5", (0.5, 0.5, 0.5)),
        ("SLACK_API_URL", "http://127.0.0.1:8001/api", "http://127.0.0.1:8001/api/"),
        ("VSEARCH_LOG_LEVEL", "DEBUG", "debug"),
        ("SLACK_BOT_TOKEN", "xoxb-1-a", "xoxb-1-a"),
        ("HOST", "::1", "::1"),
        ("HOST", "vsearch.intern", "vsearch.intern"),
        ("PORT", "0", 0),
        ("PUBLIC_BASE_URL", "https://vsearch.example.com/", "https://vsearch.example.com"),
        ("PUBLIC_BASE_URL", "http://127.0.0.1:3000/bot//", "http://127.0.0.1:3000/bot"),
        ("VSEARCH_RETENTION_DAYS", "365", 365),
        ("VSEARCH_ADMINS", "U1, W2", ("U1", "W2")),
        ("VSEARCH_CACHE_TTL_S", "0", 0),
        ("VSEARCH_BACKEND", "Embedded", "embedded"),
        ("SHOWAPI_BASE_URL", "https://gateway.example.com/", "https://gateway.example.com"),
        ("SHOWAPI_SHARED_DATABASE", "team_parts", "team_parts"),
        ("SHOWAPI_CALLS_PER_S", "5", 5),
        ("VSEARCH_API_KEYS", f" {'a' * 16} , {'b' * 40},", ("a" * 16, "b" * 40)),
        ("VSEARCH_BUCKET", "our-pictures", "our-pictures"),
        ("VSEARCH_BUCKET", "our.pictures/vsearch/live/", "our.pictures/vsearch/live"),
        ("VSEARCH_BUCKET_ENDPOINT", "http://127.0.0.1:9000/", "http://127.0.0.1:9000"),
        ("AWS_REGION", "eu-central-1", "eu-central-1"),
    ],
)
def test_values_are_parsed(name: str, text: str, value: Any) -> None:
    assert getattr(Settings.from_mapping({name: text}), FIELDS[name].name) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("VSEARCH_THREADS", "many"),
        ("VSEARCH_THREADS", "-1"),
        ("VSEARCH_MAX_IMAGE_MB", "-3"),
        ("VSEARCH_MODEL_STD", "0.5,0.5"),
        ("VSEARCH_LOG_FORMAT", "xml"),
        ("VSEARCH_BACKEND", "elsewhere"),
        ("SLACK_API_URL", "slack.com/api"),
        ("SLACK_APP_TOKEN", "xoxb-1-a"),
        ("HOST", "127.0.0.1:3000"),
        ("HOST", "http://127.0.0.1"),
        ("PORT", "65536"),
        ("PUBLIC_BASE_URL", "vsearch.example.com"),
        ("PUBLIC_BASE_URL", "https://vsearch.example.com/?a=b"),
        ("PUBLIC_BASE_URL", "https://me:hidden@vsearch.example.com"),
        ("PUBLIC_BASE_URL", "https://vsearch.example.com:99999"),
        ("PUBLIC_BASE_URL", f"https://{'ü' * 70}.example.com"),
        ("VSEARCH_MEDIA_TTL_S", "7"),
        ("VSEARCH_RETENTION_DAYS", "-7"),
        ("VSEARCH_CACHE_SIZE", "-7"),
        ("SHOWAPI_BASE_URL", "route.showapi.com"),
        ("SHOWAPI_SHARED_DATABASE", "Team parts"),
        ("SHOWAPI_SHARED_DATABASE", "p"),
        ("SHOWAPI_CALLS_PER_S", "-7"),
        ("VSEARCH_BUCKET", "s3://our-pictures"),
        ("VSEARCH_BUCKET", "our-pictures/../theirs"),
        ("VSEARCH_BUCKET", "our-pictures//vsearch"),
        ("VSEARCH_BUCKET", "/vsearch"),
        ("VSEARCH_BUCKET_ENDPOINT", "minio.example.com:9000"),
        ("VSEARCH_BUCKET_ENDPOINT", "https://me:hidden@minio.example.com"),
        ("AWS_REGION", "eu central"),
        ("VSEARCH_API_KEYS", "too-short"),
        ("VSEARCH_API_KEYS", "long-enough-by-far-0123456789,too-short"),
    ],
)
def test_error_names_the_setting_but_not_the_value(name: str, text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_mapping({name: text})
    (problem,) = caught.value.problems
    assert problem.startswith(f"{name} must be ")
    assert text not in problem.removeprefix(name)


def test_all_problems_are_reported_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_mapping({"VSEARCH_THREADS": "x", "VSEARCH_LOG_LEVEL": "loud", "SLACK_BOT_TOKEN": "secret"})
    assert len(caught.value.problems) == 3


def test_secrets_stay_out_of_the_repr() -> None:
    names = {name: item for name, item in FIELDS.items() if item.metadata["secret"]}
    given = {
        "SLACK_BOT_TOKEN": "xoxb-hidden",
        "SLACK_APP_TOKEN": "xapp-hidden",
        "SLACK_SIGNING_SECRET": "hidden-signing",
        "SLACK_CLIENT_SECRET": "hidden-client",
        "SLACK_STATE_SECRET": "hidden-state-0123456789",
        "DATABASE_URL": "sqlite:///hidden.db",
        "SHOWAPI_APP_KEY": "hidden-hosted-key",
        "VSEARCH_API_KEYS": "hidden-api-key-0123456789",
        "AWS_SECRET_ACCESS_KEY": "hidden-bucket-secret",
        "VSEARCH_MILVUS_TOKEN": "hidden-milvus-token",
        "AWS_SESSION_TOKEN": "hidden-bucket-token",
    }
    assert set(names) == set(given)
    values: dict[str, Any] = {item.name: given[name] for name, item in names.items()}
    settings = Settings(**values)
    assert "hidden" not in repr(settings)
    assert set(settings.secrets) == set(given.values())


def test_each_of_several_keys_is_a_secret() -> None:
    keys = ("hidden-one-0123456789", "hidden-two-0123456789")
    assert set(Settings.from_mapping({"VSEARCH_API_KEYS": ",".join(keys)}).secrets) == set(keys)


def test_unset_secrets_are_none() -> None:
    assert Settings().secrets == ()


@pytest.mark.parametrize(
    ("given", "where"),
    [
        ({}, ("127.0.0.1", 3000)),
        ({"HOST": "10.0.0.7"}, ("10.0.0.7", 3000)),
        ({"PORT": "8080"}, ("0.0.0.0", 8080)),
        ({"PORT": "8080", "HOST": "127.0.0.1"}, ("127.0.0.1", 8080)),
        ({"PORT": "0"}, ("0.0.0.0", 0)),
    ],
)
def test_listen_address_considers_a_platforms_port(given: dict[str, str], where: tuple[str, int]) -> None:
    assert Settings.from_mapping(given).listen_address == where


@pytest.mark.parametrize(
    ("url", "read"),
    [
        ("sqlite:////var/lib/vsearch.db", "sqlite:////var/lib/vsearch.db"),
        ("postgresql://user:hidden@host/db?sslmode=require", "postgresql://user:hidden@host/db?sslmode=require"),
        # Heroku sets PORT.
        ("postgres://user:hidden@host:5432/db", "postgresql://user:hidden@host:5432/db"),
        ("postgresql:///db?host=/run/postgresql", "postgresql:///db?host=/run/postgresql"),
    ],
)
def test_supported_database_urls_are_accepted(url: str, read: str) -> None:
    assert Settings.from_mapping({"DATABASE_URL": url}).database_url == read


@pytest.mark.parametrize(
    "url",
    [
        "mysql://user:hidden@host/db",
        "postgresql://host",
        "sqlite:///",
        "vsearch.db",
        "sqlite:///:memory:",
        "sqlite:///:MEMORY:?cache=shared",
        "sqlite:///file:hidden?mode=memory&uri=true",
        "sqlite:///hidden.db?mode=memory",
        "sqlite:///?cache=shared",
    ],
)
def test_unsupported_database_url_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(SettingsError, match="DATABASE_URL must be an address such as sqlite:///") as refused:
        Settings.from_mapping({"DATABASE_URL": url})
    assert "hidden" not in str(refused.value)


def test_swapped_slack_tokens_are_detected() -> None:
    swapped = {"SLACK_BOT_TOKEN": "xapp-1", "SLACK_APP_TOKEN": "xoxb-1"}
    with pytest.raises(SettingsError) as refused:
        Settings.from_mapping(swapped)
    assert len(refused.value.problems) == len(swapped)
    assert Settings.from_mapping({**swapped, "SLACK_API_URL": "http://127.0.0.1:9/api/"}).slack_bot_token == "xapp-1"
