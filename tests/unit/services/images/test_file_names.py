"""Ids made from file names: as written, and the file's own id behind names that programs give."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.services.images.file_names import entity_of_file, suggest_entity
from bot.services.images.generic_names import is_generic
from bot.services.imports.folder_walk import PICTURE_SUFFIXES


@given(st.text(max_size=200), st.sampled_from(["", "F0123ABC", "x" * 100]), st.sampled_from(["", "a/b", "x" * 100]))
def test_any_name_gives_a_valid_id(name: str, own_id: str, folder: str) -> None:
    assert entity_of_file(name, own_id, folder) == entity_of_file(name, own_id, folder)


@given(st.lists(st.text("ab\n\u202e\udc80é", min_size=1, max_size=90), min_size=2, max_size=2, unique=True))
def test_different_names_give_different_ids(names: list[str]) -> None:
    one, other = (entity_of_file(f"x{name}x", "") for name in names)
    assert one.key != other.key


@pytest.mark.parametrize(
    ("name", "entity"),
    [
        ("valve_0042.jpg", "valve_0042"),
        ("Ventil Größe 3.JPG", "Ventil Größe 3"),
        ("VLV-0042.v2.png", "VLV-0042.v2"),
        ("12.345-B", "12.345-B"),
        ("阀门 7 号.png", "阀门 7 号"),
        ("noext", "noext"),
        ("front.jpg", "front_F1"),
        ("IMG_1234.jpg", "IMG_1234_F1"),
        ("Image from iOS.jpg", "Image from iOS_F1"),
        (".png", "image_F1"),
    ],
)
def test_id_is_the_name_as_written(name: str, entity: str) -> None:
    assert entity_of_file(name, "F1") == entity


@pytest.mark.parametrize("hidden", ["\x07", "\u202e", "\ufdd0", "\U0001fffe"])
def test_suggested_id_leaves_out_what_no_id_may_have(hidden: str) -> None:
    assert suggest_entity(f"Valve{hidden} 42") == "Valve 42"


@pytest.mark.parametrize("suffix", sorted(PICTURE_SUFFIXES))
def test_suffix_of_every_picture_is_no_part_of_the_id(suffix: str) -> None:
    assert entity_of_file(f"12.345-B{suffix.upper()}", "F1") == "12.345-B"


@pytest.mark.parametrize(
    "name",
    [
        *("Image from iOS", "Slack for iOS Upload", "Untitled-1", "download (1)", "unknown", "DSCF0001", "GOPR0123"),
        *(
            "Pasted image",
            "Pasted image 20240101",
            "IMG_1234",
            "IMG-20240102-WA0001",
            "_DSC0001",
            "_MG_1234",
            "P1010001",
        ),
        *("Bildschirmfoto 2024-01-02 um 10.11.12", "Capture d’écran 2024-01-02 à 10.11.12", "Снимок экрана 2024-01-02"),
        *(
            "スクリーンショット 2024-01-02 10.11.12",
            "截屏2024-01-02 10.11.12",
            "Captura de pantalla (3)",
            "Screenshot_20240101",
        ),
        *("WhatsApp Image 2024-01-02 at 10.11.12", "PXL_20240102_101112123.MP", "image", "photo", "20240102_101112"),
        *(
            "images (1)",
            "image copy 2",
            "FB_IMG_123456",
            "1704190000000",
            "signal-2024-01-02-10-11",
            "Ekran Görüntüsü (12)",
        ),
        *(
            "Bild von iOS",
            "Imagen de iOS (2)",
            "Image from my iPhone",
            "iOS からの画像",
            "Copy of IMG_1234",
            "Ohne Titel 3",
        ),
        *("CleanShot 2024-01-02 at 10.11.12", "SmartSelect_20240102-101112", "Snapshot_1", "ChatGPT Image 2.1.2026"),
    ],
)
def test_name_that_programs_give_is_recognised(name: str) -> None:
    assert is_generic(name)
    assert is_generic(name.upper())


@pytest.mark.parametrize(
    "name",
    [
        *("VLV-0042", "valve_0042", "Valve 42", "12.345-B", "Клапан 3", "P123", "C-1234", "阀门-7", "pump 7", "バルブ"),
        *(
            "imagination",
            "linear 5",
            "P-100 valve",
            "Valve image",
            "R2D2",
            "logo",
            "L4000",
            "SAM-7",
            "image of valve 7",
            "picture of iPhone 12 case",
            "Copy of VLV-0042",
            "Webcam C920",
        ),
    ],
)
def test_name_that_people_give_is_not_taken_for_a_programs(name: str) -> None:
    assert not is_generic(name)
