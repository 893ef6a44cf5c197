"""A wheel is built without a network, has every file of the program, and works where it alone is installed."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[4]
PACKAGES = ("bot", "handlers")


def _pip(*arguments: str | Path) -> None:
    command = [sys.executable, "-m", "pip", *map(str, arguments), "--no-deps", "--no-index", "--quiet"]
    subprocess.run([*command, "--disable-pip-version-check"], check=True, capture_output=True, timeout=300)


def test_wheel_installs_and_works_alone(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for name in PACKAGES:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    _pip("wheel", "--no-build-isolation", "--wheel-dir", tmp_path, source)
    [wheel] = tmp_path.glob("vsearch-*-py3-none-any.whl")
    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())
    files = (path for name in PACKAGES for path in (ROOT / name).rglob("*") if path.is_file())
    expected = {path.relative_to(ROOT).as_posix() for path in files if "__pycache__" not in path.parts}
    assert expected - packed == set()
    _pip("install", "--no-compile", "--target", tmp_path / "site", wheel)
    assert (tmp_path / "site" / "bin" / "vsearch").exists()
    environment = {"PYTHONPATH": str(tmp_path / "site"), "VSEARCH_DATA_DIR": str(tmp_path / "data")}
    for arguments, answer in ((["--version"], wheel.name.split("-")[1]), (["db", "list"], "There is no database yet")):
        command = [sys.executable, "-m", "bot", *arguments]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=100
        )
        assert (done.returncode, answer in done.stdout) == (0, True), done.stderr
