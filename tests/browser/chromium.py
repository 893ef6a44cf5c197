"""Find or install the browser for these tests: ``python -m tests.browser.chromium`` installs one."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from pathlib import Path

from playwright.async_api import async_playwright

from scripts.environment.places import home_folder, output_folder
from scripts.environment.terminal import run_with_progress

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
APPLICATIONS = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
FLAGS = (
    "--no-sandbox",  # root and containers can't use the sandbox
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


async def program() -> str | None:
    """Return the path of a browser, or None if there is none."""
    found = next(filter(None, map(shutil.which, NAMES)), None) or next(filter(os.path.exists, APPLICATIONS), None)
    if found:
        return found
    set_browser_folder()
    async with async_playwright() as playwright:
        own = playwright.chromium.executable_path
    return own if os.path.exists(own) else None  # noqa: ASYNC240, PTH110 - once, before the tests


def install() -> None:
    """Install Debian's package if possible, otherwise Playwright's own browser."""
    if _is_debian() and shutil.which("apt-get") and os.geteuid() == 0:
        _run(["apt-get", "update", "--quiet"], "reading Debian's list of packages")
        packages = ["apt-get", "install", "--quiet", "--yes", "--no-install-recommends", "chromium"]
        # Without this font, the page's icons are empty boxes.
        if _run([*packages, "fonts-noto-color-emoji"], "installing Debian's Chromium"):
            return
    # Playwright's browser needs system packages, which only root may install.
    libraries = ["--with-deps"] if os.geteuid() == 0 and shutil.which("apt-get") else []
    _run([sys.executable, "-m", "playwright", "install", *libraries, "chromium"], "installing Playwright's Chromium")


def _run(command: list[str], doing: str) -> bool:
    """Run a program without input, and show its output if it fails. Return whether it succeeded."""
    done = run_with_progress(command, doing, environment={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})
    if done.returncode:
        sys.stderr.write(done.stdout + done.stderr)
    return done.returncode == 0


def set_browser_folder() -> None:
    """Let Playwright store its browsers with our generated files if there is no home folder."""
    if home_folder(os.environ) is None:
        os.environ.setdefault("PLAYWRIGHT_BROWSERS_PATH", str(output_folder() / "build" / "browsers"))


def _is_debian() -> bool:
    """Return whether this is Debian. Ubuntu's package of that name only leads to a store."""
    release = Path("/etc/os-release")
    return release.exists() and "ID=debian" in release.read_text(encoding="utf-8").splitlines()


def main() -> int:
    """Ensure that there is a browser."""
    if asyncio.run(program()) is None:
        sys.stderr.write("Installing a browser for the tests (up to 400 MB on disk) …\n")
        install()
    if asyncio.run(program()) is None:
        sys.stderr.write("The browser tests need Chromium, and it could not be installed. Install it, and try again.\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
