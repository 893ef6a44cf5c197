"""Names that look like settings but are none are reported, with the setting that was probably meant."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from bot.config.unknown import unknown_settings
from tests.fixtures.command_line import Vsearch, vsearch

__all__ = ["vsearch"]

SECRET = "a-value-that-may-be-a-secret"


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("VSEARCH_LOG_LEVLE", "VSEARCH_LOG_LEVEL"),
        ("vsearch_log_level", "VSEARCH_LOG_LEVEL"),
        ("VSEARCH_DATADIR", "VSEARCH_DATA_DIR"),
        ("SHOWAPI_APPKEY", "SHOWAPI_APP_KEY"),
        ("SLACK_SIGNING_SECERT", "SLACK_SIGNING_SECRET"),
        ("SLACK_BOT_TOKN", "SLACK_BOT_TOKEN"),
        ("DATABASE_URI", "DATABASE_URL"),
        ("PUBLIC_BASEURL", "PUBLIC_BASE_URL"),
    ],
)
def test_misspelled_setting_is_reported_with_the_right_name(name: str, meant: str) -> None:
    for environment, env_file in (({name: SECRET}, {}), ({}, {name: SECRET})):
        (told,) = unknown_settings(environment, env_file)
        assert told == f"{name} is not a setting of vsearch and has no effect; did you mean {meant}?"


def test_unknown_setting_that_resembles_none_is_reported() -> None:
    (told,) = unknown_settings({"VSEARCH_COLOUR_SCHEME_OF_THE_HOUSE": "x"}, {})
    assert told.endswith("; .env.example lists all settings.")


def test_short_names_are_reported_only_from_the_file() -> None:
    assert unknown_settings({"PROT": "1", "HOSTS": "x"}, {}) == ()
    assert "did you mean PORT?" in unknown_settings({}, {"PROT": "1"})[0]


def test_names_of_others_are_left_alone() -> None:
    others = (
        "PATH HOME HOSTNAME SLACK_WEBHOOK_URL SLACK_CHANNEL AWS_PROFILE AWS_DEFAULT_REGION PGHOST POSTGRES_URL PORTS"
        " VSEARCH_SERVICE_HOST VSEARCH_SERVICE_PORT_HTTP VSEARCH_PORT VSEARCH_PORT_3000_TCP_ADDR VSEARCH_BENCH_IMAGES"
    )
    assert unknown_settings(dict.fromkeys(others.split(), "x"), {}) == ()
    assert unknown_settings({"VSEARCH_LOG_LEVEL": "info", "PORT": "1"}, {"DATABASE_URL": "x"}) == ()


def test_name_that_resembles_a_setting_that_is_set_is_left_alone() -> None:
    assert unknown_settings({"DATABASE_URL": "x", "DATABASE_URLS": "y"}, {}) == ()


def test_commands_warn_on_standard_error_and_the_doctor_in_a_note(
    vsearch: Vsearch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VSEARCH_THREDS", SECRET)
    (tmp_path / ".env").write_text(f"SLACK_BOT_TOKN={SECRET}\n")
    outcome = vsearch("db", "list", "--json")
    assert (outcome.code, outcome.document) == (0, json.loads(outcome.out))
    for meant in ("VSEARCH_THREADS", "SLACK_BOT_TOKEN"):
        assert outcome.err.count(f"did you mean {meant}?") == 1
    told = vsearch("doctor", "--json")
    notes = [check["found"] for check in told.document["checks"] if check["state"] == "note"]
    assert {"VSEARCH_THREADS?", "SLACK_BOT_TOKEN?"} <= {note.rpartition(" ")[2] for note in notes}
    assert told.err == ""
    assert SECRET not in outcome.out + outcome.err + told.out


def test_server_warns_in_its_log(
    vsearch: Vsearch, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def run(coroutine: object) -> None:
        coroutine.close()  # type: ignore[attr-defined]

    monkeypatch.setattr("bot.app.server_process.asyncio.run", run)
    monkeypatch.setattr("bot.app.server_process.logs.set_up", lambda *_: None)
    monkeypatch.setenv("VSEARCH_API_KEYS", "k" * 16)
    monkeypatch.setenv("VSEARCH_THREDS", SECRET)
    with caplog.at_level(logging.WARNING):
        outcome = vsearch("serve-api")
    assert outcome.code == 0
    assert "did you mean VSEARCH_THREADS?" in caplog.text
    assert "VSEARCH_THREDS" not in outcome.err
