"""The demo's downloads: packages, pins and error messages."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from examples.demo.download import LOCK, Package, manifests, package_for, reason, with_npm
from examples.demo.errors import DemoError
from tests.browser import chromium


@pytest.fixture
def lock() -> dict[str, Any]:
    read: dict[str, Any] = json.loads(LOCK.read_text(encoding="utf-8"))
    return read


@pytest.mark.parametrize(
    ("system", "machine", "name"),
    [
        ("linux", "x86_64", "local-slack-linux-x64"),
        ("linux", "aarch64", "local-slack-linux-arm64"),
        ("darwin", "arm64", "local-slack-darwin-arm64"),
        ("darwin", "x86_64", "local-slack-darwin-x64"),
        ("win32", "AMD64", "local-slack-windows-x64"),
    ],
)
def test_five_platforms_have_a_stand_in(lock: dict[str, Any], system: str, machine: str, name: str) -> None:
    package = package_for(system, machine, lock)
    assert package.name == name
    assert package.version == "0.1.8"


def test_unsupported_platform_error_says_what_works(lock: dict[str, Any]) -> None:
    with pytest.raises(DemoError, match=r"does not run on linux riscv64\. Put your own Slack tokens"):
        package_for("linux", "riscv64", lock)


def test_npm_gets_the_pinned_hash_and_no_address(lock: dict[str, Any]) -> None:
    package = package_for("linux", "x86_64", lock)
    assert package.integrity.startswith("sha512-")
    written = json.dumps(manifests(package))
    assert package.integrity in written
    assert "http" not in written
    assert "resolved" not in LOCK.read_text(encoding="utf-8")


def test_package_without_a_hash_is_pinned_by_version() -> None:
    entry = manifests(Package("one", "1.2.3"))["package-lock.json"]["packages"]["node_modules/one"]
    assert entry == {"version": "1.2.3"}


def test_npm_and_playwright_store_files_with_ours_if_there_is_no_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("npm_config_cache", "PLAYWRIGHT_BROWSERS_PATH"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    chromium.set_browser_folder()
    assert "npm_config_cache" not in with_npm(tmp_path)
    assert "PLAYWRIGHT_BROWSERS_PATH" not in os.environ
    monkeypatch.setenv("HOME", "/no/such/home")
    chromium.set_browser_folder()
    assert with_npm(tmp_path)["npm_config_cache"] == str(tmp_path / "npm-cache")
    assert os.environ["PLAYWRIGHT_BROWSERS_PATH"].endswith("build/browsers")


@pytest.mark.parametrize(
    ("output", "told"),
    [
        ("npm error code ENOTFOUND\nnpm error syscall getaddrinfo", "the package registry can't be reached."),
        ("npm error code EINTEGRITY\nnpm error sha512 …", "the download does not match the hash in"),
        ("npm error code E404\nnpm error 404 Not Found - GET https://r/x\n", "404 Not Found - GET"),
        ("ERROR: Could not find a version", "Could not find a version"),
        ("", "no reason given."),
    ],
)
def test_npm_errors_become_a_sentence(output: str, told: str) -> None:
    assert reason(output).startswith(told)
