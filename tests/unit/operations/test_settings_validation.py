"""Validation of related settings: missing ones are reported together, and only if they are used."""

from __future__ import annotations

import pytest

from bot.config.settings import Settings
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
