"""CSV as people bring it: read as it is meant, or refused with the line."""

from __future__ import annotations

import csv
import io
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.errors import TableRefused
from bot.services.imports.csv_rows import CsvText, separated
from bot.services.imports.encoding import decode_table

MOMENT_S = 5.0
"""It takes 0.2 seconds. Looking through all earlier cells for each cell took 22."""


def read(text: str) -> list[tuple[str, ...]]:
    return [row.cells for row in separated("t.csv", text).rows()]


def test_row_of_very_many_quoted_cells_is_read_in_a_moment() -> None:
    number = 50_000
    start = time.process_time()
    assert [len(cells) for cells in read('"a",' * number)] == [number + 1]
    assert time.process_time() - start < MOMENT_S


_DELIMITERS = st.sampled_from(",;\t|")
_CELL = st.text("ab,;\t|\" \r\n'ß", max_size=6)


@given(
    st.lists(st.lists(_CELL, min_size=2, max_size=4), max_size=5), _DELIMITERS, st.sampled_from(["\n", "\r\n", "\r"])
)
def test_what_the_standard_library_writes_is_read_alike(rows: list[list[str]], delimiter: str, end: str) -> None:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL).writerows(rows)
    blank = re.compile("[ \t\u00a0\u3000]*")
    kept = [tuple(row) for row in rows if not all(blank.fullmatch(cell) for cell in row)]
    assert [row.cells for row in CsvText("t.csv", text.getvalue(), delimiter).rows()] == kept


@given(st.text('ab,"\n', max_size=24))
def test_reading_agrees_with_the_standard_library_where_both_are_strict(text: str) -> None:
    """Without blanks beside quotes, which only this reader takes for a habit of writing."""
    try:
        expected = [tuple(row) for row in csv.reader(io.StringIO(text, newline=""), strict=True)]
    except csv.Error:
        with pytest.raises(TableRefused):
            list(CsvText("t.csv", text, ",").rows())
    else:
        kept = [row for row in expected if any(row)]
        assert [row.cells for row in CsvText("t.csv", text, ",").rows()] == kept


@pytest.mark.parametrize(
    ("text", "cells"),
    [
        ("sep=;\r\nfile;note\r\na.png;b,c\r\n", ("a.png", "b,c")),
        ('"sep=|"\nfile|note\na.png|b,c\n', ("a.png", "b,c")),
        ("sep=\t\nfile\tnote\na.png\tb,c\n", ("a.png", "b,c")),
        ("\n \r\nfile;note\na.png;b,c\n", ("a.png", "b,c")),
        ("file|entity, say|note\na.png|b|c\n", ("a.png", "b", "c")),
        ("a, b.png;part;x\nc, d.png;part;y\n", ("c, d.png", "part", "y")),
        ('file, note\na.png, "b, c"\n', ("a.png", "b, c")),
        ('file,\u00a0note\na.png ,\t"b, ""c""" \n', ("a.png ", 'b, "c"')),
        ('file,note\na.png,2" pipe\n', ("a.png", '2" pipe')),
        ('file,note\na.png,"2"" pipe"\n', ("a.png", '2" pipe')),
        ('file,note\na.png,"first\nsecond, third"\n', ("a.png", "first\nsecond, third")),
        ('"File\nname",note\ra.png,b\r', ("a.png", "b")),
    ],
)
def test_habits_of_spreadsheet_programs_are_understood(text: str, cells: tuple[str, ...]) -> None:
    assert read(text)[1] == cells


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('file,note\na.png,"2" pipe"\nb.png,x\n', 2),
        ('file,note\na.png,"soft\nb.png,x\n', 2),
        # Two inch marks that close each other over a row.
        ('file,note\na.png,"half inch\nb.png,4"\nc.png,x\n', 2),
        ('file,note\n\na.png,x\n\n"b.png"x,y\n', 5),
        ('file,"no\nte"\na.png,x\nb.png,"y\n', 4),
        ('file,note\na.png,"2\\" pipe"\n', 2),
    ],
)
def test_quotes_that_are_not_sure_are_refused_with_the_line(text: str, line: int) -> None:
    with pytest.raises(TableRefused) as refused:
        read(text)
    assert refused.value.line == line
    assert f"line {line}:" in str(refused.value)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"])
def test_encodings_of_spreadsheet_programs_are_decoded(encoding: str) -> None:
    text = "file;note\r\nGröße é.png;„12 €“\r\n"
    assert decode_table(text.encode(encoding), "t.csv")[0] == text


@pytest.mark.parametrize(
    "note",
    [
        *(
            'Übergrößen 3,5 m³/h ±2 °C ½"',
            "«Café» l’été où ça, œuvre, N°A12",
            "¿Qué? Señor Nº 5, 1ª mañana",
            "São João",
        ),
        *("smørrebrød æble ål Ø12", "Åkerströms kökslåda", "perché città è più", "Škoda äiti", "l´eau, paral·lel"),
        *("Brand® X™ 10µm £5 30×40", "“É” – ‘ö’… CAFÉ»", "PowerÖl", "Crème brûlée, maçã, coördinatie"),
    ],
)
def test_windows_1252_in_any_of_its_languages_is_decoded(note: str) -> None:
    text = f"file;note\na.png;{note}\n"
    assert decode_table(text.encode("cp1252"), "t.csv")[0] == text


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"file,note\n\xff\xfe\x00x", 2),
        (b"\xef\xbb\xbffile,note\na.png,\xfc\n", 2),
        ("file,note\na.png,Клапан\n".encode("cp1251"), 2),
        ("file,note\na.png,x\nb.png,バルブ\n".encode("shift-jis"), 3),
        (b"file,note\na.png,\x81\n", 2),
        (b"file,note\na.png,Gr\xc3\xb6\xc3\x9fe\nb.png,Gr\xf6\xdfe\n", 3),  # UTF-8 with a row in another encoding
        *(
            (f"file,note\na.png,x\nb.png,{note}\n".encode(encoding), 3)
            for encoding, note in (
                *(("gbk", "铜阀门"), ("gbk", "水泵"), ("big5", "銅閥門"), ("euc-kr", "밸브"), ("koi8-r", "Насос")),
                *(("cp1250", "stała rura"), ("cp1250", "Příruba"), ("iso8859-2", "gęślą"), ("cp1254", "ışık")),
                *(("cp1253", "Βαλβίδα"), ("cp1255", "שסתום"), ("cp1257", "ąžuolas"), ("mac-roman", "Größe")),
                *(("cp437", "Größe"), ("cp850", "vérifié"), ("cp874", "วาล์ว")),
            )
        ),
    ],
)
def test_encoding_that_is_not_sure_is_refused(content: bytes, line: int) -> None:
    with pytest.raises(TableRefused, match="UTF-8") as refused:
        decode_table(content, "t.csv")
    assert refused.value.line == line
