"""What `make run` shows without an account leaves the user's own databases alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.config import Settings
from examples.first_thread import ROOT, directory_of, environment_of


def test_the_demonstration_has_a_directory_of_its_own(tmp_path: Path) -> None:
    assert directory_of({}) == ROOT / "data" / "demo"
    assert directory_of({"VSEARCH_DATA_DIR": str(tmp_path)}) == tmp_path / "demo"


def test_the_demonstration_uses_neither_the_users_database_nor_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VSEARCH_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/mine.db")
    monkeypatch.setenv("VSEARCH_MODEL_PATH", str(tmp_path / "mine.onnx"))
    settings = Settings.from_mapping(environment_of(tmp_path / "demo"))
    assert settings.data_dir == tmp_path / "demo"
    assert settings.database_url is None
    assert settings.model_path is None
