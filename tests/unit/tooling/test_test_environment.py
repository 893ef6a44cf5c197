"""What the tests' own environment excludes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
OVER_LOOPBACK = "tests/scenario/fake_slack/test_strictness.py::test_tokens_are_checked"
"""A test that calls Slack's SDK, which ignores ``no_proxy``."""


def test_requests_of_tests_use_no_proxy(tmp_path: Path) -> None:
    dead = dict.fromkeys(("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy"), "http://127.0.0.1:9")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"--basetemp={tmp_path}/inner", OVER_LOOPBACK]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **dead}, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout
