"""The stand-in's Socket Mode with several connections: any may get any envelope, and each must be acknowledged."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import aiohttp
import pytest
from slack_sdk.web.async_client import AsyncWebClient

from tests.fakes.slack import FakeSlack, Json

Socket = aiohttp.ClientWebSocketResponse


class Listeners:
    """Connections that a test reads by hand."""

    def __init__(self, slack: FakeSlack, session: aiohttp.ClientSession) -> None:
        self._slack = slack
        self._session = session

    async def open(self) -> tuple[Socket, Json]:
        """Open another connection, and return it with its first message."""
        web = AsyncWebClient(base_url=self._slack.api_url)
        opened = await web.apps_connections_open(app_token=self._slack.state.app_token)
        socket = await self._session.ws_connect(opened["url"])
        return socket, await socket.receive_json()

    async def several(self, count: int) -> list[Socket]:
        """Open several connections, and read their greetings."""
        found = []
        for number in range(count):
            socket, hello = await self.open()
            assert (hello["type"], hello["num_connections"]) == ("hello", number + 1)
            await self._slack.socket_mode.connected(number + 1)
            found.append(socket)
        return found


@pytest.fixture
async def fake() -> AsyncIterator[FakeSlack]:
    async with FakeSlack() as slack:
        yield slack


@pytest.fixture
async def listeners(fake: FakeSlack) -> AsyncIterator[Listeners]:
    async with AsyncExitStack() as stack:
        yield Listeners(fake, await stack.enter_async_context(aiohttp.ClientSession()))


def event(text: str = "") -> Json:
    return {"type": "message", "text": text}


async def acknowledge(socket: Socket, envelope: Json) -> None:
    await socket.send_json({"envelope_id": envelope["envelope_id"]})


async def acknowledge_all(socket: Socket) -> None:
    while True:
        await acknowledge(socket, await socket.receive_json())


async def test_envelopes_are_distributed_among_connections(fake: FakeSlack, listeners: Listeners) -> None:
    sockets = await listeners.several(3)
    reading = [asyncio.create_task(acknowledge_all(socket)) for socket in sockets]
    await asyncio.gather(*(fake.event(event()) for _ in range(60)))
    assert set(fake.socket_mode.acknowledged) == {1, 2, 3}
    assert sum(fake.socket_mode.acknowledged.values()) == len(fake.state.acks) == 60
    for task in reading:
        task.cancel()
    assert fake.failures == []


async def test_unacknowledged_envelope_goes_to_another_connection_with_the_reason(
    fake: FakeSlack, listeners: Listeners
) -> None:
    fake.socket_mode.acknowledge_within_s = 0.05
    fake.tolerate_silence()
    first, second = await listeners.several(2)
    with fake.socket_mode.through(1):
        delivery = fake.event(event())
    late, envelope = await first.receive_json(), await second.receive_json()
    assert (late["retry_attempt"], envelope["retry_attempt"], envelope["retry_reason"]) == (0, 1, "timeout")
    assert envelope["payload"] == late["payload"]
    await acknowledge(second, envelope)
    await delivery
    # The connection that took too long gets no notice of that.
    await acknowledge(first, late)
    with fake.socket_mode.through(1):
        delivery = fake.event(event())
    await acknowledge(first, await first.receive_json())
    await delivery
    assert fake.failures == []


async def test_envelopes_of_a_lost_connection_go_to_another(fake: FakeSlack, listeners: Listeners) -> None:
    first, second = await listeners.several(2)
    with fake.socket_mode.through(1):
        delivery = fake.event(event())
    await first.receive_json()
    assert fake.socket_mode.unacknowledged == {1: 1}
    await first.close()
    envelope = await second.receive_json()
    assert (envelope["retry_attempt"], envelope["retry_reason"]) == (1, "connection_closed")
    await acknowledge(second, envelope)
    await delivery
    assert fake.socket_mode.numbers == [2]


async def test_repetition_goes_to_another_connection_while_the_first_still_has_it(
    fake: FakeSlack, listeners: Listeners
) -> None:
    sockets = await listeners.several(2)
    await fake.upload(b"picture", redeliveries=1)
    for socket in sockets:
        got = [await socket.receive_json()]
        while got[-1]["payload"]["event"]["type"] != "message":
            got.append(await socket.receive_json())


async def test_eleventh_connection_is_refused(fake: FakeSlack, listeners: Listeners) -> None:
    sockets = await listeners.several(10)
    refused, said = await listeners.open()
    assert (said["type"], said["reason"]) == ("disconnect", "too_many_websockets")
    assert (await refused.receive()).type is aiohttp.WSMsgType.CLOSE
    assert (fake.socket_mode.connections, fake.socket_mode.refused) == (10, 1)
    await sockets[0].close()
    await fake.wait_until(lambda: fake.socket_mode.connections == 9)
    assert (await listeners.open())[1]["type"] == "hello"


async def test_connection_is_warned_or_replaced_regularly(fake: FakeSlack, listeners: Listeners) -> None:
    fake.socket_mode.refresh_every = 1
    (socket,) = await listeners.several(1)
    reasons = set()
    for _ in range(12):
        delivery = fake.event(event())
        envelope, said = await socket.receive_json(), await socket.receive_json()
        assert said["type"] == "disconnect"
        reasons.add(said["reason"])
        await acknowledge(socket, envelope)
        await delivery
    assert reasons == {"warning", "refresh_requested"}
