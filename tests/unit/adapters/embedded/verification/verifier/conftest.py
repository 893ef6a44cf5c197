"""Fixtures of the verifier's tests."""

from __future__ import annotations

import pytest

from tests.unit.adapters.embedded.verification.verifier.harness import Harness


@pytest.fixture(scope="package")
def harness() -> Harness:
    """Return one harness for the package, since it keeps the features that it has extracted."""
    return Harness()
