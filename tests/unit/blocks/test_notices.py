"""Messages about databases, channels and completed commands: correct, short and within the limits."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.blocks.button_state import EntityState, NameState
from bot.blocks.ids import ActionId
from bot.blocks.messages.additions import with_previews
from bot.blocks.messages.notices import (
    StatusInfo,
    added_reply,
    already_added_reply,
    collected_problems_reply,
    created_reply,
    database_deleted_reply,
    databases_reply,
    delete_question,
    deleted_reply,
    no_database_reply,
    several_databases_reply,
    status_reply,
    watching_reply,
)
from bot.domain.catalogue import DatabaseInfo
from bot.domain.channels import ChannelBinding, ChannelMode
from bot.domain.identifiers import DatabaseName
from tests.unit.blocks.answers import (
    HOSTILE,
    KEY,
    bindings,
    check,
    database_names,
    info,
    infos,
    many_databases,
    names,
    pressable,
    shown,
    texts,
)

PARTS = DatabaseName("parts")
HERE = ChannelBinding(KEY.workspace, "C0HERE")


def test_databases_are_listed_with_sizes_and_a_create_button() -> None:
    reply = databases_reply([info(), info("logos", 1)])
    check(reply)
    assert reply.text == "2 image databases"
    assert "`parts`  ·  1,234 images\\n`logos`  ·  1 image" in shown(reply)
    assert pressable(reply.blocks)["Create a database"]["action_id"] == ActionId.CREATE_DATABASE
    assert databases_reply([]) == no_database_reply()


def test_thousands_of_databases_fit_and_are_counted() -> None:
    many = many_databases(10_000)
    for reply in (
        databases_reply(many),
        several_databases_reply(many, "C0HERE"),
        status_reply(StatusInfo("C0HERE", "channel", None, None, many, "embedded")),
    ):
        check(reply)
    assert "and 9,940 more" in shown(databases_reply(many))


def test_offer_carries_its_channel() -> None:
    none, several = no_database_reply("C0HERE"), several_databases_reply([info(), info("logos")], "C0HERE")
    create, choose = pressable(none.blocks)["Create a database"], pressable(several.blocks)["Choose a database"]
    assert create["action_id"] == ActionId.CREATE_DATABASE
    assert choose["action_id"] == ActionId.WATCH
    for button in (create, choose):
        assert NameState.decode(button["value"]) == NameState(channel="C0HERE")
    assert pressable(several_databases_reply([info()]).blocks) == {}
    assert "`parts`, `logos`" in shown(several)
    check(none)
    check(several)


@pytest.mark.parametrize(
    ("binding", "text"),
    [
        (HERE, "Images shared in <#C0HERE> are looked up in `parts`."),
        (
            dataclasses.replace(HERE, minimum=7.5),
            "Images shared in <#C0HERE> are looked up in `parts`. Matches of 7.5 and higher are shown.",
        ),
        (dataclasses.replace(HERE, mode=ChannelMode.COLLECT), "Images shared in <#C0HERE> are added to `parts`."),
        (
            dataclasses.replace(HERE, mode=ChannelMode.GUARD),
            (
                "Images shared in <#C0HERE> are checked against `parts`."
                " Matches of 9 and higher are reported, and everything else is added."
            ),
        ),
        (
            dataclasses.replace(HERE, mode=ChannelMode.OFF),
            "Images shared in <#C0HERE> are ignored. `/vsearch watch` changes that.",
        ),
    ],
)
def test_channel_mode_is_explained_in_a_sentence(binding: ChannelBinding, text: str) -> None:
    reply = watching_reply(binding, PARTS)
    check(reply)
    assert reply.text == text
    adds = binding.mode in {ChannelMode.COLLECT, ChannelMode.GUARD}
    assert list(pressable(reply.blocks)) == (["Add past pictures"] if adds else [])
    assert len(reply.blocks) == 1 + adds


def test_channel_without_a_database_may_choose_one() -> None:
    reply = watching_reply(HERE, None)
    check(reply)
    assert list(pressable(reply.blocks)) == ["Choose a database", "Create a database"]
    assert pressable(watching_reply(dataclasses.replace(HERE, mode=ChannelMode.OFF), None).blocks) == {}


def test_status_shows_settings_sizes_and_health() -> None:
    status = StatusInfo("C0HERE", "channel", HERE, PARTS, (info(), info("logos", 1)), "embedded", waiting=2)
    reply = status_reply(status)
    check(reply)
    for part in (
        "Images shared in <#C0HERE> are looked up in `parts`.",
        "*2 image databases*, 1,235 images",
        "`embedded`: healthy",
        "2 messages with images waiting.",
    ):
        assert part in shown(reply)
    ill = shown(status_reply(dataclasses.replace(status, problem="It can't be reached.", waiting=1)))
    assert ":warning: It can't be reached." in ill
    assert "1 message with images waiting." in ill


def test_direct_message_has_its_own_status() -> None:
    reply = status_reply(StatusInfo("D1", "direct", None, PARTS, (info(),), "embedded"))
    assert reply.text == "Images you send me are looked up in `parts`."
    assert "Choose a database" not in pressable(reply.blocks)


def test_add_notice_shows_file_database_entity_and_note() -> None:
    reply = added_reply("parts", "valve_0042", note=HOSTILE, name="<!channel>*x*.png")
    check(reply)
    assert reply.text == "Added `&lt;!channel&gt;*x*.png` to `parts` as `valve_0042`."
    assert reply.blocks[1]["elements"][0]["text"] == HOSTILE
    assert added_reply("parts", "valve_0042").text == "Added the image to `parts` as `valve_0042`."


def test_existing_image_is_named_only_to_permitted_readers() -> None:
    assert already_added_reply("parts", "valve_0042").text == "This image is already in `parts` as `valve_0042`."
    assert already_added_reply("parts", "").text == "This image is already in `parts`."


def test_deletion_needs_confirmation_and_can_be_cancelled() -> None:
    reply = delete_question(info(), "valve_0042", 3)
    check(reply)
    assert reply.text == "Delete all 3 images of `valve_0042` from `parts`? This can't be undone."
    delete = pressable(reply.blocks)["Delete"]
    assert delete["action_id"] == ActionId.DELETE_ENTITY
    assert delete["style"] == "danger"
    assert delete["confirm"]["text"]["text"] == "This deletes all 3 images of valve_0042 from parts for everyone."
    assert EntityState.decode(delete["value"]) == EntityState("parts", "valve_0042")
    assert pressable(reply.blocks)["Keep"]["action_id"] == ActionId.DISMISS
    assert "Delete the image of `valve_0042`" in delete_question(info(), "valve_0042", 1).text


def test_completed_commands_are_reported() -> None:
    assert deleted_reply("parts", "valve_0042", 1).text == "Deleted 1 image of `valve_0042` from `parts`."
    assert database_deleted_reply("parts", 1234).text == "Deleted the database `parts` with 1,234 images."
    assert created_reply(info()).text.startswith("Created the database `parts`.")


def test_images_that_could_not_be_collected_are_listed() -> None:
    reply = collected_problems_reply([("broken.png", "It is damaged."), ("", "It is too large.")])
    check(reply)
    assert reply.text == "Couldn't add 2 of your images."
    assert "`broken.png`: It is damaged." in shown(reply)
    assert "An image: It is too large." in shown(reply)
    many = collected_problems_reply([("x" * 255, "n" * 3000)] * 200)
    check(many)
    assert " more" in shown(many)


@given(database_names, names, texts, texts)
def test_every_message_about_an_image_is_within_the_limits(database: str, entity: str, note: str, name: str) -> None:
    check(added_reply(database, entity, note=note, name=name))
    check(already_added_reply(database, entity))
    check(deleted_reply(database, entity, 10**6))
    check(database_deleted_reply(database, 10**6))
    check(delete_question(info(database), entity, 10**6))
    check(created_reply(info(database)))
    check(collected_problems_reply([(name, note)] * 30))


@settings(deadline=None)
@given(bindings, st.lists(infos, max_size=80), texts, texts, st.integers(0, 10**6))
def test_every_status_is_within_the_limits(
    binding: ChannelBinding, databases: list[DatabaseInfo], backend: str, problem: str, waiting: int
) -> None:
    for kind in ("channel", "direct"):
        check(
            status_reply(
                StatusInfo(
                    binding.channel, kind, binding, binding.database, tuple(databases), backend, problem, waiting
                )
            )
        )
    check(watching_reply(binding, binding.database))
    check(databases_reply(databases))
    check(several_databases_reply(databases, binding.channel))


def test_author_learns_with_other_remarks_which_files_were_added_by_their_previews() -> None:
    problems = collected_problems_reply([("broken.png", "It is damaged.")])
    assert with_previews([problems], []) == [problems]
    [alone] = with_previews([], ["a.psd"])
    [both] = with_previews([problems], [f"{number}.psd" for number in range(9)])
    full = collected_problems_reply([("a.png", "It is damaged.")] * 200)
    several = with_previews([full], ["a.psd"])
    assert len(several) == len([full, alone])
    for reply in (alone, both, *several):
        check(reply)
    assert "Added `a.psd` by its preview" in alone.text
    assert "`4.psd` and 4 more by their previews" in shown(both)
    assert both.blocks[: len(problems.blocks)] == problems.blocks
