"""An inbox in memory, and a handler of jobs."""

from __future__ import annotations

import pytest

from tests.fakes.inbox import MemoryInbox
from tests.fakes.jobs import Handler


@pytest.fixture
def inbox() -> MemoryInbox:
    return MemoryInbox()


@pytest.fixture
def handler() -> Handler:
    return Handler()
