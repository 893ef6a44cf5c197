"""A second demo says where the first one is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from examples.demo.errors import DemoError
from examples.demo.main import _single_instance


def test_running_demo_is_named_with_its_address(tmp_path: Path) -> None:
    directory = tmp_path / "demo"
    with _single_instance(directory) as lock:
        with pytest.raises(DemoError, match="still starting"), _single_instance(directory):
            pass
        lock.publish("http://127.0.0.1:8010")
        where = rf"Open http://127.0.0.1:8010\n.*kill {os.getpid()}$"
        with pytest.raises(DemoError, match=where), _single_instance(directory):
            pass
    with _single_instance(directory):
        assert (tmp_path / "demo.lock").read_text() == ""
