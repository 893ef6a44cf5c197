"""Tables of pictures: columns, rows that don't fit, sheets, and the files that rows name."""

from __future__ import annotations

import unicodedata
import zipfile
from datetime import date
from pathlib import Path

import openpyxl
import pytest

from bot.domain.errors import InvalidInput, TableRefused
from bot.services.imports import xlsx_rows
from bot.services.imports.columns import Role, parse_columns
from bot.services.imports.file_lookup import FileLookup
from bot.services.imports.table import PictureRow, read_table
from bot.services.imports.xlsx_rows import shown_value


def table(tmp_path: Path, text: str, name: str = "t.csv") -> Path:
    (tmp_path / name).write_text(text, "utf-8", newline="")
    return tmp_path / name


def workbook(tmp_path: Path, rows: list[list[object]], formats: dict[str, str] | None = None) -> Path:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in rows:
        sheet.append(row)
    for cell, number_format in (formats or {}).items():
        sheet[cell].number_format = number_format
    book.create_sheet("Prices").append(["Price"])
    book.save(tmp_path / "t.xlsx")
    return tmp_path / "t.xlsx"


@pytest.mark.parametrize(
    "header",
    [
        "file,entity,note",
        "Filename,SKU,Description",
        "Image,Part number,Comment",
        "PATH,part_no,Notes",
        "File,EntityId,ExtraData",
        "ImageUrl,Entity Id,Remarks",
        "Image source,Model No.,Item Description",
        '"Photo\nfile",Part-No.,"Note "',
    ],
)
def test_usual_names_of_columns_are_understood(tmp_path: Path, header: str) -> None:
    read = read_table(table(tmp_path, f"{header}\na.png,VLV-1/A,brass\n"))
    assert [(row.file, row.entity, row.note) for row in read.rows] == [("a.png", "VLV-1/A", "brass")]
    assert read.remarks == ()


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("File,SKU,Price,Stock", "I don't know the columns “Price”, “Stock”"),
        ("Datei,SKU", "Which column has the files? The columns are “Datei”, “SKU”"),
        ("Path,File,SKU", "Which column is the file, “Path” and “File”?"),
    ],
)
def test_columns_that_are_not_sure_are_refused_in_one_sentence(tmp_path: Path, header: str, said: str) -> None:
    with pytest.raises(TableRefused, match="--columns file=") as refused:
        read_table(table(tmp_path, f"{header}\na.png,b,c\n"))
    assert said in str(refused.value)
    with pytest.raises(TableRefused) as refused:
        read_table(table(tmp_path, f"{header}\na.png,b,c\n"), in_slack=True)
    assert said in str(refused.value)
    assert "--" not in str(refused.value), "Slack has no options"


def test_columns_can_be_said(tmp_path: Path) -> None:
    path = table(tmp_path, '"Datei, klein",Nr.,Preis,Text\na.png,7,12,brass\n')
    named = parse_columns("file=Datei, klein,id=nr,note=Text")
    assert read_table(path, named).rows == [PictureRow(2, "a.png", "7", "brass")]
    with pytest.raises(TableRefused, match=r"no column “Bild”. The columns are “Datei, klein”"):
        read_table(path, {Role.FILE: "Bild"})
    assert parse_columns("entity=SKU") == {Role.ID: "SKU"}
    for wrong in ("", "SKU", "file=", "file=a,file=b", "x,file=a"):
        with pytest.raises(InvalidInput, match="--columns must name"):
            parse_columns(wrong)


def test_table_without_column_of_ids_says_so(tmp_path: Path) -> None:
    assert "no column of ids" in read_table(table(tmp_path, "file,note\na.png,x\n")).remarks[0]


@pytest.mark.parametrize("row", ["a.png,b,brass, DN25", "a.png"])
def test_ragged_row_is_refused_with_its_line(tmp_path: Path, row: str) -> None:
    with pytest.raises(TableRefused, match=r"t\.csv, line 3: The row has \d cells"):
        read_table(table(tmp_path, f"file,entity,note\nx.png,y,z\n{row}\n"))


def test_empty_cells_at_the_end_may_be_there_or_not(tmp_path: Path) -> None:
    rows = read_table(table(tmp_path, "file,entity,note,\na.png,b,,,\nc.png,d\ne.png,,\n")).rows
    assert [(row.file, row.entity, row.note) for row in rows] == [
        ("a.png", "b", ""),
        ("c.png", "d", ""),
        ("e.png", "", ""),
    ]


def test_row_with_nul_or_without_file_is_refused_alone(tmp_path: Path) -> None:
    rows = read_table(table(tmp_path, "file,entity,note\na.png,b,\np\0.png,c,x\n,d,x\n\0\0\0")).rows
    assert [bool(row.error) for row in rows] == [False, True, True, True]


def test_blanks_after_every_separator_are_no_part_of_notes(tmp_path: Path) -> None:
    assert read_table(table(tmp_path, "file, entity, note\na.png, b, brass\n")).rows[0].note == "brass"


