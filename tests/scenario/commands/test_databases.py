"""``/vsearch db``, ``db create`` and ``db delete``."""

from __future__ import annotations

import pytest

from bot.adapters.embedded.calibration import curves
from bot.adapters.embedded.engine import EmbeddedSearch
from bot.domain.catalogue import SlackOrigin
from bot.domain.channels import ChannelKind
from bot.domain.identifiers import EntityId, Note
from tests.fakes.slack import SOMEONE, FakeSlack
from tests.scenario.conftest import Start, fill
from tests.scenario.support.requests import (
    GASKET,
    UNRELATED,
    VALVE,
    action_ids,
    key_of,
    names_of,
    press,
    run_command,
)

OTHER = "U0OTHER"


async def test_databases_are_listed_with_their_sizes(slack: FakeSlack, start: Start) -> None:
    app = await start()
    nothing = await run_command(slack, "db")
    assert "no image database yet" in nothing.everything
    assert action_ids(nothing) == ["create_database"]
    await fill(app, "parts", valve_0042=VALVE, gasket_7=GASKET)
    await fill(app, "logos", acme=VALVE)
    answer = await run_command(slack, "db")
    assert "2 image databases" in answer.text
    assert "`logos`  ·  1 image\n`parts`  ·  2 images" in answer.everything
    assert action_ids(answer) == ["create_database"]


async def test_fitted_scores_are_said_to_whoever_sees_all_images(
    slack: FakeSlack, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = await start()
    await fill(app, "parts", gasket_7=GASKET, wheel=UNRELATED)
    await fill(app, "logos", acme=VALVE)
    visual, parts = app.services.visual, key_of(app, "parts")
    assert isinstance(visual, EmbeddedSearch)
    assert "fitted" not in (await run_command(slack, "db")).everything
    monkeypatch.setattr(curves, "SELF_CALIBRATED_FROM", 2)
    assert await visual.self_calibrate(parts) == 2
    await visual.calibrator.set_manual_curve(key_of(app, "logos"), ((0.2, 0.0), (1.0, 8.9)))
    for command in ("db", "status"):
        said = (await run_command(slack, command)).everything
        assert "`logos`  ·  1 image  ·  scores fitted by hand" in said
        assert "`parts`  ·  2 images  ·  scores fitted to its own pictures at 2 images" in said
        assert "`vsearch calibrate &lt;database&gt; --reset`" in said
    # The number of images is that of all.
    slack.add_channel("C0PRIVATE", "secrets", kind="private")
    picture, jpeg = await app.services.normaliser.picture_and_jpeg(VALVE)
    origin = SlackOrigin("F0SECRET", "C0PRIVATE", "1.2", "", ChannelKind.PRIVATE)
    await app.services.additions.add(parts, picture, jpeg, EntityId("secret_valve"), Note(), origin=origin)
    assert "fitted to its own" not in (await run_command(slack, "db", user=OTHER)).everything
    for name in ("parts", "logos"):
        await visual.calibrator.set_manual_curve(key_of(app, name), None)
    assert "fitted" not in (await run_command(slack, "status")).everything


async def test_database_is_created(slack: FakeSlack, start: Start) -> None:
    app = await start()
    answer = await run_command(slack, "db create Parts")
    assert "Created the database `parts`." in answer.everything
    assert "`/vsearch add last in:parts`" in answer.everything
    [info] = await app.services.databases.all(key_of(app, "parts").workspace)
    assert info.created_by == SOMEONE


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("p", "2 to 64"),
        ("x" * 65, "2 to 64"),
        ("Ersatz-Teile", "Did you mean `ersatz_teile`?"),
        ("spare parts", "Did you mean `spare_parts`?"),
        ("<!channel>", "2 to 64"),
        ("", "Which database should I create?"),
        ("taken", "A database named “taken” already exists. Choose another name."),
    ],
)
async def test_invalid_name_creates_nothing(slack: FakeSlack, start: Start, name: str, says: str) -> None:
    app = await start()
    await fill(app, "taken")
    answer = await run_command(slack, f"db create {name}")
    assert says in answer.everything
    assert "<!channel" not in answer.everything
    assert await names_of(app) == ["taken"]


