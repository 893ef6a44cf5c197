"""What ``make run`` shows without an account, from an empty directory to answers, with drawn samples."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from examples import first_thread
from tests.scenes import scene

SAMPLES = 6


def drawn_samples(directory: Path) -> Path:
    """Stands in for the catalogue that comes with packages: nothing is fetched here."""
    directory.mkdir(parents=True)
    table = directory / "samples.csv"
    with table.open("w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream)
        rows.writerow(("file", "entity", "note"))
        for seed in range(SAMPLES):
            scene(seed).save(directory / f"scene{seed}.png")
            rows.writerow((f"scene{seed}.png", f"scene_{seed}", f"Scene number {seed}"))
    return table


def test_it_shows_the_bot_at_work_and_keeps_a_picture_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(first_thread, "ensure_samples", drawn_samples)
    monkeypatch.setenv("VSEARCH_DATA_DIR", str(tmp_path / "data"))
    screenshot = tmp_path / "shown.svg"
    assert first_thread.main(["--screenshot", str(screenshot)]) == 0
    shown = capsys.readouterr().out
    assert f"({SAMPLES} images)" in shown
    assert "scene_0" in shown
    assert "same image" in shown
    assert "edited copy: cropped, mirrored" in shown
    assert "Nothing close in samples" in shown
    assert "font-face" not in screenshot.read_text(encoding="utf-8")