def test_sheet_is_read_as_people_see_it(tmp_path: Path) -> None:
    path = workbook(
        tmp_path,
        [
            ["File", "SKU", "Note"],
            ["a.png", 123, "brass"],
            ["b.png", 12345.0, date(2026, 11, 30)],
            [None, None, None],
            ["c.png", "00042", 0.5],
        ],
        {"B2": "00000", "C3": "yyyy-mm-dd", "C5": "0.00"},
    )
    read = read_table(path)
    assert read.rows == [
        PictureRow(2, "a.png", "00123", "brass"),
        PictureRow(3, "b.png", "12345", "2026-11-30"),
        PictureRow(5, "c.png", "00042", "0.50"),
    ]
    assert "--sheet" in read.remarks[0]
    [remark] = read_table(path, in_slack=True).remarks
    assert "Prices" in remark
    assert "--sheet" not in remark
    with pytest.raises(TableRefused, match=r"no sheet “Parts”. The sheets are “Sheet”, “Prices”"):
        read_table(path, sheet="Parts")
    with pytest.raises(TableRefused, match="Which column has the files"):
        read_table(path, sheet="prices")


@pytest.mark.parametrize(
    ("value", "number_format", "shown"),
    [
        (123, "000-000", "000-123"),
        (1234567, "00-000", "1234-567"),
        (7, '"VLV-"0000', "VLV-0007"),
        (7, r"\V00", "V07"),
        (4006381333931, "General", "4006381333931"),
        (0.1, "General", "0.1"),
        (1e-7, "General", "0.0000001"),
        (1234.5, "#,##0.00", "1234.50"),
        (0.25, "0%", "25%"),
        (-5, "00", "-5"),
        (True, "General", "TRUE"),
        (date(2026, 1, 2), "d/m/yy", "2026-01-02"),
    ],
)
def test_numbers_are_read_in_their_format(value: object, number_format: str, shown: str) -> None:
    assert shown_value(value, number_format) == shown


def test_formula_without_result_is_refused(tmp_path: Path) -> None:
    path = workbook(tmp_path, [["file", "id"], ["a.png", "=A2"]])
    with pytest.raises(TableRefused, match="line 2: A formula has no stored result"):
        read_table(path)


def test_cells_that_are_merged_over_rows_are_refused(tmp_path: Path) -> None:
    path = workbook(tmp_path, [["file", "id"], ["a.png", "x"], ["b.png", None]])
    book = openpyxl.load_workbook(path)
    book.worksheets[0].merge_cells("B2:B3")
    book.save(path)
    with pytest.raises(TableRefused, match="line 2: The cells B2:B3 are merged"):
        read_table(path)


def test_what_is_no_spreadsheet_or_unpacks_to_too_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "old.xls").write_bytes(b"\xd0\xcf\x11\xe0 old")
    with zipfile.ZipFile(tmp_path / "zip.xlsx", "w") as archive:
        archive.writestr("x", "y")
    (tmp_path / "cut.xlsx").write_bytes(workbook(tmp_path, [["file"], ["a.png"]]).read_bytes()[:900])
    whole = (tmp_path / "t.xlsx").read_bytes()
    version = whole.index(b"PK\x01\x02") + 6
    (tmp_path / "new.xlsx").write_bytes(whole[:version] + b"\xff" + whole[version + 1 :])
    for name, said in (
        ("old.xls", "Save it as XLSX"),
        ("zip.xlsx", "readable XLSX"),
        ("cut.xlsx", "readable XLSX"),
        ("new.xlsx", "readable XLSX"),
    ):
        with pytest.raises(TableRefused, match=said):
            read_table(tmp_path / name)
    monkeypatch.setattr(xlsx_rows, "MAX_UNPACKED", 1_000)
    with pytest.raises(TableRefused, match="unpacks to more than"):
        read_table(tmp_path / "t.xlsx")


def test_files_are_found_whatever_wrote_their_names(tmp_path: Path) -> None:
    decomposed = unicodedata.normalize("NFD", "Größe é.jpg")
    for name in (decomposed, "Valve.JPG", "two.jpg", "TWO.jpg", "back\\slash.jpg"):
        (tmp_path / "Photos").mkdir(exist_ok=True)
        (tmp_path / "Photos" / name).write_bytes(b"")
    lookup = FileLookup(tmp_path)
    for written, name in (
        ("Photos\\Größe é.jpg", decomposed),
        ("photos/größe é.jpg", decomposed),
        (".\\photos\\valve.jpg", "Valve.JPG"),
        ("Photos/two.jpg", "two.jpg"),
        ("Photos/back\\slash.jpg", "back\\slash.jpg"),
        (str(tmp_path / "photos" / "valve.jpg"), "Valve.JPG"),
    ):
        assert lookup.find(written)[0] == tmp_path / "Photos" / name, written
    for written in ("photos/Two.jpg", "gone.jpg", "x" * 300, "../nowhere/x.jpg"):
        assert lookup.find(written)[0] == tmp_path / written
