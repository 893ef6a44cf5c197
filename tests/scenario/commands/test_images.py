"""``/vsearch add``, ``list`` and ``delete``."""

from __future__ import annotations

import pytest

from bot.app.slack_app import SlackApp
from bot.domain.identifiers import EntityId, Note
from tests.fakes.slack import GENERAL, SOMEONE, FakeSlack, Message
from tests.scenario.conftest import PictureServer, Start, fill
from tests.scenario.support.requests import (
    GASKET,
    UNRELATED,
    VALVE,
    action_ids,
    control_ids,
    idle,
    images_of,
    key_of,
    press,
    run_command,
)

OTHER = "U0OTHER"
SECRET = "G0SECRET"


async def fill_with(app: SlackApp, database: str, count: int) -> None:
    """Fill a database with equal pictures."""
    services, key = app.services, key_of(app, database)
    await services.databases.create(key)
    for number in range(count):
        picture = await services.normaliser.picture(VALVE if number % 2 else GASKET)
        jpeg = await services.normaliser.jpeg(picture)
        again = type(picture)(
            picture.pixels, f"{number:064x}", picture.source_digest, picture.source_format, picture.source_size
        )
        await services.additions.add(key, again, jpeg, EntityId(f"part_{number:02d}"), Note())


async def collect_in_private_channel(slack: FakeSlack, app: SlackApp, picture: bytes, entity: str) -> Message:
    """Collect a picture in a private channel of two people."""
    slack.add_channel(SECRET, "secret", kind="private", members=[OTHER])
    await run_command(slack, "watch collect in:parts", channel=SECRET, user=OTHER)
    shared = await slack.upload(picture, channel=SECRET, user=OTHER, text=f"id:{entity}")
    await slack.wait_for_reaction(shared)
    await idle(app)
    return shared


async def test_url_is_added(slack: FakeSlack, start: Start, pictures: PictureServer) -> None:
    app = await start(VSEARCH_TRUSTED_HOSTS=pictures.address)
    await fill(app, "parts")
    address = pictures.url("Ball valve.png", VALVE).replace(" ", "%20")
    pictures.files["Ball valve.png"] = VALVE
    answer = await run_command(slack, f"add <{address}> in:parts note:“DN 25, brass”")
    assert "as `Ball valve`" in answer.everything
    assert "DN 25, brass" in answer.everything
    [record] = await images_of(app, "parts", "Ball valve")
    assert (record.note, record.added_by, record.origin) == ("DN 25, brass", SOMEONE, None)
    assert "`Ball valve`" in (await run_command(slack, f"{address} in:parts")).everything


async def test_channels_newest_image_is_added_with_its_origin(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts")
    shared = await slack.upload(VALVE)
    await slack.wait_for_reply(GENERAL, shared.ts)
    answer = await run_command(slack, 'add last in:parts id:valve_0042 note:"Ball valve"')
    assert "Added `picture.png` to `parts` as `valve_0042`." in answer.everything or "as `valve_0042`" in answer.text
    [record] = await images_of(app, "parts", "valve_0042")
    assert record.origin is not None
    assert (record.origin.channel, record.origin.message_ts) == (GENERAL, shared.ts)
    assert record.origin.permalink.endswith(shared.ts.replace(".", ""))


async def test_existing_image_is_not_added_again(slack: FakeSlack, start: Start, pictures: PictureServer) -> None:
    app = await start(VSEARCH_TRUSTED_HOSTS=pictures.address)
    await fill(app, "parts", valve_0042=VALVE)
    answer = await run_command(slack, f"add {pictures.url('v.png', VALVE)} in:parts id:another")
    assert "already in `parts` as `valve_0042`" in answer.everything
    assert await images_of(app, "parts", "another") == ()


async def test_duplicates_from_private_channels_are_not_named(
    slack: FakeSlack, start: Start, pictures: PictureServer
) -> None:
    app = await start(VSEARCH_TRUSTED_HOSTS=pictures.address)
    await fill(app, "parts")
    await collect_in_private_channel(slack, app, VALVE, "prototype")
    address = pictures.url("v.png", VALVE)
    strangers = await run_command(slack, f"add {address} in:parts")
    assert "already in `parts`." in strangers.everything
    assert "prototype" not in strangers.everything
    members = await run_command(slack, f"add {address} in:parts", user=OTHER)
    assert "as `prototype`" in members.everything


async def test_default_database_for_an_add(slack: FakeSlack, start: Start, pictures: PictureServer) -> None:
    app = await start(VSEARCH_TRUSTED_HOSTS=pictures.address)
    address = pictures.url("v.png", VALVE)
    nothing = await run_command(slack, f"add {address}")
    assert "no image database yet" in nothing.everything
    assert "create_database" in action_ids(nothing)
    await fill(app, "parts")
    assert "to `parts`" in (await run_command(slack, f"add {address}")).everything
    await fill(app, "logos")
    unclear = await run_command(slack, f"add {address}")
    assert "`in:logos`, `in:parts`" in unclear.everything
    assert "search" not in unclear.text
    await run_command(slack, "watch lookup in:logos")
    assert "to `logos`" in (await run_command(slack, f"add {address}")).everything


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("in:nowhere", "no database “nowhere”"),
        ("in:parts id:“Ventil\u202e3”", "An id must be printable"),
        (f"in:parts note:{'x' * 513}", "512"),
        ("in:parts spare valve", "Put a note in quotes"),
        ("in:parts top:3", "doesn't take `top:`"),
    ],
)
async def test_invalid_add_changes_nothing(
    slack: FakeSlack, start: Start, pictures: PictureServer, text: str, says: str
) -> None:
    app = await start(VSEARCH_TRUSTED_HOSTS=pictures.address)
    await fill(app, "parts")
    answer = await run_command(slack, f"add {pictures.url('v.png', VALVE)} {text}")
    assert says in answer.everything
    assert "No images in `parts` yet" in (await run_command(slack, "list in:parts")).everything


