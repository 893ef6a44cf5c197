"""The command line with a temporary data directory: output, JSON and exit codes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer import Typer

from bot.cli import main
from bot.cli.terminal import progress
from bot.cli.terminal.exit_codes import ExitCode
from bot.domain.identifiers import WorkspaceId
from bot.storage.catalogue import deleted_databases
from bot.storage.sql_storage import SqlStorage
from tests.fixtures.command_line import Vsearch, pictures, stocked, vsearch
from tests.fixtures.pictures import encoded, photo

__all__ = ["pictures", "stocked", "vsearch"]


def test_damaged_data_directory_is_explained_in_sentences(vsearch: Vsearch, tmp_path: Path) -> None:
    (tmp_path / "vsearch.db").write_bytes(b"no database" * 1000)
    outcome = vsearch("--data-dir", tmp_path, "db", "list")
    assert outcome.code == ExitCode.FAILED
    assert outcome.err.startswith("Error: The data directory")
    assert "not a database. Run “vsearch doctor” to find the cause." in " ".join(outcome.err.split())


def test_databases_are_created_listed_and_deleted(vsearch: Vsearch) -> None:
    assert "db create" in vsearch("db", "list").out
    assert vsearch("db", "create", "parts").code == ExitCode.OK
    listed = vsearch("db", "list", "--json").document
    assert [(info["name"], info["images"]) for info in listed["databases"]] == [("parts", 0)]
    assert "parts" in vsearch("db", "list").out
    deleted = vsearch("db", "delete", "parts", "--yes", "--json")
    assert deleted.document == {"deleted": "parts", "images": 0}
    assert vsearch("db", "list", "--json").document == {"databases": []}


def test_photos_of_one_id_are_one_match(stocked: Vsearch, pictures: Path) -> None:
    for seed in (7, 8):
        (pictures / f"side_{seed}.jpg").write_bytes(encoded(photo(96, 64, seed), "JPEG"))
        assert stocked("add", pictures / f"side_{seed}.jpg", "--id", "pump").code == ExitCode.OK
    document = stocked("search", pictures / "pump.jpg", "--min", "0", "--json").document
    best = document["matches"][0]
    assert (best["entity"], best["file"], best["photos"]) == ("pump", "pump.jpg", 3)
    assert {image["file"] for image in best["further_images"]} == {"side_7.jpg", "side_8.jpg"}
    assert all(image["score"] <= best["score"] and image["data_id"] for image in best["further_images"])
    assert sorted(match["entity"] for match in document["matches"]) == ["Valve 42", "hose", "pump"]
    listed = stocked("search", pictures / "pump.jpg", "--min", "0", "--top", "1").out
    assert "Photos" in listed
    assert "hose" not in listed


def test_weak_match_is_not_called_similar(stocked: Vsearch, pictures: Path) -> None:
    matches = stocked("search", pictures / "pump.jpg", "--min", "0", "--json").document["matches"]
    assert {match["verdict"] for match in matches if match["score"] < 5} == {"unlikely"}
    assert "similar" not in {match["verdict"] for match in matches if match["score"] < 5}


def test_command_without_its_verb_says_so(vsearch: Vsearch) -> None:
    outcome = vsearch("db")
    assert outcome.code == 2
    assert "Error: ." not in outcome.err
    assert "“vsearch db --help”" in outcome.err


def test_taken_name_is_an_error(vsearch: Vsearch) -> None:
    vsearch("db", "create", "parts")
    again = vsearch("db", "create", "parts")
    assert (again.code, again.out) == (ExitCode.FAILED, "")
    assert "already" in again.err


@pytest.mark.parametrize("typed", ["parst\n", "\n", "yes\n"])
def test_deleting_a_database_needs_its_name(
    stocked: Vsearch, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, typed: str
) -> None:
    answers = tmp_path / "answers"
    answers.write_text(typed)
    with answers.open() as stream:
        monkeypatch.setattr("sys.stdin", stream)
        refused = stocked("db", "delete", "parts")
    assert refused.code == ExitCode.FAILED
    assert "Nothing was deleted" in refused.err
    assert stocked("db", "list", "--json").document["databases"][0]["images"] == 3


def test_deleting_a_database_by_typing_its_name(
    stocked: Vsearch, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "answers").write_text("parts\n")
    with (tmp_path / "answers").open() as stream:
        monkeypatch.setattr("sys.stdin", stream)
        assert stocked("db", "delete", "parts").code == ExitCode.OK
    assert not list((tmp_path / "data" / "pictures").rglob("*.jpg"))


def test_progress_of_deleting_a_database_is_shown(stocked: Vsearch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_PLAIN_EVERY_S", 0.0)
    # The other two are deleted afterwards, as most images of a large database are.
    monkeypatch.setattr(deleted_databases, "INLINE_ROWS", 1)
    outcome = stocked("db", "delete", "parts", "--yes", "--json")
    assert outcome.document == {"deleted": "parts", "images": 3}
    shown = [line.rpartition(",")[0] for line in outcome.err.splitlines()]
    assert any(line.startswith("Deleting: 2 of 2, ") for line in shown), outcome.err
    assert stocked("db", "list", "--json").document["databases"] == []


def test_json_mode_asks_nothing(stocked: Vsearch) -> None:
    for command in (("db", "delete", "parts"), ("delete", "pump")):
        outcome = stocked(*command, "--json")
        assert outcome.code == ExitCode.USAGE
        assert "--yes" in outcome.document["error"]


def test_only_database_need_not_be_named(stocked: Vsearch) -> None:
    assert stocked("images", "--json").document["database"] == "parts"
    stocked("db", "create", "brand")
    ambiguous = stocked("images")
    assert ambiguous.code == ExitCode.USAGE
    assert "brand, parts" in ambiguous.err


def test_error_without_a_database_says_how_to_create_one(vsearch: Vsearch) -> None:
    outcome = vsearch("images")
    assert outcome.code == ExitCode.NOT_FOUND
    assert "vsearch db create" in outcome.err


def test_similar_name_is_suggested(stocked: Vsearch, pictures: Path) -> None:
    for command in (("images",), ("search", pictures / "pump.jpg"), ("export", "out"), ("db", "delete", "--yes")):
        named = (*command, "part") if command[0] == "db" else (*command, "--in", "part")
        outcome = stocked(*named)
        assert outcome.code == ExitCode.NOT_FOUND
        assert "Did you mean “parts”?" in outcome.err


def test_errors_are_documents_for_scripts(vsearch: Vsearch) -> None:
    outcome = vsearch("images", "--in", "nowhere", "--json")
    assert outcome.code == ExitCode.NOT_FOUND
    assert outcome.document == {"error": "There is no database “nowhere” here.", "exit_code": 5}
    assert outcome.err == ""
    usage = vsearch("search", "--json", "--top", "0", "x.jpg")
    assert usage.document["exit_code"] == usage.code == ExitCode.USAGE


@pytest.mark.parametrize(
    "arguments",
    [("--nope",), ("serach", "x"), ("search",), ("db", "create", "No Spaces"), ("search", "x.jpg", "--min", "11")],
)
def test_usage_errors_exit_with_2(vsearch: Vsearch, arguments: tuple[str, ...]) -> None:
    outcome = vsearch(*arguments)
    assert outcome.code == ExitCode.USAGE
    assert outcome.err.startswith("Error: ")
    assert "Traceback" not in outcome.err


def test_mistyped_command_gets_a_suggestion(vsearch: Vsearch) -> None:
    assert "search" in vsearch("serach", "x").err


def test_invalid_settings_exit_with_3(vsearch: Vsearch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VSEARCH_THREADS", "many")
    monkeypatch.setenv("VSEARCH_LOG_LEVEL", "loud")
    outcome = vsearch("db", "list")
    assert outcome.code == ExitCode.SETTINGS
    assert "VSEARCH_THREADS" in outcome.err
    assert "VSEARCH_LOG_LEVEL" in outcome.err


def test_env_file_is_read_and_the_environment_takes_precedence(
    vsearch: Vsearch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("VSEARCH_DATA_DIR=from_file\n")
    vsearch("db", "create", "parts")
    assert (tmp_path / "from_file" / "vsearch.db").exists()
    monkeypatch.setenv("VSEARCH_DATA_DIR", "from_environment")
    assert vsearch("db", "list", "--json").document == {"databases": []}
    vsearch("db", "create", "parts")
    assert (tmp_path / "from_environment" / "vsearch.db").exists()
    vsearch("--data-dir", "from_option", "db", "create", "parts")
    assert (tmp_path / "from_option" / "vsearch.db").exists()


def test_workspaces_are_separate(stocked: Vsearch) -> None:
    stocked("--workspace", "T1", "db", "create", "theirs")
    several = stocked("db", "list")
    assert several.code == ExitCode.USAGE
    assert "--workspace" in several.err
    names = [info["name"] for info in stocked("--workspace", "T1", "db", "list", "--json").document["databases"]]
    assert names == ["theirs"]


def test_unexpected_error_is_one_sentence_unless_debugging(vsearch: Vsearch, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("the cat sat on it")

    monkeypatch.setattr(SqlStorage, "open", broken)
    outcome = vsearch("db", "list")
    assert outcome.code == ExitCode.FAILED
    assert "the cat sat on it" in outcome.err
    assert "Traceback" not in outcome.err
    assert "Traceback" in vsearch("--debug", "db", "list").err


def test_unreachable_slack_exits_with_4(vsearch: Vsearch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLACK_APP_TOKEN", "xapp-1-secret")
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-1-secret")
    monkeypatch.setenv("SLACK_API_URL", "http://127.0.0.1:9/api/")
    outcome = vsearch("serve")
    assert outcome.code == ExitCode.SLACK
    assert "secret" not in outcome.err


def test_every_command_and_exit_code_is_documented() -> None:
    reference = (Path(__file__).parents[3] / "docs" / "commands.md").read_text("utf-8")
    for command in _commands(main.app):
        assert f"`{command}" in reference
    for code in ExitCode:
        assert f"| {code.value} |" in reference


def _commands(app: Typer, prefix: str = "") -> Iterator[str]:
    for command in app.registered_commands:
        assert command.callback is not None
        yield prefix + (command.name or command.callback.__name__)
    for group in app.registered_groups:
        assert group.typer_instance is not None
        yield from _commands(group.typer_instance, f"{prefix}{group.name} " if isinstance(group.name, str) else prefix)


def test_local_database_is_given_to_a_connected_workspace(vsearch: Vsearch) -> None:
    vsearch("db", "create", "parts")
    unknown = vsearch("db", "give", "parts", "T0ONE")
    assert unknown.code != ExitCode.OK
    assert "No connected workspace has the id “T0ONE”" in " ".join(unknown.err.split())
    connect("T0ONE")
    near = vsearch("db", "give", "partz", "T0ONE")
    assert "Did you mean “parts”" in " ".join(near.err.split())
    assert vsearch("db", "give", "parts", "T0ONE", "--json").document == {"database": "parts", "workspace": "T0ONE"}
    listed = vsearch("--workspace", "T0ONE", "db", "list", "--json").document
    assert [info["name"] for info in listed["databases"]] == ["parts"]


def test_workspace_of_the_public_page_is_not_the_default(vsearch: Vsearch, monkeypatch: pytest.MonkeyPatch) -> None:
    connect("T0ONE")
    assert vsearch("db", "create", "theirs").code == ExitCode.OK
    for name in ("SLACK_CLIENT_ID", "SLACK_CLIENT_SECRET"):
        monkeypatch.setenv(name, "12.34")
    monkeypatch.setenv("SLACK_STATE_SECRET", "s" * 40)
    outcome = vsearch("db", "create", "ours")
    assert outcome.code != ExitCode.OK
    assert "Name a workspace with --workspace: T0ONE, local." in " ".join(outcome.err.split())
    assert vsearch("--workspace", "local", "db", "create", "ours").code == ExitCode.OK


def connect(workspace: str) -> None:
    """Record a connected workspace, as an installation does."""

    async def record() -> None:
        storage = await SqlStorage.open(Path("data"))
        await storage.catalogue.record_workspace(WorkspaceId(workspace))
        await storage.close()

    asyncio.run(record())
