"""Moving to Milvus and back on the command line, and what the doctor says about it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from pymilvus import MilvusClient

from bot.cli.terminal.exit_codes import ExitCode
from tests.fixtures.command_line import Vsearch, pictures, stocked, vsearch
from tests.fixtures.milvus import MilvusServer

__all__ = ["pictures", "stocked", "vsearch"]


def copies(milvus: MilvusServer, before: set[str]) -> dict[str, int]:
    """Return the number of vectors in each of the collections that are new."""
    client = MilvusClient(uri=milvus.address, timeout=10, dedicated=True)
    try:
        return {
            name: len(client.query(name, filter="id > 0", limit=100, consistency_level="Strong", timeout=10))
            for name in client.list_collections()
            if name not in before
        }
    finally:
        client.close()


def found(command: Vsearch) -> list[tuple[str, str]]:
    """Return what the doctor says about Milvus."""
    checks = command("doctor", "--json").document["checks"]
    return [(check["state"], check["found"]) for check in checks if check["check"] == "Milvus"]


def test_databases_move_to_milvus_and_back(
    stocked: Vsearch, milvus: MilvusServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = set(copies(milvus, set()))
    monkeypatch.setenv("VSEARCH_MILVUS_URL", milvus.address)
    assert found(stocked) == []

    moved = stocked("migrate", "--to", "milvus")
    assert (moved.code, "so there is nothing to retire" in " ".join(moved.out.split())) == (ExitCode.OK, True)
    assert list(copies(milvus, before).values()) == [3]
    [(state, told)] = found(stocked)
    assert (state, "vsearch retire milvus" in told) == ("note", True)

    monkeypatch.setenv("VSEARCH_BACKEND", "milvus")
    assert found(stocked) == [("ok", "answers, version 2.3.5-lite")]
    reindexed = stocked("reindex", "--all")
    assert reindexed.code == ExitCode.OK, reindexed.err
    # The collection of the former model is gone.
    assert list(copies(milvus, before).values()) == [3]

    back = stocked("migrate", "--to", "embedded")
    assert (back.code, "vsearch retire milvus" in " ".join(back.out.split())) == (ExitCode.OK, True)
    assert stocked("retire", "embedded", "--yes").code == ExitCode.USAGE
    monkeypatch.delenv("VSEARCH_BACKEND")
    assert "Deleted the copies" in stocked("retire", "milvus", "--yes").out
    assert copies(milvus, before) == {}
    with closing(sqlite3.connect(tmp_path / "data" / "vsearch.db")) as connection:
        left = connection.execute("SELECT name FROM sqlite_master WHERE name LIKE '%milvus%'").fetchall()
        assert (left, connection.execute("SELECT count(*) FROM embedded_vectors").fetchone()) == ([], (3,))


def test_unreachable_milvus_is_reported(stocked: Vsearch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VSEARCH_MILVUS_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("VSEARCH_MILVUS_TOKEN", "hidden-milvus-token")
    monkeypatch.setenv("VSEARCH_MILVUS_TIMEOUT_S", "1")
    moved = stocked("migrate", "--to", "milvus")
    assert (moved.code, "Milvus" in moved.err) == (ExitCode.FAILED, True)
    monkeypatch.setenv("VSEARCH_BACKEND", "milvus")
    doctor = stocked("doctor")
    told = " ".join((doctor.out + doctor.err).split())
    assert "VSEARCH_MILVUS_URL" in told
    assert "hidden-milvus-token" not in told + moved.out + moved.err
