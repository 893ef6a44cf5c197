"""The words by which images are found, on both databases: kept in step with every change, and seen by those who may."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, event, select

from bot.domain.catalogue import ImageRecord, Origin, OriginScope, OriginSource, SlackOrigin
from bot.domain.channels import ChannelKind, VisibleOrigins
from bot.domain.find_words import Term, index_tokens, terms_of
from bot.domain.identifiers import DatabaseKey, DatabaseName, DataId, EntityId, Note, WorkspaceId
from bot.domain.typing_errors import is_typing_error
from bot.storage.sql.schema.tables import origin_words
from bot.storage.sql_storage import SqlStorage
from tests.fakes.texts import text_of

TEAM = WorkspaceId("T1")
PARTS, BRAND = (DatabaseKey(TEAM, DatabaseName(name)) for name in ("parts", "brand"))
NOW = datetime(2026, 1, 2, tzinfo=UTC)
PLATE = "Pump 12.345-B0 Überdruck 水泵型号"


@pytest.fixture
async def storage(storage: SqlStorage) -> SqlStorage:
    for key in (PARTS, BRAND):
        await storage.catalogue.create_database(key)
    return storage


def said(note: str = "", name: str = "", channel: str = "", entity: str | None = None, second: int = 0) -> Origin:
    """Return an origin with what was said there: in a private channel, or on the command line."""
    return Origin(
        OriginSource.MESSAGE if channel else OriginSource.COMMAND_LINE,
        NOW + timedelta(seconds=second),
        "U1",
        Note(note),
        name,
        SlackOrigin(f"F{channel}{second}", channel, "1.0", kind=ChannelKind.PRIVATE) if channel else None,
        None if entity is None else EntityId(entity),
    )


async def added(
    storage: SqlStorage, number: int, *origins: Origin, entity: str = "", key: DatabaseKey = PARTS
) -> ImageRecord:
    record = ImageRecord(
        database=key,
        data_id=DataId(f"{number}"),
        entity=EntityId(entity or f"part {number}"),
        digest=f"{number:064d}",
        source_digest="0" * 64,
        fingerprint=b"",
        width=1,
        height=1,
        origins=origins or (said(second=number),),
    )
    await storage.catalogue.add(record)
    return record


async def find(
    storage: SqlStorage, words: str, visible: VisibleOrigins | None = None, key: DatabaseKey = PARTS, limit: int = 10
) -> list[str]:
    return list(await storage.words.find(key, terms_of(words), visible, limit, words))


async def words_left(storage: SqlStorage) -> set[str]:
    def work(connection: Connection) -> set[str]:
        return set(connection.execute(select(origin_words.c.word)).scalars())

    return await storage._database.read(work)


async def test_words_are_found_as_typed_by_their_beginning_and_with_errors(storage: SqlStorage) -> None:
    note = "Kugelhahn DN25, Messing rot 图书馆 กล้องถ่ายรูป हिन्दी Łódź Straße"
    await added(storage, 1, said(note, "IMG_1234.jpg"), entity="VLV-0042/A")
    await added(storage, 2, said("gasket black", "pump.png"), entity="GSK-0043/B")
    questions = ["kugelhahn", "KUGELHÄHN", "kugel", "hahn", "kugelhanh", "kuglehan", "jugelhahn", "DN25", "messing rot"]
    questions += ["vlv-0042", "vlv0042a", "0042/A", "VLV", "IMG_12", "lodz", "Łódź", "straße", "STRASSE"]
    questions += ["图书", "书馆", "图", "กล้อง", "हिन्दी"]
    assert {words: await find(storage, words) for words in questions} == {words: ["1"] for words in questions}
    assert await find(storage, "kugelhahn", key=BRAND) == []


async def test_very_word_stays_if_too_many_begin_with_it(storage: SqlStorage) -> None:
    """Similar words count only if nobody has the word."""
    for number, note in enumerate(("red valve", "valves", "value", "valves")):
        await added(storage, number, said(note, second=number))
    assert await find(storage, "valve") == ["3", "1", "0"]
    assert await find(storage, "valve", limit=1) == ["0"]
    assert await find(storage, "valvf") == ["0"]


async def test_id_stays_if_too_many_newer_images_have_the_word(storage: SqlStorage) -> None:
    await added(storage, 1, entity="VALVE")
    for number in (2, 3, 4):
        await added(storage, number, said("valve", second=number))
    assert "1" in await find(storage, "valve", limit=3)


@pytest.mark.parametrize("words", ["valve\0", "valve\ud800", "valve " * 40])
async def test_question_that_can_not_be_an_id_is_searched_for_its_words(storage: SqlStorage, words: str) -> None:
    for number in (1, 2):
        await added(storage, number, said("valve", second=number))
    assert await find(storage, words, limit=1) == ["2"]


async def test_image_with_some_of_the_words_is_found_if_none_has_all(storage: SqlStorage) -> None:
    await added(storage, 1, said("red pump"))
    await added(storage, 2, said("red valve"))
    assert await find(storage, "red pump") == ["1"]
    assert (await find(storage, "red pump ceramic"))[0] == "1"


async def test_words_in_pictures_are_found(storage: SqlStorage) -> None:
    for number, line in ((1, PLATE), (2, "valve 99")):
        await added(storage, number)
        claim = await storage.texts.claim()
        assert claim is not None
        await storage.texts.finish(claim, text_of(line))
    # As typed, as misread, without accents, in part, in Chinese, and mistyped.
    questions = ["pump", "PUMP", "12.345-BO", "12345bo", "uberdr", "druck", "水泵", "型号", "泵", "pmup", "übberdruck"]
    questions += [f"{words} part" for words in questions]
    assert {words: await find(storage, words) for words in questions} == {words: ["1"] for words in questions}


async def test_lines_that_were_read_badly_are_not_found(storage: SqlStorage) -> None:
    await added(storage, 1)
    claim = await storage.texts.claim()
    assert claim is not None
    await storage.texts.finish(claim, text_of("pump", confidence=0.2))
    assert await find(storage, "pump") == []


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


@pytest.mark.parametrize("newest", [1, 2000])
async def test_frequent_words_are_found(storage: SqlStorage, monkeypatch: pytest.MonkeyPatch, newest: int) -> None:
    monkeypatch.setattr("bot.storage.catalogue.texts.image_words.RARE", 2)
    monkeypatch.setattr("bot.storage.catalogue.texts.image_words.NEWEST", newest)
    for number in range(5):
        await added(storage, number, said("valve red" if number % 2 else "valve", second=number))
    assert await find(storage, "valve red", limit=2) == ["3", "1"]


async def test_rename_and_note_change_what_is_found(storage: SqlStorage) -> None:
    record = await added(storage, 1, said("old note"), entity="before")
    await storage.catalogue.rename([record], EntityId("after"))
    renamed = (await storage.catalogue.records(PARTS, [record.data_id]))[record.data_id]
    await storage.catalogue.set_note([renamed], Note("new remark"))
    assert [await find(storage, words) for words in ("before", "old", "after", "remark")] == [[], [], ["1"], ["1"]]


async def test_further_origin_brings_its_words_and_takes_them_along(storage: SqlStorage) -> None:
    record = await added(storage, 1, said("first", second=1), entity="one")
    later = said("second", "later.png", "C2", "two", 2)
    await storage.catalogue.add_origin(PARTS, record.digest, later)
    assert await find(storage, "second") == ["1"]
    await storage.catalogue.remove_origins(PARTS, record.data_id, OriginScope(TEAM, channel="C2"))
    assert [await find(storage, words) for words in ("second", "later", "two", "first")] == [[], [], [], ["1"]]


async def test_nothing_deleted_stays_in_the_index(storage: SqlStorage) -> None:
    first, second = await added(storage, 1, said("alpha")), await added(storage, 2, said("bravo"))
    await added(storage, 3, said("charlie"), key=BRAND)
    await storage.catalogue.remove(PARTS, first.entity)
    await storage.catalogue.remove_origins(PARTS, second.data_id, OriginScope(TEAM, before=NOW + timedelta(days=1)))
    await storage.catalogue.delete_database(BRAND)
    assert await words_left(storage) == set()


async def test_forgotten_workspace_leaves_no_words(storage: SqlStorage) -> None:
    origin = said("whispered", "secret.png", "C2", "X-1")
    imported = Origin(OriginSource.IMPORT, NOW, "U1", origin.note, origin.source_name, origin.slack, origin.entity)
    await added(storage, 1, imported, entity="X-1")
    assert await find(storage, "whispered") == ["1"]
    assert await storage.catalogue.forget_slack(PARTS, 10) == 1
    assert [await find(storage, words) for words in ("whispered", "secret")] == [[], []]


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


@pytest.mark.parametrize(("rare", "newest"), [(1500, 2000), (4, 10)])
async def test_results_are_those_of_a_search_through_all_words(
    storage: SqlStorage, monkeypatch: pytest.MonkeyPatch, rare: int, newest: int
) -> None:
    monkeypatch.setattr("bot.storage.catalogue.texts.image_words.RARE", rare)
    monkeypatch.setattr("bot.storage.catalogue.texts.image_words.NEWEST", newest)
    rng = random.Random(rare)
    notes = [" ".join(rng.choices(WORDS, k=rng.randint(1, 4))) for _ in range(60)]
    origins = [
        [said(note, "", rng.choice(["C1", "C2", ""]), f"id {number}-{rng.randrange(9)}", number)]
        for number, note in enumerate(notes)
    ]
    for number, own in enumerate(origins):
        if rng.random() < 0.3:
            own.append(said(rng.choice(notes), "", rng.choice(["C1", "C2"]), f"id {number}-X", 100 + number))
        await added(storage, number, *own, entity=str(own[0].entity))
    for visible in (VisibleOrigins(frozenset({"C1"}), without_channel=True), VisibleOrigins(frozenset({"C2"})), None):
        for _ in range(40):
            typed = rng.choice([*WORDS, f"id {rng.randrange(60)}-{rng.randrange(9)}"])
            words = " ".join([mistyped(rng, typed), *rng.sample(WORDS, rng.randrange(3))])
            expected = expected_images(terms_of(words), origins, visible)
            found = await find(storage, words, visible, limit=100)
            assert set(found) == expected, (words, visible)


WORDS = ["valve", "valves", "Kugelhahn", "hahn", "DN25", "水泵型号", "阀门", "насос", "Überdruck", "pump", "vlv-12"]


def mistyped(rng: random.Random, word: str) -> str:
    """Return a word as it is, its beginning, or with a letter too few."""
    place = rng.randrange(1, max(2, len(word)))
    return rng.choice([word, word[:place], word[:place] + word[place + 1 :]])


def expected_images(
    question: Sequence[Term], origins: Sequence[Sequence[Origin]], visible: VisibleOrigins | None
) -> set[str]:
    """Return what a search through the words of all images would find, in the steps of the port's description."""
    seen = [
        [
            index_tokens(str(one.entity), one.source_name, str(one.note))
            for one in own
            if visible is None or (one.slack.channel in visible.channels if one.slack else visible.without_channel)
        ]
        for own in origins
    ]

    def having(accepts: Callable[[str], bool]) -> set[str]:
        return {str(number) for number, own in enumerate(seen) if any(map(accepts, frozenset().union(*own)))}

    def begins(term: Term) -> Callable[[str], bool]:
        return lambda word: word.startswith(term.token) if term.may_continue else word == term.token

    def is_close(term: Term, word: str) -> bool:
        has_digit = word.startswith("#")
        return term.may_be_mistyped and not has_digit and is_typing_error(term.token, word)

    def close(term: Term) -> Callable[[str], bool]:
        return lambda word: is_close(term, word) and word[0] in term.token[:2]

    def distant(term: Term) -> Callable[[str], bool]:
        return lambda word: is_close(term, word) or (len(term.letters) >= 3 and term.letters in word)

    sets = [having(begins(term)) for term in question]
    for wider in (close, distant):
        if not set.intersection(*sets):
            sets = [own or having(wider(term)) for own, term in zip(sets, question, strict=True)]
    return set.intersection(*sets) or set.union(*sets)
