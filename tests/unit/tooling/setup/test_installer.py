"""The installation shows its progress, and pip's own message if it fails."""

from __future__ import annotations

import io
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.environment import installer, terminal
from scripts.environment.errors import SetupError
from scripts.environment.packages import PackageSet
from scripts.environment.pip_output import PipProgress
from scripts.environment.terminal import ProgressLine, run_with_progress, stop

OUTPUT = """\
Ignoring colorama: markers 'sys_platform == "win32"' don't match your environment
Collecting click==8.5.1 (from -r requirements/run.txt (line 297))
  Downloading click-8.5.1-py3-none-any.whl (126 kB)
Collecting faiss-cpu==1.15.1 (from -r requirements/run.txt (line 363))
  Downloading faiss_cpu-1.15.1-cp310-abi3-manylinux_2_28_x86_64.whl (18.8 MB)
"""
FAILURE = """\
WARNING: Location 'file:///srv/wheels/click/' is ignored: it is neither a file nor a directory.
WARNING: Retrying (Retry(total=4)) after connection broken by 'ProxyError'
WARNING: Retrying (Retry(total=3)) after connection broken by 'ProxyError'
ERROR: Could not find a version that satisfies the requirement click==8.5.1 (from versions: none)
ERROR: No matching distribution found for click==8.5.1
"""


@pytest.fixture
def packages(tmp_path: Path) -> PackageSet:
    file = tmp_path / "requirements.txt"
    file.write_text("click==8.5.1 \\\nfaiss-cpu==1.15.1 \\\ncolorama==0.4.6 ; sys_platform == 'win32' \\\n")
    return PackageSet("run", "running", file, 20, 70)


@pytest.fixture
def site_packages(tmp_path: Path) -> Path:
    folder = tmp_path / ".venv" / "lib" / "python3" / "site-packages"
    folder.mkdir(parents=True)
    return folder


def fake_pip(folder: Path, script: str) -> Path:
    """Create a Python that runs only this fake pip."""
    source = folder / "fake_pip.py"
    source.write_text(f"import sys\n{script}")
    program = folder / "python"
    # Python's path may contain blanks, which a shebang line can't express.
    program.write_text(f"#!/bin/sh\nexec {shlex.quote(sys.executable)} {shlex.quote(str(source))}\n")
    program.chmod(0o755)
    return program


def test_large_download_shows_how_much_has_arrived(tmp_path: Path) -> None:
    progress = PipProgress(total=3)
    assert progress.described(tmp_path, tmp_path) == "asking the package registry"
    for line in OUTPUT.splitlines():
        progress.feed(line)
    assert progress.described(tmp_path, tmp_path) == "downloading 2 of 2: faiss-cpu (18.8 MB)"
    (tmp_path / "pip-unpack-1").mkdir()
    with (tmp_path / "pip-unpack-1" / progress.wheel).open("wb") as wheel:
        wheel.truncate(7_000_000)
    assert progress.described(tmp_path, tmp_path) == "downloading 2 of 2: faiss-cpu (7 of 18.8 MB)"


@pytest.mark.parametrize(
    "line",
    [
        "Collecting faiss_cpu==1.15.1 (from -r run.txt (line 1))",
        "Requirement already satisfied: faiss_cpu==1.15.1 in ./lib",
        "Processing /srv/wheels/faiss_cpu-1.15.1-cp310-abi3-manylinux_2_28_x86_64.whl (from -r run.txt (line 1))",
    ],
)
def test_package_counts_whether_downloaded_or_cached(line: str, tmp_path: Path) -> None:
    progress = PipProgress(total=1)
    progress.feed(line)
    assert progress.described(tmp_path, tmp_path) == "downloading 1 of 1: faiss_cpu"


def test_installed_packages_are_counted_in_the_folder(tmp_path: Path) -> None:
    progress = PipProgress(total=2)
    progress.feed("Installing collected packages: click, faiss-cpu")
    assert progress.described(tmp_path, tmp_path) == "installing 1 of 2: click"
    for name in ("click-8.5.1", "faiss_cpu-1.15.1"):
        (tmp_path / f"{name}.dist-info").mkdir()
    (tmp_path / "click-8.5.1.dist-info" / "RECORD").touch()
    assert progress.described(tmp_path, tmp_path) == "installing 2 of 2: faiss-cpu"
    (tmp_path / "faiss_cpu-1.15.1.dist-info" / "RECORD").touch()
    assert progress.described(tmp_path, tmp_path) == "finishing"


def test_failure_shows_pips_message_without_noise(
    tmp_path: Path, site_packages: Path, packages: PackageSet, capsys: pytest.CaptureFixture[str]
) -> None:
    python = fake_pip(tmp_path, f"sys.stdout.write({OUTPUT!r}); sys.stderr.write({FAILURE!r}); sys.exit(1)")
    with pytest.raises(SetupError) as caught:
        installer.install(python, site_packages, packages)
    assert str(caught.value).splitlines() == [
        "The package registry can't be reached. pip says:",
        "WARNING: Retrying (Retry(total=3)) after connection broken by 'ProxyError'",
        "ERROR: Could not find a version that satisfies the requirement click==8.5.1 (from versions: none)",
        "ERROR: No matching distribution found for click==8.5.1",
    ]
    assert "for running: 20 MB to download, 70 MB on disk" in capsys.readouterr().out
    assert not (tmp_path / ".venv" / ".downloads").exists()


def test_half_installed_package_is_installed_again(tmp_path: Path, site_packages: Path, packages: PackageSet) -> None:
    whole, half = site_packages / "click-8.5.1.dist-info", site_packages / "faiss_cpu-1.15.1.dist-info"
    for folder in (whole, half):
        folder.mkdir()
        (folder / "METADATA").touch()
    (whole / "RECORD").touch()
    installer.install(fake_pip(tmp_path, ""), site_packages, packages)
    assert whole.exists()
    assert not half.exists()


def test_log_gets_a_line_every_few_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    stream, now = io.StringIO(), 1000.0
    monkeypatch.setattr("scripts.environment.terminal.time.monotonic", lambda: now)
    monkeypatch.setattr(ProgressLine, "_last", now)
    line = ProgressLine(stream)
    for _ in range(24):
        now += 0.5
        line.show("fetching")
    line.finish()
    assert stream.getvalue() == "  fetching, 5 s\n  fetching, 10 s\n"


def test_terminal_gets_one_line_that_is_cleared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = io.StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: True)
    line = ProgressLine(stream)
    line.show("fetching")
    line.finish("Fetched.")
    assert stream.getvalue() == "\r\x1b[2K  fetching, 0 s\r\x1b[2KFetched.\n"


def test_output_and_exit_code_are_passed_on() -> None:
    done = run_with_progress(["sh", "-c", "echo out; echo err >&2; exit 3"], "working")
    assert (done.returncode, done.stdout, done.stderr) == (3, "out\n", "err\n")


def test_program_is_stopped_after_a_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    stopped: list[subprocess.Popen[bytes]] = []

    def stop_and_note(process: subprocess.Popen[bytes]) -> None:
        stop(process)
        stopped.append(process)

    monkeypatch.setattr(terminal, "stop", stop_and_note)
    with pytest.raises(subprocess.TimeoutExpired):
        run_with_progress(["sleep", "60"], "working", timeout_s=0.1)
    assert [process.poll() for process in stopped] == [-signal.SIGTERM]
