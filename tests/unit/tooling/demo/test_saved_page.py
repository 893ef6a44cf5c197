"""The demo's saved page, and the ids that change when it is posted again."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from bot.storage.sql.schema import tables
from examples.demo.saved_page import _ID_COLUMNS, Renames, SavedPage, rename_in_catalogue


def renames() -> Renames:
    made = Renames({"http://127.0.0.1:8010": "http://127.0.0.1:8011"}, {"FMWUOLD001": "FMWUNEW001"})
    made.message("1795521447.000001", "1795599999.000007")
    return made


def test_messages_files_and_addresses_get_their_new_names() -> None:
    old = {
        "block_id": "summary:1-1795521447.000001",
        "text": "<http://127.0.0.1:8010/archives/C1/p1795521447000001|here>",
        "value": '{"file":"FMWUOLD001"}',
    }
    assert renames().within(old) == {
        "block_id": "summary:1-1795599999.000007",
        "text": "<http://127.0.0.1:8011/archives/C1/p1795599999000007|here>",
        "value": '{"file":"FMWUNEW001"}',
    }


def test_names_without_a_new_name_stay() -> None:
    text = "1795521448.000001 p1795521448000001 FMWUOLD002 DELETED FMWUOLD0011"
    assert renames().apply(text) == text


def test_saved_page_is_loaded_again(tmp_path: Path) -> None:
    kept = SavedPage("http://a", "http://b", "files-1", [{"id": "C1"}], [{"ts": "1.0", "text": "ä"}])
    kept.save(tmp_path / "page.json")
    assert SavedPage.load(tmp_path / "page.json") == kept


def test_missing_or_unreadable_file_loads_as_none(tmp_path: Path) -> None:
    assert SavedPage.load(tmp_path / "none.json") is None
    (tmp_path / "page.json").write_text('{"stand_in": ')
    assert SavedPage.load(tmp_path / "page.json") is None
    (tmp_path / "page.json").write_text('{"another": "version"}')
    assert SavedPage.load(tmp_path / "page.json") is None


def test_id_columns_exist_in_the_bots_tables() -> None:
    for table, columns in _ID_COLUMNS.items():
        assert set(columns) <= {column.name for column in tables.metadata.tables[table].columns}


def test_catalogue_gets_the_new_ids(tmp_path: Path) -> None:
    database = tmp_path / "vsearch.db"
    with closing(sqlite3.connect(database)) as connection, connection:
        for table, columns in _ID_COLUMNS.items():
            connection.execute(f"CREATE TABLE {table} ({', '.join(columns)})")
        connection.execute("INSERT INTO image_origins VALUES ('FMWUOLD001', 'C1', '1795521447.000001', NULL)")
    rename_in_catalogue(database, renames())
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("SELECT * FROM image_origins").fetchall() == [
            ("FMWUNEW001", "C1", "1795599999.000007", None)
        ]


def test_missing_catalogue_is_not_created(tmp_path: Path) -> None:
    rename_in_catalogue(tmp_path / "vsearch.db", renames())
    assert not (tmp_path / "vsearch.db").exists()
