"""Sources of an import: folders and tables, and the ids that they give their files."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.errors import InvalidInput
from bot.domain.identifiers import EntityId
from bot.services.images.import_sources import (
    ImportSource,
    PictureFolder,
    PictureTable,
    printable,
    sources_at,
)
from bot.services.imports.spreadsheet_cells import defuse, restore
from tests.fixtures.entities import entities


def _essence(source: ImportSource) -> tuple[Path, str, str]:
    return source.path, source.entity_with("OWN"), source.note


_CELL = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)


@given(st.lists(st.tuples(st.from_regex(r"[a-z]{1,9}\.png", fullmatch=True), _CELL), max_size=5), st.booleans())
def test_csv_rows_round_trip(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]], header: bool
) -> None:
    text = io.StringIO()
    writer = csv.writer(text)
    if header or not rows:
        writer.writerow(("file", "entity", "note"))
    writer.writerows((file, "part", defuse(note)) for file, note in rows)
    path = tmp_path_factory.mktemp("table") / "table.csv"
    path.write_bytes(text.getvalue().encode())
    assert [(source.path, source.entity, source.note) for source in PictureTable(path)] == [
        (path.parent / file, "part", note) for file, note in rows
    ]


_RUNNABLE = st.text("'=+-@＝＠\t\r\n 1\u00a0\"", max_size=8)


@given(st.lists(st.tuples(_RUNNABLE | _CELL, _RUNNABLE | _CELL), min_size=1, max_size=4))
def test_exported_cells_are_restored_and_never_run_as_formulas(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]
) -> None:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(("file", "entity", "note"))
    writer.writerows(("a.png", defuse(entity), defuse(note)) for entity, note in rows)
    path = tmp_path_factory.mktemp("table") / "table.csv"
    path.write_text(text.getvalue(), "utf-8-sig", newline="")
    assert [(source.entity, source.note) for source in PictureTable(path)] == [
        (entity.strip(), note) for entity, note in rows
    ]
    for row in csv.reader(io.StringIO(text.getvalue(), newline="")):
        assert not any(cell.strip() and cell.strip()[0] in "=+-@＝＋－＠" for cell in row)
        assert not any(cell[:1] in {"\t", "\r", "\n"} for cell in row)


@pytest.mark.parametrize(
    ("note", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+49 30", "'+49 30"),
        ("-5 °C", "'-5 °C"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\tx", "'\tx"),
        ("\rx", "'\rx"),
        ("'=1", "''=1"),
        ("''@x", "'''@x"),
        ("'tis fine", "'tis fine"),
        ("''quoted''", "''quoted''"),
        ("a=b", "a=b"),
        ("", ""),
    ],
)
def test_only_cells_that_a_spreadsheet_runs_are_defused(note: str, cell: str) -> None:
    assert defuse(note) == cell
    assert restore(cell) == note


@pytest.mark.parametrize(
    "text",
    [
        "a.png;part;a, b\n",
        "a.png\tpart\ta, b\n",
        'FILE , Note,Entity\na.png,"a, b",part\n',
        '\ufeffa.png,part,"a, b"\n',
    ],
)
def test_csv_dialects_of_spreadsheet_programs_are_read(tmp_path: Path, text: str) -> None:
    (tmp_path / "t.csv").write_text(text, "utf-8")
    assert [_essence(source) for source in PictureTable(tmp_path / "t.csv")] == [(tmp_path / "a.png", "part", "a, b")]


def test_csv_may_have_only_files(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("pics/a.png\n\n/abs/b.png\n", "utf-8")
    assert [_essence(source) for source in PictureTable(tmp_path / "t.csv")] == [
        (tmp_path / "pics" / "a.png", "pics/a", ""),
        (Path("/abs/b.png"), "abs/b", ""),
    ]


def test_csv_without_header_begins_with_any_picture_that_a_folder_may_have(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("valve.JFIF;v\npump.mpo;p\n")
    assert [source.entity for source in sources_at(tmp_path / "t.csv")] == ["v", "p"]


def test_binary_csv_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"file,entity\n\xff\xfe\x00x")
    with pytest.raises(InvalidInput, match="UTF-8"):
        list(PictureTable(tmp_path / "t.csv"))


def test_folder_is_walked_by_name_without_hidden_files_and_links(tmp_path: Path) -> None:
    for name in ("b/2.png", "b/1.JPG", "a.webp", ".git/x.png", ".x.png", "notes.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "loop").symlink_to(tmp_path)
    assert [str(source.path.relative_to(tmp_path)) for source in PictureFolder(tmp_path)] == [
        "a.webp",
        "b/1.JPG",
        "b/2.png",
    ]


def test_path_that_is_neither_folder_nor_csv_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "gone", tmp_path / "a.png"):
        with pytest.raises(InvalidInput):
            sources_at(path)
        (tmp_path / "a.png").write_bytes(b"")


def test_name_that_is_not_utf_8_can_be_shown() -> None:
    assert printable("a\udcffb.png") == "a\ufffdb.png"


def test_every_spelling_of_picture_files_is_read(tmp_path: Path) -> None:
    names = [
        *(
            "CANON.HIF",
            "a.heics",
            "b.heifs",
            "c.avifs",
            "d.avci",
            "e.MPO",
            "f.apng",
            "g.dib",
            "h.jfif",
            "i.jif",
            "j.pjpeg",
        ),
        *("k.jpe", "l.tif", "m.BMP"),
    ]
    for name in (*names, "notes.txt", "drawing.psd"):
        (tmp_path / name).touch()
    assert {source.path.name for source in PictureFolder(tmp_path)} == set(names)


@given(st.lists(entities, min_size=1, max_size=5), st.sampled_from(",;\t"))
def test_any_id_round_trips_through_a_table(
    tmp_path_factory: pytest.TempPathFactory, ids: list[EntityId], delimiter: str
) -> None:
    path = tmp_path_factory.mktemp("table") / "table.csv"
    with path.open("w", encoding="utf-8-sig", newline="") as stream:
        rows = csv.writer(stream, delimiter=delimiter)
        rows.writerow(("file", "entity", "note"))
        rows.writerows(("a.png", defuse(entity), "") for entity in ids)
    assert [source.entity_with("") for source in PictureTable(path)] == ids


def _ids(folder: Path, *names: str) -> dict[str, str]:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    return {str(source.path.relative_to(folder)): source.entity_with("OWN") for source in PictureFolder(folder)}


def test_folder_takes_part_where_names_repeat(tmp_path: Path) -> None:
    found = _ids(
        tmp_path / "parts",
        *(
            "valve_12/front.jpg",
            "pump_7/front.jpg",
            "pump_7/VLV-1.jpg",
            "a/x/P-9.jpg",
            "b/x/p-9.JPG",
            "P-9.png",
            "side.jpg",
        ),
    )
    assert found == {
        "valve_12/front.jpg": "valve_12/front",
        "pump_7/front.jpg": "pump_7/front",
        "pump_7/VLV-1.jpg": "VLV-1",
        "a/x/P-9.jpg": "a/x/P-9",
        "b/x/p-9.JPG": "b/x/p-9",
        "P-9.png": "P-9",
        "side.jpg": "parts/side",
    }


def test_temporary_folder_of_a_table_from_slack_takes_no_part(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("file,note\nfront.jpg,x\nvalve/1.jpg,y\n")
    table = PictureTable(tmp_path / "t.csv", find=lambda written: (Path(written), Path(written)))
    assert [source.entity_with("OWN") for source in table] == ["front_OWN", "valve/1"]


def test_files_of_other_scripts_have_ids_of_their_own(tmp_path: Path) -> None:
    names = (
        "Smørrebrød",
        "Đèn",
        "Łódź",
        "Βαλβίδα",
        "Клапан 3",
        "Насос 3",
        "صمام",
        "バルブ",
        "水泵",
        "铜阀门",
        "밸브",
        "🔧",
    )
    assert _ids(tmp_path, *(f"{name}.jpg" for name in names)) == {f"{name}.jpg": name for name in names}
