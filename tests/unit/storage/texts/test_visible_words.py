"""A word counts only where the reader may see it, and nothing tells that others have it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, event

from bot.domain.channels import VisibleOrigins
from bot.storage.sql_storage import SqlStorage
from tests.fakes.texts import text_of
from tests.unit.storage.texts.images import added, find, said


async def test_word_counts_only_where_the_reader_may_read_it(storage: SqlStorage) -> None:
    open_one, secret = said("harmless", "open.png", "C1", "open"), said("merger", "plan.png", "C2", "secret", 1)
    await added(storage, 1, open_one, secret, entity="open")
    await added(storage, 2, said("merger", "plan.png", "C2", "secret", 2), entity="secret")
    claim = await storage.texts.claim()
    assert claim is not None
    await storage.texts.finish(claim, text_of("nameplate"))
    outsider, insider = VisibleOrigins(frozenset({"C1"})), VisibleOrigins(frozenset({"C1", "C2"}))
    for words in ("merger", "plan", "secret", "merge", "megrer", "harmless merger ceramic"):
        assert "2" not in await find(storage, words, outsider)
    assert await find(storage, "merger", outsider) == []
    assert await find(storage, "harmless", outsider) == ["1"]
    assert await find(storage, "nameplate harmless", outsider) == ["1"]
    assert await find(storage, "merger", insider) == ["2", "1"]
    assert await find(storage, "nameplate", VisibleOrigins(frozenset())) == []


async def test_hidden_images_leave_room_for_visible_ones(storage: SqlStorage) -> None:
    for number in range(6):
        await added(storage, number, said("valve", "", "C1" if number < 2 else "C2", second=number))
    assert await find(storage, "valve", VisibleOrigins(frozenset({"C1"})), limit=2) == ["1", "0"]


async def test_hidden_word_takes_the_steps_of_a_word_that_nobody_has(storage: SqlStorage) -> None:
    """Not even the time of an answer says whether a word is in images that its reader may not see."""
    await added(storage, 0, said("zebra", "open.png", "C1"), entity="open")
    for number in range(1, 20):
        await added(storage, number, said("merger mergers", "plan.png", "C2", "X-77/B", number), entity="X-77/B")
    outsider = VisibleOrigins(frozenset({"C1", "C9"}), without_channel=True, user="U2")
    await find(storage, "first", outsider)
    pairs = [("merger", "mergep"), ("zebra merger", "zebra mergep"), ("mergerx", "mergepx"), ("X-77/B", "X-78/B")]
    for hidden, unknown in pairs:
        found, steps = [], []
        for words in (hidden, unknown):
            with statements(storage) as ran:
                found.append(await find(storage, words, outsider))
            steps.append(ran)
        assert found[0] == found[1]
        assert steps[0] == steps[1]
        assert any("origin_words" in statement for statement, _ in steps[0])


@contextmanager
def statements(storage: SqlStorage) -> Iterator[list[tuple[str, int]]]:
    """Collect the statements that run, each with the steps of SQLite's virtual machine until its first row."""
    ran: list[tuple[str, int]] = []
    steps = 0

    def step() -> int:
        nonlocal steps
        steps += 1
        return 0

    def before(connection: Connection, *_: object) -> None:
        nonlocal steps
        steps = 0
        if connection.dialect.name == "sqlite":
            driver = connection.connection.driver_connection
            assert driver is not None
            driver.set_progress_handler(step, 1)

    def after(_connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        ran.append((statement, steps))

    engine = storage._database._engine
    event.listen(engine, "before_cursor_execute", before)
    event.listen(engine, "after_cursor_execute", after)
    try:
        yield ran
    finally:
        event.remove(engine, "before_cursor_execute", before)
        event.remove(engine, "after_cursor_execute", after)
