"""The API server against the hosted service's OpenAPI file: generated calls over real HTTP.

Left out are the checks that ask for another status than 200 (negative_data_rejection, missing_required_header,
ignored_auth and the like): the file documents nothing else, and says what is wrong inside the envelope.
tests/unit/api has tests of these.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import CheckContext, load_all_checks, not_a_server_error
from schemathesis.config import GenerationConfig, ProjectConfig, ProjectsConfig, SchemathesisConfig
from schemathesis.core.transport import Response
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from tests.fixtures.api_server import KEY, ApiServer, api_server

load_all_checks()

FILE = Path(__file__).parent / "hosted" / "visual-search.openapi.json"
PATHS = {f"/2475-{number}" for number in range(1, 8)}


def complete_envelope(_ctx: CheckContext, response: Response, _case: Case[Any]) -> bool | None:
    """Check the envelope's fields. The OpenAPI file requires none of them, but clients read them."""
    if response.status_code != 200:
        return True
    envelope = response.json()
    assert isinstance(envelope["showapi_res_code"], int)
    assert envelope["showapi_res_id"]
    body = envelope["showapi_res_body"]
    if envelope["showapi_res_code"]:
        assert body == {}
        assert envelope["showapi_res_error"].endswith(".")
    else:
        assert body["RequestId"]
        assert ("Code" in body) == (body["ret_code"] != 0)
    return None


CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    unsupported_method,
    complete_envelope,
]


def schema_with(*modes: GenerationMode) -> Any:
    generation = GenerationConfig(modes=list(modes), max_examples=50, deterministic=True, database="none")
    projects = ProjectsConfig(default=ProjectConfig(generation=generation))
    return schemathesis.openapi.from_path(FILE, config=SchemathesisConfig(projects=projects))


anything = schema_with(GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
sensible = schema_with(GenerationMode.POSITIVE)

bounded = settings(max_examples=50, deadline=None, database=None, suppress_health_check=list(HealthCheck))


class ServerThread:
    """Runs the server, with one database and one image, in its own thread and loop, because these tests block."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ready, self._over = threading.Event(), asyncio.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self.api: ApiServer | None = None
        self.picture = ""

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(20)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(20)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        async with api_server(self._folder) as self.api:
            await self.api.call("/2475-1", Name="parts")
            self.picture = self.api.picture("valve.png")
            await self.api.add(self.picture)
            self._ready.set()
            await self._over.wait()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerThread]:
    with ServerThread(tmp_path_factory.mktemp("api")) as running:
        yield running


def ask(server: ServerThread, case: Case[Any]) -> Response:
    assert server.api
    case.query = {**(case.query or {}), "appKey": KEY}
    return case.call_and_validate(base_url=server.api.url, checks=CHECKS, timeout=10)


def test_openapi_file_has_the_seven_served_paths() -> None:
    assert set(anything) == PATHS


@anything.parametrize()  # type: ignore[untyped-decorator]
@bounded
def test_every_response_conforms_to_the_openapi_file(server: ServerThread, case: Case[Any]) -> None:
    ask(server, case)


@sensible.include(path_regex="-[2-57]$").parametrize()  # type: ignore[untyped-decorator]
@bounded
def test_valid_calls_succeed_and_conform_to_the_openapi_file(server: ServerThread, case: Case[Any]) -> None:
    known = {
        "ds_id": "any",
        "DbName": "parts",
        "EntityId": "pump",
        "ImageUrl": server.picture,
        "Limit": "5",
        "ExtraData": "12 bar",
        "Offset": "0",
        "Order": "asc",
        "EntityIdPrefix": "",
    }
    # The OpenAPI file doesn't require a body.
    generated = case.body if isinstance(case.body, dict) else {}
    case.body = {**generated, **known, "Token": ""}
    body = ask(server, case).json()["showapi_res_body"]
    assert body["ret_code"] == 0, body