async def test_database_is_deleted_when_its_name_is_typed(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await run_command(slack, "db create parts")
    await slack.command("db delete parts")
    form = await slack.wait_for_view("delete_database_form")
    assert "`parts` (0 images)" in form.everything
    answer = await slack.submit(form, {"name": "party"})
    assert answer["response_action"] == "errors"
    assert form.errors == {"name": "That's not its name. Type parts to delete it."}
    assert await names_of(app) == ["parts"]
    await slack.submit(form, {"name": " Parts"})
    notice = await slack.wait_for(lambda m: "Deleted the database `parts`" in m.text)
    assert notice.to == SOMEONE
    assert slack.views() == []
    assert await names_of(app) == []


async def test_only_creators_and_admins_delete_databases(slack: FakeSlack, start: Start) -> None:
    app = await start(VSEARCH_ADMINS="U0BOSS")
    await run_command(slack, "db create parts")
    refused = await run_command(slack, "db delete parts", user=OTHER)
    assert "can delete it" in refused.text
    assert slack.views(OTHER) == []
    unknown = await run_command(slack, "db delete prats", user=OTHER)
    assert "Did you mean “parts”?" in unknown.text
    slack.add_person("U0OWNER", is_owner=True)
    for user in ("U0BOSS", "U0OWNER"):
        await slack.command("db delete parts", user=user)
        await slack.wait_for_view("delete_database_form", user=user)
    assert await names_of(app) == ["parts"]


async def test_former_admins_cannot_delete(slack: FakeSlack, start: Start) -> None:
    app = await start(VSEARCH_ADMINS="U0BOSS")
    await fill(app, "parts")
    await slack.command("db delete parts", user="U0BOSS")
    form = await slack.wait_for_view("delete_database_form", user="U0BOSS")
    # Simulates a form that an admin opened and somebody else submitted.
    await slack.submit(form, {"name": "parts"}, user=OTHER)
    await slack.wait_until(lambda: "can delete it" in form.errors.get("name", ""))
    assert await names_of(app) == ["parts"]


async def test_database_deleted_meanwhile_is_named(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await run_command(slack, "db create parts")
    await slack.command("db delete parts")
    form = await slack.wait_for_view("delete_database_form")
    await app.services.databases.delete(key_of(app, "parts"))
    await slack.submit(form, {"name": "parts"})
    await slack.wait_until(lambda: "no database “parts”" in form.errors.get("name", ""))


async def test_expired_trigger_is_explained(slack: FakeSlack, start: Start) -> None:
    await start()
    await run_command(slack, "db create parts")
    before = len(slack.transcript)
    slack.refuse_next("views.open", "expired_trigger_id")
    await slack.command("db delete parts")
    assert "Please try again" in (await slack.wait_for_answer(after=before)).text


async def test_buttons_explain_that_forms_are_unavailable(slack: FakeSlack, start: Start) -> None:
    await start()
    nothing = await run_command(slack, "db")
    slack.refuse_next("views.open", "unknown_method", times=2)
    assert "/vsearch" in (await press(slack, nothing, "create_database")).everything
    assert "/vsearch" in (await run_command(slack, "")).everything


async def test_button_creates_a_database(slack: FakeSlack, start: Start) -> None:
    app = await start()
    nothing = await run_command(slack, "db")
    await slack.press(nothing, "create_database")
    form = await slack.wait_for_view("create_database_form")
    await slack.submit(form, {"name": "spare parts"})
    assert "2 to 64" in form.errors["name"]
    assert "`" not in form.errors["name"]
    await slack.submit(form, {"name": "Parts"})
    created = await slack.wait_for(lambda m: "Created the database `parts`" in m.text)
    assert created.to == SOMEONE
    assert slack.views() == []
    assert await names_of(app) == ["parts"]


async def test_taken_name_is_reported_at_its_field(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts")
    await slack.press(await run_command(slack, "db"), "create_database")
    form = await slack.wait_for_view("create_database_form")
    await slack.submit(form, {"name": "parts"})
    assert form.errors == {"name": "A database named “parts” already exists. Choose another name."}
    assert slack.views() == [form]
