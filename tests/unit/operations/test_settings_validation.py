"""Settings that are of use together only: what lacks is told, at once and where it is used."""

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
def test_the_hosted_service_takes_a_key_an_account_and_an_address_at_which_it_reaches_us(missing: str) -> None:
    given = {**HOSTED, "VSEARCH_BACKEND": "showapi"}
    assert Settings.from_mapping(given).backend == "showapi"
    with pytest.raises(SettingsError) as refused:
        Settings.from_mapping({name: value for name, value in given.items() if name != missing})
    (problem,) = refused.value.problems
    assert problem.startswith(f"VSEARCH_BACKEND=showapi needs {missing}")
    assert "hidden" not in problem


def test_all_that_the_hosted_service_lacks_is_told_at_once_and_only_where_it_is_used() -> None:
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


def test_a_wrong_setting_hides_no_problem_of_another() -> None:
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
def test_what_a_bucket_lacks_is_told_where_it_is_used(without: list[str], problem: str) -> None:
    given = {name: value for name, value in BUCKET.items() if name not in without}
    with pytest.raises(SettingsError) as refused:
        Settings.from_mapping(given)
    (told,) = refused.value.problems
    assert told.startswith(problem)
    assert "hidden" not in told
    Settings.from_mapping(given | {"VSEARCH_PICTURES": "files"})


def test_a_bucket_takes_a_region_or_an_address_and_a_key_or_a_role() -> None:
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


def test_many_workspaces_take_three_settings() -> None:
    assert Settings.from_mapping(MANY).many_workspaces
    assert not Settings().many_workspaces


@pytest.mark.parametrize("missing", sorted(MANY))
def test_incomplete_oauth_settings_are_refused(missing: str) -> None:
    with pytest.raises(SettingsError, match=f"{missing} must be set too") as refused:
        Settings.from_mapping({name: value for name, value in MANY.items() if name != missing})
    assert len(refused.value.problems) == 1


def test_with_a_token_for_one_workspace_the_others_may_be_left_half_set() -> None:
    assert Settings.from_mapping({**MANY, "SLACK_BOT_TOKEN": "xoxb-1-a"}).many_workspaces
    for name, value in MANY.items():
        assert not Settings.from_mapping({name: value, "SLACK_BOT_TOKEN": "xoxb-1-a"}).many_workspaces


def test_a_state_secret_that_can_be_guessed_is_refused() -> None:
    with pytest.raises(SettingsError, match="SLACK_STATE_SECRET must have at least 16 characters") as refused:
        Settings.from_mapping({**MANY, "SLACK_STATE_SECRET": "hidden"})
    assert "hidden" not in str(refused.value)
