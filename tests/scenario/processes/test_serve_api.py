"""``vsearch serve-api`` as a process: it serves, keeps its data, and stops."""

from __future__ import annotations

import re
import signal
import socket
import time
from pathlib import Path

import httpx
import pytest

from tests.fakes.web import response, web_server
from tests.fixtures.api_server import ADD, CREATE, DATABASES, KEY, SEARCH, Json
from tests.fixtures.pictures import encoded, photo
from tests.scenario.support.program import free_port, program


async def call(url: str, path: str, **fields: str) -> Json:
    async with httpx.AsyncClient(trust_env=False, timeout=20) as client:
        answer = await client.post(url + path, params={"appKey": KEY}, data={"ds_id": "any", **fields})
    body: Json = answer.json()["showapi_res_body"]
    assert body["ret_code"] == 0, body
    return body


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
async def test_serves_until_stopped_and_keeps_its_data(tmp_path: Path, how: signal.Signals) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    settings = {"VSEARCH_DATA_DIR": str(tmp_path / "data"), "VSEARCH_API_KEYS": f"some-other-key-of-16, {KEY}"}
    async with web_server() as web:
        web.answers["/valve.png"] = response(encoded(photo(320, 240), "PNG"))
        settings["VSEARCH_TRUSTED_HOSTS"] = f"127.0.0.1:{web.port}"
        asked = {"DbName": "parts", "ImageUrl": web.url("/valve.png")}
        async with program(settings, "serve-api", "--port", str(port)) as first:
            await first.wait_until_listening(url)
            await call(url, CREATE, Name="parts")
            added = await call(url, ADD, **asked, EntityId="valve_0042", ExtraData="12 bar")
            started = time.monotonic()
            assert await first.end(how) == 0
            assert time.monotonic() - started < 5
        assert f"listening on {url}" in first.errors
        assert not re.search("WARNING|ERROR|Traceback", first.errors), first.errors
        assert KEY not in first.errors
        async with program({**settings, "HOST": "127.0.0.1", "PORT": str(port)}, "serve-api") as second:
            await second.wait_until_listening(url)
            assert (await call(url, DATABASES))["Data"] == {"DbList": [{"Name": "parts"}]}
            [match] = (await call(url, SEARCH, **asked, Limit="10"))["Data"]["MatchList"]
            assert await second.end() == 0
    assert match == {
        "DataId": added["Data"]["DataId"],
        "EntityId": "valve_0042",
        "ExtraData": "12 bar",
        "ImageUrl": asked["ImageUrl"],
        "Score": 10.0,
    }


async def test_does_not_start_without_keys(tmp_path: Path) -> None:
    async with program({"VSEARCH_DATA_DIR": str(tmp_path / "data")}, "serve-api") as server:
        assert await server.end(None) == 3
    (line,) = server.errors.splitlines()
    assert line.startswith("Error: Set VSEARCH_API_KEYS to the keys for your callers: 16 characters or more")
    assert not (tmp_path / "data").exists()


async def test_taken_port_is_one_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = {"VSEARCH_DATA_DIR": str(tmp_path / "data"), "VSEARCH_API_KEYS": KEY}
        async with program(settings, "serve-api", "--host", "127.0.0.1", "--port", str(port)) as server:
            assert await server.end(None) == 6
    (line,) = server.errors.splitlines()
    assert line.startswith(f"Error: Port {port} on 127.0.0.1 is in use")