async def test_database_is_listed_page_by_page(slack: FakeSlack, start: Start) -> None:
    await fill_with(await start(VSEARCH_ADMINS=SOMEONE), "parts", 12)
    first = await run_command(slack, "list in:parts order:asc")
    assert "12 images in `parts`, oldest first, page 1 of 3" in first.text
    assert "`part_00`" in first.everything
    assert "`part_05`" not in first.everything
    order = ["list_sort", "list_jump"]
    assert control_ids(first) == [*order, *["edit_image", "image_menu"] * 5, "list_page:next"]
    await slack.press(first, "list_page:next")
    second = await slack.wait_for_edit(first)
    assert "`part_05`" in second.everything
    assert "page 2 of 3" in second.text
    await slack.press(second, "list_page:next")
    third = await slack.wait_for_edit(second)
    assert control_ids(third) == [*order, *["edit_image", "image_menu"] * 2, "list_page:previous"]
    assert "`part_11`" in third.everything
    await slack.press(third, "list_page:previous")
    assert "page 2 of 3" in (await slack.wait_for_edit(third)).text
    # It stays one message, visible to its reader only.
    assert [message.to for message in slack.transcript] == [SOMEONE]


async def test_listing_shows_pictures_and_accepts_a_prefix(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_1=VALVE, valve_2=UNRELATED, gasket=GASKET)
    answer = await run_command(slack, "list prefix:valve in:parts")
    assert "2 images in `parts` with an id that starts with `valve`, newest first" in answer.text
    assert "About valve_1" in answer.everything
    assert "gasket" not in answer.everything
    pictures = [block for block in answer.blocks if block["type"] == "image"]
    assert [picture["alt_text"] for picture in pictures] == [
        "Image 1 in parts: valve_2, About valve_2",
        "Image 2 in parts: valve_1, About valve_1",
    ]


