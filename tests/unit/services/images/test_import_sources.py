"""Sources of an import, and entity ids derived from file names."""

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
    CsvTable,
    ImportSource,
    PictureFolder,
    entity_from_name,
    printable,
    sources_at,
)
from bot.services.images.spreadsheet_cells import defuse, restore


@given(st.text(max_size=200))
def test_any_name_gives_a_valid_entity(name: str) -> None:
    assert EntityId(entity_from_name(name))


@pytest.mark.parametrize(
    ("name", "entity"),
    [
        ("valve_0042.jpg", "valve_0042"),
        ("Ventil Größe 3.JPG", "ventil_grosse_3"),
        ("part.v2.png", "part_v2"),
        ("写真.png", "image"),
        ("noext", "noext"),
        ("x" * 90 + ".png", "x" * 64),
    ],
)
def test_entity_resembles_the_file_name(name: str, entity: str) -> None:
    assert entity_from_name(name) == entity


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
    assert [(source.path, source.entity, source.note) for source in CsvTable(path)] == [
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
    assert [(source.entity, source.note) for source in CsvTable(path)] == [
        (entity.strip() or "a", note) for entity, note in rows
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
    assert list(CsvTable(tmp_path / "t.csv")) == [ImportSource(tmp_path / "a.png", "part", "a, b")]


def test_csv_may_have_only_files(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("pics/a.png\n\n/abs/b.png\n", "utf-8")
    assert list(CsvTable(tmp_path / "t.csv")) == [
        ImportSource(tmp_path / "pics" / "a.png", "a"),
        ImportSource(Path("/abs/b.png"), "b"),
    ]


def test_binary_csv_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"file,entity\n\xff\xfe\x00x")
    with pytest.raises(InvalidInput, match="UTF-8"):
        list(CsvTable(tmp_path / "t.csv"))


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
