"""Modals and App Home: their fields, and that Slack accepts them with any data."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.blocks.button_state import FormInput, FormState, ListState, NameState, SearchState, encode_searches
from bot.blocks.home.content import HomeContent
from bot.blocks.home.view import home_view
from bot.blocks.ids import ActionId, InputId, ViewId
from bot.blocks.modals import (
    add_form,
    another_database_form,
    create_database_form,
    database_settings_form,
    delete_database_form,
    search_form,
    text_view,
    watch_form,
)
from bot.domain.catalogue import DatabaseInfo
from bot.domain.channels import ChannelBinding, ChannelMode
from bot.domain.identifiers import DatabaseName
from tests.unit.blocks.answers import (
    HOSTILE,
    KEY,
    bindings,
    check_view,
    database_names,
    displayed,
    info,
    infos,
    many_databases,
    pressable,
    texts,
)

STATE = FormState(response_url="https://hooks.slack.com/x", channel="C0HERE", channel_kind="public")
TWO = (info(), info("logos", 1))
HERE = ChannelBinding(KEY.workspace, "C0HERE", ChannelMode.GUARD, DatabaseName("logos"), 8.5)


def fields(view: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return elements by the name of their field, which is both block_id and action_id."""
    inputs = {block["block_id"]: block for block in view["blocks"] if block["type"] == "input"}
    assert all(block["element"]["action_id"] == name for name, block in inputs.items())
    return {name: block["element"] | {"optional": block["optional"]} for name, block in inputs.items()}


def chosen(element: dict[str, Any]) -> object:
    return element.get("initial_option", {}).get("value")


def test_search_form_has_all_fields() -> None:
    entered = FormInput(database="logos", url="https://example.com/x.png")
    view = search_form(TWO, STATE, entered=entered)
    check_view(view)
    asked = fields(view)
    assert list(asked) == [InputId.FILES, InputId.URL, InputId.WORDS, InputId.DATABASE, InputId.TOP, InputId.READERS]
    assert asked["words"]["optional"]
    assert [option["value"] for option in asked["database"]["options"]] == ["*", "logos", "parts"]
    assert asked["files"]["max_files"] == 10
    assert asked["files"]["optional"]
    assert asked["url"]["optional"]
    assert asked["url"]["initial_value"] == "https://example.com/x.png"
    assert [chosen(asked[name]) for name in ("database", "top", "readers")] == ["logos", "5", "me"]
    assert [option["value"] for option in asked["top"]["options"]] == ["1", "3", "5", "10", "20", "50"]
    assert [option["value"] for option in asked["readers"]["options"]] == ["me", "channel"]
    assert view["callback_id"] == ViewId.SEARCH
    assert FormState.decode(view["private_metadata"]) == STATE


def test_form_that_opens_again_has_what_was_entered() -> None:
    files = encode_searches([SearchState(file="F1", name="a_b.png"), SearchState(file="F2")])
    view = search_form(TWO, STATE, entered=FormInput(top=20, for_everyone=True, searches=files))
    check_view(view)
    assert [chosen(fields(view)[name]) for name in ("top", "readers")] == ["20", "channel"]
    assert "Your images are still here: `a_b.png`, ?." in json.dumps(view)


def test_global_search_form_asks_where_to_answer() -> None:
    view = search_form(TWO, STATE, with_conversation=True)
    check_view(view)
    where = fields(view)[InputId.CONVERSATION]
    assert where["optional"]
    assert where["response_url_enabled"]
    assert where["default_to_current_conversation"]
    assert where["filter"] == {"exclude_bot_users": True}


def test_only_database_is_preselected() -> None:
    assert chosen(fields(search_form([info()], STATE))["database"]) == "parts"
    assert chosen(fields(search_form(TWO, STATE))["database"]) is None


def test_form_without_a_database_offers_to_create_one() -> None:
    for view in (
        search_form((), STATE),
        add_form((), STATE),
        another_database_form((), STATE),
        watch_form((), None, STATE),
    ):
        check_view(view)
        assert view["callback_id"] == ViewId.NOTE
        assert "submit" not in view
        create = pressable(view["blocks"])["Create a database"]
        assert create["action_id"] == ActionId.CREATE_DATABASE
        assert NameState.decode(create["value"]).channel == "C0HERE"


@pytest.mark.parametrize("number", [100, 101, 1000, 12_000])
def test_one_of_thousands_of_databases_can_be_chosen(number: int) -> None:
    many = many_databases(number)
    last = many[-1].key.name
    view = search_form(many, STATE, entered=FormInput(database=last))
    check_view(view)
    element = fields(view)["database"]
    groups = element.get("option_groups", [element])
    every, *options = [option for group in groups for option in group["options"]]
    assert every["text"]["text"] == "All databases"
    assert chosen(element) == last
    assert len({option["value"] for option in options}) == len(options) >= min(number, 1000)
    hint = next(block.get("hint", {}).get("text", "") for block in view["blocks"] if block["block_id"] == "database")
    left_out = number - len(options)
    assert (f"{left_out:,} more databases" in hint) is bool(left_out)


