"""Images are found by the words of ids, notes, file names and pictures."""

from __future__ import annotations

import pytest

from bot.storage.sql_storage import SqlStorage
from tests.fakes.texts import text_of
from tests.unit.storage.texts.images import BRAND, added, find, said

PLATE = "Pump 12.345-B0 Überdruck 水泵型号"


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


@pytest.mark.parametrize("newest", [1, 2000])
async def test_frequent_words_are_found(storage: SqlStorage, monkeypatch: pytest.MonkeyPatch, newest: int) -> None:
    monkeypatch.setattr("bot.storage.catalogue.texts.image_words.RARE", 2)
    monkeypatch.setattr("bot.storage.catalogue.texts.image_words.NEWEST", newest)
    for number in range(5):
        await added(storage, number, said("valve red" if number % 2 else "valve", second=number))
    assert await find(storage, "valve red", limit=2) == ["3", "1"]


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
