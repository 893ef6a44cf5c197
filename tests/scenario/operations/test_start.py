"""Start-up errors end in one sentence. The doctor checks every way to run the bot."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from pathlib import Path

import pytest

from bot.app.bot_server import serve
from bot.app.slack_app import build
from bot.config.settings import Settings
from bot.domain.errors import SettingsError, SlackUnavailable
from tests.fakes.slack import FakeSlack
from tests.scenario.conftest import Start
from tests.scenario.support.program import program
from tests.scenario.support.web_bot import SECRET, install, oauth_settings, web_bot

UNFIT = {
    "no credentials": {"SLACK_BOT_TOKEN": "", "SLACK_SIGNING_SECRET": ""},
    "no way to be reached": {"SLACK_SIGNING_SECRET": ""},
    "several problems": {"SLACK_SIGNING_SECRET": "", "VSEARCH_THREADS": "many"},
    "no database": {"DATABASE_URL": "sqlite:///:memory:"},
    "half of OAuth": {"SLACK_BOT_TOKEN": "", "SLACK_CLIENT_ID": "1.2"},
    "a wrong setting": {"VSEARCH_THREADS": "many"},
    "no model": {"VSEARCH_MODEL_PATH": "none.onnx"},
    "Slack away": {"SLACK_API_URL": "http://127.0.0.1:9/api/"},
    "no such address": {"HOST": "192.0.2.1"},
    "a database elsewhere": {"DATABASE_URL": "sqlite:////nowhere/at/all.db"},
}
LINES = {"several problems": 3}


def create_obstacle(kind: str, data_dir: Path) -> None:
    """Create an obstacle to starting."""
    if kind in UNFIT:
        return
    data_dir.mkdir()
    match kind:
        case "no database file":
            (data_dir / "vsearch.db").write_bytes(b"not SQLite" * 1000)
        case "newer data":
            with sqlite3.connect(data_dir / "vsearch.db") as connection:
                connection.execute("CREATE TABLE alembic_version (version_num VARCHAR(32))")
                connection.execute("INSERT INTO alembic_version VALUES ('9999')")
            connection.close()
        case "no pictures":
            (data_dir / "pictures").write_text("in the way")
        case "a file in the way":
            data_dir.rmdir()
            data_dir.write_text("in the way")


@pytest.mark.parametrize(
    ("kind", "code", "says"),
    [
        ("no credentials", 3, "Set SLACK_APP_TOKEN"),
        ("no way to be reached", 3, "Set SLACK_APP_TOKEN (Socket Mode) or SLACK_SIGNING_SECRET"),
        ("several problems", 3, "Set SLACK_APP_TOKEN"),
        ("no database", 3, "DATABASE_URL must be an address such as sqlite:///path/to/file"),
        ("half of OAuth", 3, "SLACK_CLIENT_SECRET and SLACK_STATE_SECRET must be set too"),
        ("a wrong setting", 3, "VSEARCH_THREADS must be"),
        ("no model", 3, "VSEARCH_MODEL_PATH"),
        ("Slack away", 4, "can't be reached"),
        ("no such address", 6, "can't listen on 192.0.2.1"),
        ("a database elsewhere", 7, "can't be used"),
        ("a file in the way", 7, "can't be used"),
        ("no database file", 7, "can't be used"),
        ("newer data", 7, "newer vsearch"),
        ("no pictures", 7, "icture"),
    ],
)
async def test_start_error_prints_a_sentence_and_sets_the_exit_code(
    slack: FakeSlack, tmp_path: Path, kind: str, code: int, says: str
) -> None:
    slack.http("http://127.0.0.1:9/", SECRET)
    settings = {**slack.environment, "VSEARCH_DATA_DIR": str(tmp_path / "data"), "PORT": "0", "HOST": "127.0.0.1"}
    await asyncio.to_thread(create_obstacle, kind, tmp_path / "data")
    async with program({**settings, **UNFIT.get(kind, {})}) as bot:
        assert await bot.end(None) == code, bot.errors
    assert says in bot.errors
    assert bot.errors.startswith("Error: ")
    assert "Traceback" not in bot.errors
    assert len(bot.errors.splitlines()) == (LINES.get(kind) or (2 if says.startswith("Set ") else 1))
    if kind in UNFIT:
        assert not (tmp_path / "data").is_dir() or any((tmp_path / "data").iterdir())


async def doctor(settings: dict[str, str]) -> tuple[int, dict[str, str]]:
    """Run the doctor. Return its exit code, and the text of its Slack checks by status."""
    async with program(settings, "doctor", "--json") as asked:
        out, _ = await asked.process.communicate()
    checks = json.loads(out)["checks"]
    assert not any(value in out.decode() for value in settings.values() if value.startswith(("xoxb-", "xapp-")))
    return asked.process.returncode or 0, {
        check["found"]: check["state"] for check in checks if check["check"] == "Slack"
    }


async def test_settings_that_contradict_each_other_are_refused_and_leave_nothing(tmp_path: Path) -> None:
    given = {"VSEARCH_DATA_DIR": str(tmp_path / "data"), "DATABASE_URL": f"sqlite:///{tmp_path}/elsewhere.db"}
    for arguments in (("db", "list"), ("doctor",), ("serve",)):
        async with program(given, "--data-dir", str(tmp_path / "other"), *arguments) as asked:
            out, errors = await asked.process.communicate()
            assert asked.process.returncode == 3
        assert b"--data-dir names" in errors + out
    async with program(given | {"DATABASE_URL": "mysql://x/y"}, "doctor") as asked:
        await asked.process.communicate()
    assert await asyncio.to_thread(lambda: list(tmp_path.iterdir())) == []


async def test_doctor_checks_every_way_to_run(slack: FakeSlack, tmp_path: Path) -> None:
    own = {"VSEARCH_DATA_DIR": str(tmp_path / "data")}
    socket_mode = slack.environment | own
    code, found = await doctor(socket_mode)
    assert (code, list(found.values())) == (0, ["ok"] * 3), found
    assert list(found)[:2] == ["Socket Mode", "Slack accepts SLACK_APP_TOKEN"]
    assert list(found)[2].endswith("in Fake team")
    code, found = await doctor(socket_mode | {"SLACK_APP_TOKEN": "xapp-wrong"})
    assert (code, found["Slack refused SLACK_APP_TOKEN: invalid_auth"]) == (4, "wrong")
    slack.http("http://127.0.0.1:9/", SECRET)
    code, found = await doctor(slack.environment | own | {"PORT": "8080"})
    assert (code, next(iter(found))) == (0, "HTTP on 0.0.0.0:8080")
    code, found = await doctor(slack.environment | own | {"SLACK_SIGNING_SECRET": ""})
    assert (code, found["neither SLACK_APP_TOKEN nor SLACK_SIGNING_SECRET is set"]) == (4, "wrong")


async def test_doctor_checks_installations(slack: FakeSlack, tmp_path: Path) -> None:
    slack.add_workspace("T0ONE", "One")
    data_dir = tmp_path / "data"
    async with web_bot(slack, data_dir, **oauth_settings(slack)) as bot:
        await install(slack, bot.browser, "T0ONE")
    # The doctor would request a picture from there.
    settings = slack.environment | oauth_settings(slack) | {"VSEARCH_DATA_DIR": str(data_dir), "PUBLIC_BASE_URL": ""}
    code, found = await doctor(settings)
    assert (code, found) == (0, {"HTTP on 127.0.0.1:3000": "ok", "1 installation through OAuth": "ok"})
    code, found = await doctor(settings | {"SLACK_STATE_SECRET": "a-secret-of-somebody-else"})
    assert code == 3
    assert found["SLACK_STATE_SECRET is not the one that the stored tokens were encrypted with"] == "wrong"
    socket_mode = settings | {"SLACK_SIGNING_SECRET": "", "SLACK_APP_TOKEN": slack.state.app_token}
    code, found = await doctor(socket_mode)
    assert code == 0
    assert found["Socket Mode; without PORT, other workspaces can't install the app"] == "note"


async def test_first_workspace_adopts_databases_made_on_the_command_line(slack: FakeSlack, start: Start) -> None:
    app = await start()
    assert await app.services.storage.catalogue.workspaces() == (slack.state.team,)


async def test_refused_token_and_unreachable_slack_end_the_start(slack: FakeSlack, tmp_path: Path) -> None:
    values = {**slack.environment, "VSEARCH_DATA_DIR": str(tmp_path), "SLACK_BOT_TOKEN": "xoxb-wrong"}
    with pytest.raises(SlackUnavailable, match="SLACK_BOT_TOKEN"):
        async with build(Settings.from_mapping(values)):
            pass
    absent = values | {"SLACK_API_URL": "http://127.0.0.1:9/api/"}
    with pytest.raises(SlackUnavailable, match="can't be reached"):
        async with build(Settings.from_mapping(absent)):
            pass


def test_missing_credentials_are_named() -> None:
    with pytest.raises(SettingsError, match=r"SLACK_APP_TOKEN .*SLACK_SIGNING_SECRET .*SLACK_BOT_TOKEN.*\n.*make run"):
        serve(Settings())
