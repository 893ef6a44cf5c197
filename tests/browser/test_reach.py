"""Who can reach the stand-in: only this machine, if the system supports isolation, and never other sites' pages."""

from __future__ import annotations

import socket
from pathlib import Path

import aiohttp
import pytest

from examples.demo import stand_in_process
from examples.demo.download import ensure_stand_in
from examples.demo.isolation import own_network
from examples.demo.workspace import LOOKUP, YOU

LISTENING = "0A"


def listened_on(port: int) -> set[str]:
    """Return the local addresses, in hexadecimal, on which somebody listens on this port."""
    rows = [line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]]
    places = [row[1].split(":") for row in rows if row[3] == LISTENING]
    return {address for address, at in places if int(at, 16) == port}


async def test_isolated_stand_in_is_reachable_by_loopback_only(tmp_path: Path) -> None:
    network = own_network()
    if network is None:
        pytest.skip("this system gives it none")
    async with stand_in_process.running(
        ensure_stand_in(), tmp_path, tmp_path / "files", port=0, network=network
    ) as stand_in:
        await stand_in.say(LOOKUP, YOU, "hello")
        port = int(stand_in.address.rpartition(":")[2])
        assert listened_on(port) == {f"{int.from_bytes(socket.inet_aton('127.0.0.1'), 'little'):08X}"}


async def test_works_without_network_isolation(tmp_path: Path) -> None:
    async with stand_in_process.running(
        ensure_stand_in(), tmp_path, tmp_path / "files", port=0, network=None
    ) as stand_in:
        await stand_in.say(LOOKUP, YOU, "hello")
        assert [message["text"] for message in await stand_in.messages(LOOKUP)] == ["hello"]


async def test_other_sites_pages_are_refused(tmp_path: Path) -> None:
    async with (
        stand_in_process.running(ensure_stand_in(), tmp_path, tmp_path / "files", port=0, network=None) as stand_in,
        aiohttp.ClientSession() as session,
    ):
        for headers in ({"Origin": "https://elsewhere.example"}, {"Host": "rebound.example"}):
            async with session.get(f"{stand_in.address}/_control/state", headers=headers) as response:
                assert response.status == 403


async def test_uses_the_next_port_when_one_is_taken() -> None:
    with stand_in_process.listening(0) as first:
        port = first.getsockname()[1]
        with stand_in_process.listening(port) as second:
            assert second.getsockname()[1] > port
