"""The doctor: its checks, and its advice."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from bot.adapters.embedded.model import exactness
from bot.adapters.embedded.model.embedding import BUILT_IN_ID
from bot.cli.doctor import checks
from bot.cli.doctor.model import embeddings
from bot.cli.doctor.result import CheckResult, CheckStatus
from bot.cli.session import SharedStorage
from bot.cli.terminal.exit_codes import ExitCode
from bot.config.settings import Settings
from bot.domain.errors import BackendDown
from bot.domain.identifiers import API_WORKSPACE_PREFIX, DatabaseKey, DatabaseName, EntityId, Note, WorkspaceId
from bot.storage.sql_storage import SqlStorage
from tests.fakes.features import embedded_search, random_picture
from tests.fixtures.command_line import Outcome, Vsearch, indexed, pictures, stocked, vsearch

__all__ = ["indexed", "pictures", "stocked", "vsearch"]


def _wrong(outcome: Outcome) -> dict[str, dict[str, str]]:
    return {check["check"]: check for check in outcome.document["checks"] if check["state"] == "wrong"}


def test_fresh_set_up_passes_all_checks(vsearch: Vsearch) -> None:
    outcome = vsearch("doctor")
    assert outcome.code == ExitCode.OK
    assert "No problems found." in outcome.out
    assert "none yet" in outcome.out
    for name in checks.PILLOW_NAMES:
        assert name in outcome.out


def test_set_up_with_pictures_passes_all_checks(indexed: Vsearch) -> None:
    document = indexed("doctor", "--json").document
    assert document["ok"] is True
    assert any("is intact" in check["found"] for check in document["checks"])


def test_storage_is_opened_once(indexed: Vsearch, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []
    unpatched = SqlStorage.open.__func__  # type: ignore[attr-defined]

    async def counted(cls: type[SqlStorage], *given: object) -> SqlStorage:
        opened.append(given)
        storage: SqlStorage = await unpatched(cls, *given)
        return storage

    monkeypatch.setattr(SqlStorage, "open", classmethod(counted))
    monkeypatch.setenv("PUBLIC_BASE_URL", "http://127.0.0.1:9")
    document = indexed("doctor", "--json").document
    assert {"Databases", "Embeddings", "Public address"} <= {check["check"] for check in document["checks"]}
    assert len(opened) == 1


def test_storage_error_is_reported_once_for_deletions(indexed: Vsearch, monkeypatch: pytest.MonkeyPatch) -> None:
    async def unreadable(*_: object) -> int:
        raise BackendDown("The disk is full.")

    monkeypatch.setattr("bot.cli.doctor.deletions.sweep_pictures", unreadable)
    document = indexed("doctor", "--json").document
    assert [check["found"] for check in document["checks"] if check["check"] == "Deletions"] == ["The disk is full"]


def test_damaged_catalogue_is_found(stocked: Vsearch, tmp_path: Path) -> None:
    path = tmp_path / "data" / "vsearch.db"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    content = bytearray(path.read_bytes())
    content[100:4000] = b"\xee" * 3900
    path.write_bytes(bytes(content))
    outcome = stocked("doctor", "--json")
    assert outcome.code == ExitCode.FAILED
    assert "backup" in _wrong(outcome)["Catalogue"]["remedy"]


def test_data_of_a_newer_version_is_not_opened(stocked: Vsearch, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "data" / "vsearch.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    outcome = stocked("doctor", "--json")
    assert outcome.code == ExitCode.FAILED
    assert "newest version of vsearch" in _wrong(outcome)["Tables"]["remedy"]


def test_read_only_data_directory_is_found(vsearch: Vsearch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    outcome = vsearch("--data-dir", tmp_path / "file" / "data", "doctor", "--json")
    assert outcome.code == ExitCode.FAILED
    assert "VSEARCH_DATA_DIR" in _wrong(outcome)["Data directory"]["remedy"]


def test_all_invalid_settings_are_listed(vsearch: Vsearch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VSEARCH_THREADS", "many")
    outcome = vsearch("doctor", "--json")
    assert outcome.code == ExitCode.SETTINGS
    assert "VSEARCH_THREADS" in _wrong(outcome)["Settings"]["found"]
    assert ".." not in vsearch("doctor").err + vsearch("doctor").out


def test_unusable_model_is_found(vsearch: Vsearch, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "own.onnx").write_bytes(b"no model")
    monkeypatch.setenv("VSEARCH_MODEL_PATH", str(tmp_path / "own.onnx"))
    outcome = vsearch("doctor", "--json")
    assert outcome.code == ExitCode.SETTINGS
    assert "own.onnx" in _wrong(outcome)["Model"]["found"]


def test_databases_indexed_by_another_model_are_named_with_the_remedy(stocked: Vsearch) -> None:
    outcome = stocked("doctor", "--json")
    assert outcome.code == ExitCode.FAILED
    stale = _wrong(outcome)["Embeddings"]
    assert "parts of local" in stale["found"]
    assert "vsearch reindex --all" in stale["remedy"]


def test_databases_without_point_features_are_named_with_the_remedy(indexed: Vsearch, tmp_path: Path) -> None:
    assert "Items" not in {check["check"] for check in indexed("doctor", "--json").document["checks"]}
    with closing(sqlite3.connect(tmp_path / "data" / "vsearch.db")) as connection, connection:
        connection.execute("DELETE FROM embedded_point_features")
        connection.execute("DELETE FROM embedded_pending_points")
    document = indexed("doctor", "--json").document
    [note] = [check for check in document["checks"] if check["check"] == "Items"]
    assert (document["ok"], note["state"]) == (True, "note")
    assert "parts of local" in note["found"]
    assert "vsearch reindex --all" in note["remedy"]


async def test_api_databases_can_only_be_filled_again(tmp_path: Path) -> None:
    storage = await SqlStorage.open(tmp_path)
    engine = embedded_search(storage)
    key = DatabaseKey(WorkspaceId(f"{API_WORKSPACE_PREFIX}0123"), DatabaseName("parts"))
    await engine.create_database(key)
    await engine.add_image(key, random_picture(1), EntityId("valve"), Note())
    await storage.close()

    def check() -> list[CheckResult]:
        with closing(SharedStorage(Settings(data_dir=tmp_path))) as shared:
            return list(embeddings(shared, BUILT_IN_ID))

    found = await asyncio.to_thread(check)
    assert [finding.state for finding in found] == [CheckStatus.WRONG]
    assert "add their images again" in found[0].remedy


def test_doctor_says_where_the_scores_come_from(indexed: Vsearch) -> None:
    scores = next(found for found in indexed("doctor", "--json").document["checks"] if found["check"] == "Scores")
    assert scores["found"] == "of 1 database: 1 default"


def test_processor_with_different_results_is_found(vsearch: Vsearch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exactness, "reference_embedding", lambda: np.zeros(1280, np.float32))
    wrong = _wrong(vsearch("doctor", "--json"))["Arithmetic"]
    assert "other embeddings" in wrong["found"]
    assert "vsearch reindex --all" in wrong["remedy"]


def test_bot_token_without_app_token_is_found(vsearch: Vsearch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLACK_APP_TOKEN", "xapp-1")
    outcome = vsearch("doctor", "--json")
    assert outcome.code == ExitCode.SLACK
    assert "SLACK_BOT_TOKEN" in _wrong(outcome)["Slack"]["found"]


def test_unreachable_slack_is_found(vsearch: Vsearch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLACK_APP_TOKEN", "xapp-1")
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-1")
    monkeypatch.setenv("SLACK_API_URL", "http://127.0.0.1:9/api/")
    outcome = vsearch("doctor", "--json")
    assert outcome.code == ExitCode.SLACK
    assert "can't be reached" in _wrong(outcome)["Slack"]["found"]
    assert "xoxb-1" not in outcome.out


def test_unreachable_hosted_service_is_found(vsearch: Vsearch, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {"SHOWAPI_APP_KEY": "a-planted-key", "SHOWAPI_DS_ID": "7", "SHOWAPI_BASE_URL": "http://127.0.0.1:9"}
    for name, value in {**settings, "VSEARCH_BACKEND": "showapi", "PUBLIC_BASE_URL": "http://127.0.0.1:8"}.items():
        monkeypatch.setenv(name, value)
    outcome = vsearch("doctor", "--json")
    assert outcome.code == ExitCode.FAILED
    assert "docs/hosted.md" in _wrong(outcome)["Hosted service"]["remedy"]
    assert "a-planted-key" not in outcome.out
    refused = vsearch("reindex", "parts")
    assert refused.code == ExitCode.USAGE
    assert "nothing to reindex" in refused.err


def test_low_disk_space_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "LOW_SPACE_GB", 1e9)
    findings = list(checks.data_directory(Settings(data_dir=tmp_path)))
    assert findings[-1].state is CheckStatus.WRONG
    assert "Free some space" in findings[-1].remedy