async def test_listing_leaves_out_images_hidden_from_the_reader(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    await collect_in_private_channel(slack, app, GASKET, "prototype")
    strangers = await run_command(slack, "list in:parts")
    assert "`valve_0042`" in strangers.everything
    assert "prototype" not in strangers.everything
    assert "1 image in `parts`" in strangers.text
    assert "from a conversation" not in strangers.everything
    members = await run_command(slack, "list in:parts", user=OTHER)
    assert "`prototype`" in members.everything
    assert "2 images in `parts`" in members.text
    # A database that hints at hidden images counts them for everybody.
    await app.services.storage.catalogue.set_hints(key_of(app, "parts"), hints_at_hidden=True)
    strangers = await run_command(slack, "list in:parts")
    assert "2 images in `parts`" in strangers.text
    assert "1 image on this page is from a conversation that you can't see" in strangers.everything
    assert "prototype" not in strangers.everything


async def test_prefix_listing_does_not_reveal_hidden_images(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    await collect_in_private_channel(slack, app, GASKET, "prototype")
    hidden = await run_command(slack, "list in:parts prefix:prot")
    nothing = await run_command(slack, "list in:parts prefix:nota")
    assert hidden.everything.replace("prot", "nota") == nothing.everything
    assert "1 image in `parts`" in (await run_command(slack, "list in:parts prefix:prot", user=OTHER)).text


async def test_hidden_images_are_counted_if_the_database_hints(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    await collect_in_private_channel(slack, app, GASKET, "prototype")
    await app.services.storage.catalogue.set_hints(key_of(app, "parts"), hints_at_hidden=True)
    answer = await run_command(slack, "list in:parts")
    assert "1 image on this page is from a conversation that you can't see" in answer.everything
    assert "prototype" not in answer.everything
    # But not by their ids, which could be guessed letter by letter.
    guesses = [await run_command(slack, f"list in:parts prefix:{guess}") for guess in ("prot", "nota")]
    assert guesses[0].everything.replace("prot", "nota") == guesses[1].everything


async def test_page_of_a_deleted_database_says_so(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill_with(app, "parts", 9)
    first = await run_command(slack, "list in:parts")
    await app.services.databases.delete(key_of(app, "parts"))
    answer = await press(slack, first, "list_page:next")
    assert "no database “parts”" in answer.text


async def test_page_beyond_the_end_shows_the_last_page(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill_with(app, "parts", 9)
    first = await run_command(slack, "list in:parts order:asc")
    await app.services.deletions.delete(key_of(app, "parts"), EntityId("part_08"))
    await slack.press(first, "list_page:next")
    second = await slack.wait_for_edit(first)
    assert action_ids(second)[-1:] == ["list_page:previous"]
    assert "8 images" in second.text


async def test_entity_is_deleted_after_confirmation(slack: FakeSlack, start: Start) -> None:
    slack.add_person(SOMEONE, is_admin=True)
    app = await start()
    await fill(app, "parts", valve_0042=VALVE, gasket_7=GASKET)
    question = await run_command(slack, "delete valve_0042 in:parts")
    assert "can't be undone" in question.everything
    [delete] = [e for b in question.blocks for e in b.get("elements", ()) if e["action_id"] == "delete_entity"]
    assert delete["style"] == "danger"
    assert "Delete valve_0042?" in str(delete["confirm"])
    assert len(await images_of(app, "parts", "valve_0042")) == 1
    await slack.press(question, "delete_entity")
    done = await slack.wait_for_edit(question)
    assert "Deleted 1 image of `valve_0042` from `parts`." in done.everything
    assert action_ids(done) == []
    assert await images_of(app, "parts", "valve_0042") == ()
    assert len(await images_of(app, "parts", "gasket_7")) == 1


async def test_confirmation_can_be_cancelled(slack: FakeSlack, start: Start) -> None:
    slack.add_person(SOMEONE, is_admin=True)
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    question = await run_command(slack, "delete valve_0042 in:parts")
    await slack.press(question, "dismiss")
    await slack.wait_for_deletion(question)
    assert len(await images_of(app, "parts", "valve_0042")) == 1


async def test_person_who_added_all_images_of_an_entity_may_delete_it(
    slack: FakeSlack, start: Start, pictures: PictureServer
) -> None:
    app = await start(VSEARCH_TRUSTED_HOSTS=pictures.address)
    await fill(app, "parts")
    await run_command(slack, f"add {pictures.url('v.png', VALVE)} in:parts id:valve", user=OTHER)
    refused = await run_command(slack, "delete valve in:parts")
    assert "can delete them" in refused.text
    assert action_ids(refused) == []
    question = await run_command(slack, "delete valve in:parts", user=OTHER)
    await run_command(slack, f"add {pictures.url('g.png', GASKET)} in:parts id:valve")
    # Meanwhile, somebody else added one of them.
    answer = await press(slack, question, "delete_entity", user=OTHER)
    assert "can delete them" in answer.text
    assert len(await images_of(app, "parts", "valve")) == 2


async def test_entity_deleted_meanwhile_is_named(slack: FakeSlack, start: Start) -> None:
    slack.add_person(SOMEONE, is_admin=True)
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    question = await run_command(slack, "delete valve_0042 in:parts")
    await app.services.deletions.delete(key_of(app, "parts"), EntityId("valve_0042"))
    answer = await press(slack, question, "delete_entity")
    assert "“parts” has no image with the id “valve_0042”" in answer.text


async def test_unknown_and_hidden_entities_get_the_same_answer(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    await collect_in_private_channel(slack, app, GASKET, "prototype")
    hidden = await run_command(slack, "delete prototype in:parts")
    unknown = await run_command(slack, "delete imaginary in:parts")
    assert hidden.everything.replace("prototype", "imaginary") == unknown.everything
