"""Validation of related settings: missing ones are reported together, and only if they are used."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from bot.config import validation
from bot.config.settings import Check, Settings
from bot.domain.errors import SettingsError

HOSTED = {
    "SHOWAPI_APP_KEY": "hidden-hosted-key",
    "SHOWAPI_DS_ID": "42",
    "PUBLIC_BASE_URL": "https://vsearch.example.com",
}


@pytest.mark.parametrize("missing", sorted(HOSTED))
def test_hosted_service_needs_key_account_and_public_url(missing: str) -> None:
    given = {**HOSTED, "VSEARCH_BACKEND": "showapi"}
    assert Settings.from_mapping(given).backend == "showapi"
    with pytest.raises(SettingsError) as refused:
        Settings.from_mapping({name: value for name, value in given.items() if name != missing})
    (problem,) = refused.value.problems
    assert problem.startswith(f"VSEARCH_BACKEND=showapi needs {missing}")
    assert "hidden" not in problem


def test_missing_settings_of_the_hosted_service_are_reported_together_and_only_if_used() -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.from_mapping({"VSEARCH_BACKEND": "showapi"})
    assert len(refused.value.problems) == len(HOSTED)
    settings = Settings.from_mapping({"SHOWAPI_DS_ID": "42"})
    settings.check_back_end("embedded")
    with pytest.raises(SettingsError) as refused:
        settings.check_back_end("showapi")
    assert len(refused.value.problems) == len(HOSTED) - 1


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (
            {**HOSTED, "VSEARCH_BACKEND": "showapi", "PUBLIC_BASE_URL": "ftp://vsearch.example.com"},
            "PUBLIC_BASE_URL must",
        ),
        ({"VSEARCH_BACKEND": "pgvector", "DATABASE_URL": "mysql://ours"}, "DATABASE_URL must"),
    ],
    ids=["an address", "a database"],
)
def test_invalid_settings_are_not_reported_as_missing(given: dict[str, str], problem: str) -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.from_mapping(given)
    (told,) = refused.value.problems
    assert told.startswith(problem)


def test_milvus_needs_its_address_and_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"VSEARCH_BACKEND": "milvus", "VSEARCH_MILVUS_URL": "http://milvus.example.com:19530"}
    settings = Settings.from_mapping(given | {"VSEARCH_MILVUS_TOKEN": "root:hidden"})
    assert "hidden" not in repr(settings)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(SettingsError) as refused:
        Settings.from_mapping({"VSEARCH_BACKEND": "milvus"})
    address, package = refused.value.problems
    assert "VSEARCH_MILVUS_URL" in address
    assert "pip install vsearch[milvus]" in package


def test_invalid_setting_hides_no_problem_of_another() -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.from_mapping({"VSEARCH_BACKEND": "showapi", "SHOWAPI_DS_ID": "42", "PUBLIC_BASE_URL": "ftp://a"})
    assert [told.partition(" ")[0] for told in refused.value.problems] == ["PUBLIC_BASE_URL", "VSEARCH_BACKEND=showapi"]
    assert "SHOWAPI_APP_KEY" in refused.value.problems[1]


BUCKET = {
    "VSEARCH_PICTURES": "bucket",
    "VSEARCH_BUCKET": "our-pictures/vsearch",
    "AWS_REGION": "eu-central-1",
    "AWS_ACCESS_KEY_ID": "AKIAOURS",
    "AWS_SECRET_ACCESS_KEY": "hidden",
}


@pytest.mark.parametrize(
    ("without", "problem"),
    [
        (["VSEARCH_BUCKET"], "VSEARCH_PICTURES=bucket needs VSEARCH_BUCKET, the name of the bucket."),
        (["AWS_REGION"], "VSEARCH_PICTURES=bucket needs AWS_REGION"),
        (["AWS_ACCESS_KEY_ID"], "VSEARCH_PICTURES=bucket needs AWS_ACCESS_KEY_ID too"),
        (["AWS_SECRET_ACCESS_KEY"], "VSEARCH_PICTURES=bucket needs AWS_SECRET_ACCESS_KEY too"),
    ],
)
def test_missing_bucket_settings_are_reported_if_used(without: list[str], problem: str) -> None:
    given = {name: value for name, value in BUCKET.items() if name not in without}
    with pytest.raises(SettingsError) as refused:
        Settings.from_mapping(given)
    (told,) = refused.value.problems
    assert told.startswith(problem)
    assert "hidden" not in told
    Settings.from_mapping(given | {"VSEARCH_PICTURES": "files"})


def test_bucket_needs_region_or_endpoint_and_key_or_role() -> None:
    assert Settings.from_mapping(BUCKET).pictures == "bucket"
    elsewhere = {**BUCKET, "AWS_REGION": "", "VSEARCH_BUCKET_ENDPOINT": "https://minio.example.com"}
    assert Settings.from_mapping(elsewhere).aws_region is None
    roles = {name: value for name, value in BUCKET.items() if "KEY" not in name}
    assert Settings.from_mapping(roles).aws_access_key_id is None
    with pytest.raises(SettingsError, match="needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY too"):
        Settings.from_mapping({**roles, "AWS_SESSION_TOKEN": "hidden"})
    with pytest.raises(SettingsError) as refused:
        Settings.from_mapping({"VSEARCH_PICTURES": "bucket", "AWS_ACCESS_KEY_ID": "AKIAOURS"})
    assert len(refused.value.problems) == 3


MANY = {"SLACK_CLIENT_ID": "1.2", "SLACK_CLIENT_SECRET": "abc", "SLACK_STATE_SECRET": "0123456789abcdef"}


def test_oauth_needs_three_settings() -> None:
    assert Settings.from_mapping(MANY).many_workspaces
    assert not Settings().many_workspaces


@pytest.mark.parametrize("missing", sorted(MANY))
def test_incomplete_oauth_settings_are_refused(missing: str) -> None:
    with pytest.raises(SettingsError, match=f"{missing} must be set too") as refused:
        Settings.from_mapping({name: value for name, value in MANY.items() if name != missing})
    assert len(refused.value.problems) == 1


def test_incomplete_oauth_settings_are_accepted_with_a_bot_token() -> None:
    assert Settings.from_mapping({**MANY, "SLACK_BOT_TOKEN": "xoxb-1-a"}).many_workspaces
    for name, value in MANY.items():
        assert not Settings.from_mapping({name: value, "SLACK_BOT_TOKEN": "xoxb-1-a"}).many_workspaces


def test_short_state_secret_is_refused() -> None:
    with pytest.raises(SettingsError, match="SLACK_STATE_SECRET must have at least 16 characters") as refused:
        Settings.from_mapping({**MANY, "SLACK_STATE_SECRET": "hidden"})
    assert "hidden" not in str(refused.value)


def _problems(given: dict[str, str], *needs: Check) -> list[str]:
    try:
        Settings.from_mapping(given, *needs)
    except SettingsError as error:
        return list(error.problems)
    return []


def test_all_problems_are_reported_at_once(tmp_path: Path) -> None:
    given = {
        "VSEARCH_THREADS": "many",
        "VSEARCH_MODEL_PATH": str(tmp_path / "none.onnx"),
        "VSEARCH_BACKEND": "pgvector",
    }
    told = _problems(given, validation.missing_credentials, validation.unusable_model)
    assert [problem.partition(" ")[0] for problem in told] == [
        "VSEARCH_THREADS",
        "VSEARCH_BACKEND=pgvector",
        "Set",
        "To",
        "VSEARCH_MODEL_PATH",
    ]
    assert _problems({}, validation.missing_api_keys) == [validation.NO_KEYS]


@pytest.mark.parametrize(
    ("name", "value"),
    [("VSEARCH_MODEL_MEAN", "nan,0,0"), ("VSEARCH_MODEL_STD", "0,1,1"), ("VSEARCH_MODEL_STD", "inf,1,1")],
)
def test_unusable_model_settings_are_reported_before_anything_is_opened(name: str, value: str) -> None:
    (told,) = _problems({name: value}, validation.unusable_model)
    assert told.startswith(name)
    assert _problems({name: value}) == []


@pytest.mark.parametrize(
    ("folder", "given", "is_refused"),
    [
        ("data", {}, False),
        ("data", {"DATABASE_URL": "sqlite:///data/vsearch.db"}, False),
        ("data", {"DATABASE_URL": "sqlite:///data/deeper/x.db?timeout=3"}, False),
        ("data", {"DATABASE_URL": "sqlite:///elsewhere/vsearch.db"}, True),
        ("data", {"DATABASE_URL": "sqlite:////var/lib/vsearch.db"}, True),
        ("data", {"DATABASE_URL": "sqlite:///data/../vsearch.db"}, True),
        ("data", {"DATABASE_URL": "postgresql://me:hidden@host/db"}, True),
        ("data", {"DATABASE_URL": "postgresql://me:hidden@host/db", "VSEARCH_PICTURES": "files"}, False),
    ],
)
def test_data_directory_that_contradicts_the_database_is_refused(
    folder: str, given: dict[str, str], is_refused: bool
) -> None:
    told = _problems({**given, "VSEARCH_DATA_DIR": folder}, validation.contradicting_data_dir)
    assert len(told) == is_refused
    assert not any("hidden" in problem for problem in told)
    # In the environment alone, the two are a choice: pictures in one place, the database in another.
    assert _problems({**given, "VSEARCH_DATA_DIR": folder}) == []


@pytest.mark.parametrize(
    ("environment", "problem"),
    [
        ({"DATABASE_URL": "postgresql://me@db/bot"}, "DATABASE_URL is in PostgreSQL"),
        (BUCKET, "pictures are in a bucket"),
        ({"VSEARCH_DATA_DIR": "copies"}, "another directory"),
        ({"VSEARCH_DATA_DIR": ".", "VSEARCH_BACKUP_DIR": "pictures/old"}, "another directory"),
    ],
)
def test_backup_directory_is_for_sqlite_and_files_outside_the_data(environment: dict[str, str], problem: str) -> None:
    assert Settings.from_mapping({"VSEARCH_BACKUP_DIR": "copies"}).backup_keep == 7
    with pytest.raises(SettingsError, match=problem):
        Settings.from_mapping({"VSEARCH_BACKUP_DIR": "copies", **environment})
