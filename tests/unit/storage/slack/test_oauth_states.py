"""OAuth states: signed, expiring, and used up by one installation. Issuing and checking them writes nothing."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from bot.storage.slack.oauth_states import SignedOAuthStates
from bot.storage.sql.schema.tables import oauth_states
from bot.storage.sql_storage import SqlStorage
from tests.fixtures.storages import StoragePlace

KEY = b"k" * 32


async def _stored(storage: SqlStorage) -> int:
    query = select(func.count()).select_from(oauth_states)
    return await storage._database.read(lambda connection: connection.execute(query).scalar_one())


async def test_state_is_valid_in_every_process_until_it_is_used_up(
    storage_place: StoragePlace, storage: SqlStorage
) -> None:
    other = await storage_place.open()
    try:
        states, others = await storage.oauth_states(), await other.oauth_states()
        first, second = await states.async_issue(), await states.async_issue()
        assert first != second
        assert [await one.async_consume(first) for one in (states, others)] == [True, True]
        assert await _stored(storage) == 0
        used = await asyncio.gather(*(one.use_up(first) for one in (states, others) * 5))
        assert sorted(used) == [False] * 9 + [True]
        assert [await one.async_consume(first) for one in (states, others)] == [False, False]
        assert await states.async_consume(second)
    finally:
        await other.close()


async def test_state_expires_and_is_then_forgotten(storage: SqlStorage) -> None:
    now = [datetime(2026, 1, 2, tzinfo=UTC)]
    states = SignedOAuthStates(storage._database, KEY, 600, lambda: now[0])
    young, old = await states.async_issue(), await states.async_issue()
    assert await states.use_up(young)
    now[0] += timedelta(seconds=599)
    assert await states.async_consume(old)
    now[0] += timedelta(seconds=1)
    assert not await states.async_consume(old)
    assert not await states.use_up(old)
    assert await _stored(storage) == 1
    assert await states.use_up(await states.async_issue())
    assert await _stored(storage) == 1


@pytest.mark.parametrize("how", ["another key", "cut", "longer", "padded", "another time", "not canonical", "other"])
async def test_forged_state_is_refused(storage: SqlStorage, how: str) -> None:
    states = SignedOAuthStates(storage._database, KEY)
    state = await states.async_issue()
    forged = {
        "another key": await SignedOAuthStates(storage._database, b"x" * 32).async_issue(),
        "cut": state[:-1],
        "longer": state + "A",
        "padded": state + "=",
        "another time": ("B" if state[5] != "B" else "C").join((state[:5], state[6:])),
        "not canonical": state[:-1] + chr(ord(state[-1]) + 1),
        "other": "é" * len(state),
    }
    assert not await states.async_consume(forged[how])
    assert not await states.use_up(forged[how])
    assert await _stored(storage) == 0