def test_search_in_another_database_excludes_the_current_one() -> None:
    state = FormState(database="parts", state="{}")
    view = another_database_form(TWO, state)
    check_view(view)
    assert [option["value"] for option in fields(view)["database"]["options"]] == ["logos"]
    assert [option["value"] for option in fields(another_database_form([info()], state))["database"]["options"]] == [
        "parts"
    ]


def test_add_form_asks_for_database_entity_and_note() -> None:
    searches = [SearchState(file=f"F{n}", name=f"{n}.png", known=n == 1) for n in range(3)]
    view = add_form(TWO, STATE, chosen="parts", entity="valve_0042", note=HOSTILE, searches=searches)
    check_view(view)
    asked = fields(view)
    assert list(asked) == [InputId.PICTURES, InputId.DATABASE, InputId.ENTITY, InputId.NOTE]
    assert [option["value"] for option in asked["pictures"]["initial_options"]] == ["0", "2"]
    many = add_form(TWO, STATE, searches=[SearchState(file="F1", known=True)] * 20)
    check_view(many)
    assert fields(many)["pictures"]["type"] == "multi_static_select"
    assert len(fields(many)["pictures"]["initial_options"]) == 20
    assert asked["entity"]["initial_value"] == "valve_0042"
    assert asked["note"]["initial_value"] == HOSTILE
    assert asked["note"]["max_length"] == 512
    assert "All 3 images get the same id and note." in displayed(view["blocks"])
    assert add_form(TWO, STATE)["blocks"][0]["block_id"] == InputId.DATABASE


def test_delete_form_asks_for_the_name_and_carries_the_database() -> None:
    view = delete_database_form(info(), STATE)
    check_view(view)
    assert list(fields(view)) == [InputId.NAME]
    assert "`parts` (1,234 images)" in displayed(view["blocks"])[0]
    assert FormState.decode(view["private_metadata"]).database == "parts"


def test_form_shows_a_databases_current_setting() -> None:
    for hints in (True, False):
        view = database_settings_form(info(hints=hints), STATE)
        check_view(view)
        boxes = fields(view)[InputId.HINTS]
        assert [option["value"] for option in boxes.get("initial_options", [])] == (["hints"] if hints else [])
        assert boxes["optional"]
        assert FormState.decode(view["private_metadata"]).database == "parts"


def test_form_shows_a_channels_current_settings() -> None:
    view = watch_form(TWO, HERE, STATE, channel="C0OTHER")
    check_view(view)
    asked = fields(view)
    assert list(asked)[:3] == [InputId.MODE, InputId.DATABASE, InputId.MINIMUM]
    assert list(asked)[3:] == ["window", "own", "people", "exempt", "report_to", "quiet"]
    assert [chosen(asked[name]) for name in ("mode", "database")] == ["guard", "logos"]
    assert asked["minimum"]["initial_value"] == "8.5"
    assert FormState.decode(view["private_metadata"]).channel == "C0OTHER"
    assert "<#C0OTHER>" in displayed(view["blocks"])[0]


def test_form_asks_for_a_channel_if_none_is_given() -> None:
    view = watch_form(TWO, None, STATE)
    check_view(view)
    asked = fields(view)
    assert next(iter(asked)) == InputId.CHANNEL
    assert asked["channel"]["filter"] == {"include": ["public", "private"]}
    assert chosen(asked["mode"]) == "lookup"
    off = ChannelBinding(KEY.workspace, "C0HERE", ChannelMode.OFF)
    assert chosen(fields(watch_form(TWO, off, STATE, channel="C0HERE"))["mode"]) == "lookup"


def test_create_form_can_have_an_initial_name() -> None:
    view = create_database_form(STATE, name="parts")
    check_view(view)
    assert fields(view)[InputId.NAME]["initial_value"] == "parts"


def test_state_that_does_not_fit_into_a_modal_is_left_out() -> None:
    view = search_form(TWO, FormState(state='"' * 2000))
    check_view(view)
    assert view["private_metadata"] == ""


