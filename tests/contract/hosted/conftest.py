"""Fixtures for the hosted service: a working fake that can misbehave, and Prism, which validates requests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from bot.adapters.showapi.http.client import ShowApiClient
from tests.contract.hosted.clients import open_client
from tests.fakes.hosted import HostedService
from tests.fakes.hosted.forms import OPENAPI
from tests.fakes.web import WebServer, response, web_server
from tests.fixtures.pictures import encoded, photo
from tests.prism.process import prism
from tests.prism.validation_proxy import ValidatingProxy, validating_proxy


@pytest.fixture(scope="session")
def prism_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of one Prism process for all tests, because it takes seconds to start."""
    with prism(OPENAPI, tmp_path_factory.mktemp("prism") / "log.txt") as url:
        yield url


@pytest.fixture
async def proxy(prism_url: str) -> AsyncIterator[ValidatingProxy]:
    async with validating_proxy(prism_url) as it:
        yield it


@pytest.fixture
async def service() -> AsyncIterator[HostedService]:
    async with HostedService() as it:
        yield it


@pytest.fixture
async def show_api(service: HostedService) -> AsyncIterator[ShowApiClient]:
    async with open_client(service) as it:
        yield it


@pytest.fixture
async def web() -> AsyncIterator[WebServer]:
    """A web server with pictures at ``/0`` to ``/4``."""
    async with web_server() as it:
        for seed in range(5):
            it.answers[f"/{seed}"] = response(encoded(photo(200, 160, seed), "JPEG"), "Content-Type: image/jpeg")
        yield it
