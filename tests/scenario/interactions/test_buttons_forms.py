"""The buttons that open a form: search another database, add this image."""

from __future__ import annotations

import pytest

from tests.fakes.slack import GENERAL, SOMEONE, FakeSlack, Message, View
from tests.scenario.conftest import PictureServer, Start, fill
from tests.scenario.support.requests import (
    GASKET,
    UNRELATED,
    VALVE,
    act,
    action_ids,
    idle,
    images_of,
    key_of,
    run_command,
    submit_form,
)


async def share_and_wait(slack: FakeSlack, image: bytes, text: str = "", name: str = "picture.png") -> Message:
    """Share a picture, and return the answer in its thread."""
    message = await slack.upload(slack.host(image, name), text=text, mention=True)
    return await slack.wait_for_reply(GENERAL, message.ts)


async def form(slack: FakeSlack, message: Message, action_id: str, *, user: str = SOMEONE) -> View:
    """Press a button that opens a form, and return the form."""
    await act(slack, message, action_id, user=user)
    return await slack.wait_for_view(lambda view: bool(view.body.get("submit")), user=user)


async def test_another_database_is_searched_for_the_person_who_pressed(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    await fill(app, "logos", acme=VALVE)
    first = await share_and_wait(slack, VALVE, "in:parts")
    view = await form(slack, first, "results_another_database", user="U0OTHER")
    assert "parts" not in str(view.body["blocks"])
    answer = await submit_form(slack, view, database="logos")
    assert (answer.to, answer.thread_ts) == ("U0OTHER", first.thread_ts)
    assert "`acme`" in answer.everything
    assert "`logos`" in answer.everything
    assert "results_share" in action_ids(answer)
    assert slack.views("U0OTHER") == []


async def test_single_database_has_no_button_to_search_another(slack: FakeSlack, start: Start) -> None:
    await fill(await start(), "parts", valve_0042=VALVE)
    assert "results_another_database" not in action_ids(await share_and_wait(slack, VALVE))


async def test_database_deleted_while_the_form_was_open_is_explained(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    await fill(app, "logos", acme=VALVE)
    view = await form(slack, await share_and_wait(slack, VALVE, "in:parts"), "results_another_database")
    await app.services.databases.delete(key_of(app, "logos"))
    await slack.submit(view, {"database": "logos"})
    await slack.wait_until(lambda: "There is no database “logos” here." in str(view.errors))


async def test_adding_an_image_twice_reports_it_as_already_added(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", gasket_7=GASKET)
    answer = await share_and_wait(slack, VALVE, name="ball_valve.png")
    view = await form(slack, answer, "results_add_this")
    added = await submit_form(slack, view, entity="valve_0042", note="Ball valve, DN 25")
    assert "Added the image to `parts` as `valve_0042`." in added.everything
    assert "Ball valve, DN 25" in added.everything
    [record] = await images_of(app, "parts", "valve_0042")
    assert (record.note, record.added_by) == ("Ball valve, DN 25", SOMEONE)
    assert record.origin is not None
    assert (record.origin.channel, record.origin.message_ts) == (GENERAL, answer.thread_ts)
    assert record.origin.permalink.startswith("https://")
    again = await submit_form(slack, await form(slack, answer, "results_add_this"), entity="valve_0043")
    assert "already in `parts` as `valve_0042`" in again.everything
    assert await images_of(app, "parts", "valve_0043") == ()
    await idle(app)


async def test_default_entity_is_the_file_name(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", gasket_7=GASKET)
    view = await form(slack, await share_and_wait(slack, VALVE, name="Ball Valve.png"), "results_add_this")
    assert "as `Ball Valve`" in (await submit_form(slack, view)).everything


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [("entity", "x" * 65, "up to 64 characters"), ("entity", "a\u202eb", "an id must be printable")],
)
async def test_mistake_is_shown_at_its_field_and_changes_nothing(
    slack: FakeSlack, start: Start, field: str, value: str, says: str
) -> None:
    app = await start()
    await fill(app, "parts", gasket_7=GASKET)
    view = await form(slack, await share_and_wait(slack, VALVE), "results_add_this")
    await slack.submit(view, {field: value})
    await slack.wait_until(lambda: bool(view.errors))
    assert list(view.errors) == [field]
    assert says in view.errors[field].lower()
    info = await app.services.databases.find(key_of(app, "parts"))
    assert info.images == 1
    # Correct the mistake.
    assert "Added" in (await submit_form(slack, view, **{field: "mended"})).everything


async def test_url_is_added_from_its_answer(slack: FakeSlack, start: Start, pictures: PictureServer) -> None:
    app = await start(VSEARCH_TRUSTED_HOSTS=pictures.address)
    await fill(app, "parts", gasket_7=GASKET)
    answer = await run_command(slack, f"{pictures.url('stranger.png', UNRELATED)} min:0")
    added = await submit_form(slack, await form(slack, answer, "results_add_this"))
    assert "as `stranger`" in added.everything


async def test_duplicate_in_a_private_channel_is_not_named(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", gasket_7=GASKET)
    slack.add_channel("C0PRIVATE", "secrets", kind="private", members=["U0OTHER"])
    secret = await slack.upload(VALVE, channel="C0PRIVATE", user="U0OTHER", mention=True)
    theirs = await slack.wait_for_reply("C0PRIVATE", secret.ts)
    view = await form(slack, theirs, "results_add_this", user="U0OTHER")
    await submit_form(slack, view, entity="codename")
    answer = await share_and_wait(slack, VALVE)
    assert "codename" not in answer.everything
    again = await submit_form(slack, await form(slack, answer, "results_add_this"), entity="valve_0042")
    assert "already" in again.everything
    assert "codename" not in again.everything