def test_home_shows_databases_and_channels_with_buttons() -> None:
    view = home_view(HomeContent(TWO, (HERE, ChannelBinding(KEY.workspace, "C0QUIET", ChannelMode.OFF)), "embedded"))
    check_view(view)
    said = " ".join(displayed(view["blocks"]))
    for part in (
        "`parts`  ·  1,234 images",
        "by <@U0MAKER>",
        "2 databases, 1,235 images. Search back end: `embedded`.",
        "Images shared in <#C0HERE> are checked against `logos`. Matches of 8.5 and higher are reported",
        "Images shared in <#C0QUIET> are ignored.",
    ):
        assert part in said
    rows = [block["elements"] for block in view["blocks"] if block["type"] == "actions"]
    # A menu is shown by its only option.
    labels = [[(element.get("options") or [element])[0]["text"]["text"] for element in row] for row in rows]
    assert labels == [
        ["Search by image", "Create a database", "Watch a channel"],
        ["Browse", "Add", "Settings", "Report"],
        ["Browse", "Add", "Settings", "Report"],
        ["Edit", "Add past pictures", "Stop watching"],
        ["Edit"],
    ]
    assert ListState.decode(rows[2][0]["value"]) == ListState(database="logos")
    assert {NameState.decode(element["value"]).database for element in rows[2][1:3]} == {"logos"}
    assert NameState.decode(rows[3][1]["value"]) == NameState(channel="C0HERE")


def test_empty_home_offers_to_create_a_database() -> None:
    view = home_view(HomeContent((), (), "embedded", "It can't be *reached*."))
    check_view(view)
    assert list(pressable(view["blocks"])) == ["Create a database"]
    assert ":warning: It can't be `*reached*.`" in displayed(view["blocks"])


@pytest.mark.parametrize(("databases", "channels"), [(10_000, 0), (0, 10_000), (10_000, 10_000), (3, 10_000)])
def test_home_with_thousands_of_databases_is_truncated_and_counted(databases: int, channels: int) -> None:
    view = home_view(HomeContent(many_databases(databases), (HERE,) * channels, "embedded", "It is down."))
    check_view(view)
    text = json.dumps(view)
    listed, watched = text.count("  \\u00b7  "), text.count("are checked against")
    assert listed + watched >= 40
    assert (f'"{databases - listed:,} more databases.' in text) is (databases > listed)
    assert (f'"{channels - watched:,} more channels.' in text) is (channels > watched)


@settings(max_examples=40, deadline=None)
@given(st.lists(infos, max_size=130), st.none() | bindings, texts, texts, st.integers(1, 10))
def test_every_form_is_within_the_limits(
    databases: list[DatabaseInfo], binding: ChannelBinding | None, typed: str, more: str, images: int
) -> None:
    databases = list({one.key: one for one in databases}.values())
    state = FormState(response_url=typed, channel=more, state=typed, database=more)
    for view in (
        search_form(
            databases,
            state,
            entered=FormInput(
                database=typed, url=typed * 7, searches=encode_searches([SearchState(file=typed)] * images)
            ),
            with_conversation=True,
        ),
        another_database_form(databases, state),
        add_form(
            databases, state, chosen=more, entity=typed, note=more * 2, searches=[SearchState(name=typed)] * images
        ),
        watch_form(databases, binding, state, channel=more),
        watch_form(databases, binding, state),
        create_database_form(state, name=typed),
        text_view(typed or "Note", more),
        home_view(HomeContent(tuple(databases), (binding,) * 9 if binding else (), typed, more)),
    ):
        check_view(view)


@given(database_names, st.booleans())
def test_every_database_has_its_forms(name: str, hints: bool) -> None:
    check_view(delete_database_form(info(name), STATE))
    check_view(database_settings_form(info(name, hints=hints), STATE))


def test_home_has_only_buttons_that_the_person_may_use() -> None:
    home = HomeContent(TWO, (), "embedded", changeable=frozenset({"logos"}))
    view = home_view(home)
    check_view(view)
    carried = [
        NameState.decode(element["value"]).database
        for block in view["blocks"]
        for element in block.get("elements", ())
        if element.get("action_id") in {ActionId.DELETE_DATABASE, ActionId.DATABASE_SETTINGS}
    ]
    assert carried == ["logos"]
    own = home_view(replace(home, changeable=None, changeable_channels=frozenset(), bindings=(HERE,)))
    check_view(own)
    assert "Settings" in pressable(own["blocks"])
    # Somebody else may change the channel.
    assert not {"Edit", "Stop watching"} & set(pressable(own["blocks"]))
    assert "<#C0HERE>" in json.dumps(own)


def test_database_is_deleted_from_its_settings_and_asked_twice() -> None:
    settings_form = database_settings_form(info(), STATE)
    check_view(settings_form)
    delete = pressable(settings_form["blocks"])["Delete this database"]
    assert (delete["action_id"], delete["style"]) == (ActionId.DELETE_DATABASE, "danger")
    assert "1,234 images" in delete["confirm"]["text"]["text"]
    assert list(fields(delete_database_form(info(), STATE))) == [InputId.NAME]
