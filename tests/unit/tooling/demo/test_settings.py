"""What ``make run`` starts, and that none of the user's settings reach the demo."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import pytest

import examples.__main__ as program
from bot.config.settings import Settings
from examples.demo import isolation
from examples.demo.lifecycle import forget
from examples.demo.main import directory_of
from examples.demo.workspace import environment
from scripts.environment.places import output_folder

THEIRS = {
    "DATABASE_URL": "sqlite:////theirs.db",
    "VSEARCH_MODEL_PATH": "/theirs.onnx",
    "VSEARCH_RETENTION_DAYS": "1",
    "SLACK_SIGNING_SECRET": "theirs",
    "SLACK_CLIENT_ID": "theirs",
    "HOST": "0.0.0.0",
    "PATH": "/bin",
}


def test_demo_has_a_directory_of_its_own(tmp_path: Path) -> None:
    assert directory_of({}) == output_folder() / "data" / "demo"
    assert directory_of({"VSEARCH_DATA_DIR": str(tmp_path)}) == tmp_path / "demo"


def test_demo_uses_none_of_the_users_settings(tmp_path: Path) -> None:
    given = environment(THEIRS, tmp_path, stand_in="http://127.0.0.1:8010", port=8011)
    settings = Settings.from_mapping(given)
    assert settings.data_dir == tmp_path
    assert settings.database_url is None
    assert settings.model_path is None
    assert settings.retention_days is None
    assert settings.slack_signing_secret is None
    assert settings.listen_address == ("127.0.0.1", 8011)
    assert settings.slack_api_url == "http://127.0.0.1:8010/api/"
    assert given["PATH"] == "/bin"


@pytest.mark.parametrize("name", ["http_proxy", "HTTPS_PROXY", "all_proxy"])
def test_demo_reaches_its_stand_in_without_the_users_proxy(tmp_path: Path, name: str) -> None:
    outer = {name: "http://127.0.0.1:9", "PATH": "/bin"}
    given = environment(outer, tmp_path, stand_in="http://127.0.0.1:8010", port=8011)
    assert name not in given
    assert given["PATH"] == "/bin"


@pytest.mark.parametrize(
    ("credential", "against"),
    [("SLACK_BOT_TOKEN", "slack"), ("SLACK_SIGNING_SECRET", "slack"), ("VSEARCH_LOG_LEVEL", "demo")],
)
def test_credentials_decide_what_make_run_starts(
    credential: str, against: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    started: list[str] = []

    def start(what: str) -> int:
        started.append(what)
        return 0

    monkeypatch.chdir(tmp_path)
    for name in ("SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET", "SLACK_CLIENT_ID"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / ".env").write_text(f"{credential}={'info' if 'LEVEL' in credential else 'xoxb-1'}\n")
    monkeypatch.setattr(program, "start_bot", partial(start, "slack"))
    monkeypatch.setattr(program, "start_demo", partial(start, "demo"))
    assert program.main() == 0
    assert started == [against]
    assert ("connects to Slack" in capsys.readouterr().out) is (against == "slack")


@pytest.mark.parametrize("named", ["", "/named"])
def test_bot_data_goes_to_the_users_cache_if_the_checkout_is_read_only(
    named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-1")
    monkeypatch.setenv("VSEARCH_DATA_DIR", named)
    monkeypatch.setattr(program, "output_folder", lambda: tmp_path)
    monkeypatch.setattr(program, "start_bot", lambda: 0)
    assert program.main() == 0
    assert os.environ["VSEARCH_DATA_DIR"] == (named or str(tmp_path / "data"))


def test_demo_uses_no_proxy_for_loopback(tmp_path: Path) -> None:
    outer = {"https_proxy": "http://proxy:3128", "HTTP_PROXY": "http://proxy:3128", "ALL_PROXY": "socks5://proxy"}
    given = environment(outer, tmp_path, stand_in="http://127.0.0.1:8010", port=8011)
    assert not [name for name in given if "proxy" in name.lower()]


def test_reset_keeps_only_the_samples(tmp_path: Path) -> None:
    for name in ("samples", "bot", "files-1"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").touch()
    (tmp_path / "page.json").touch()
    forget(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["samples"]
    forget(tmp_path / "never")


def test_stand_in_runs_without_a_network_namespace() -> None:
    assert isolation.own_network([["false"], ["false"]]) is None
    assert isolation.own_network([["no-such-program"], ["no-such-program"]]) is None
