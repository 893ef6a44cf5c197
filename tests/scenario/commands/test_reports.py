"""What was asked and not found: a private report for a database's owner, with a chart, a table and a CSV."""

from __future__ import annotations

import csv
import io

from bot.blocks.ids import ActionId
from bot.domain.channels import ChannelMode
from tests.fakes.slack import GENERAL, SOMEONE, FakeSlack, Message
from tests.scenario.conftest import Start, fill, fill_as
from tests.scenario.privacy.private_images import ADMIN, reveals_nothing, start_with_private_image
from tests.scenario.support.requests import GASKET, UNRELATED, VALVE, idle, key_of, press, run_command
from tests.scenario.support.shares import ORIGINAL, settled, watch

OTHER = "U0OTHER"


async def ask(slack: FakeSlack, *pictures: bytes, text: str = "") -> Message:
    shared = await slack.upload(*pictures, text=text, mention=True)
    return await slack.wait_for_reply(GENERAL, shared.ts)


async def test_report_counts_answers_labels_and_reposts(slack: FakeSlack, start: Start) -> None:
    app = await start(VSEARCH_ADMINS=SOMEONE)
    await fill(app, "parts", valve_0042=VALVE, gasket=GASKET)
    empty = await run_command(slack, "report in:parts")
    assert "Nothing was asked yet." in empty.everything
    answer = await ask(slack, VALVE)
    await ask(slack, GASKET, VALVE)
    await ask(slack, UNRELATED, text="min:9")
    # Another page of an answer, or another look at it, is no new question.
    for user, verdict in ((SOMEONE, "positive_button"), (OTHER, "negative_button"), (OTHER, "positive_button")):
        await slack.press(answer, "feedback", user=user, value=verdict)
        # Presses at the same time may be handled in another order.
        await idle(app)
    await watch(app, ChannelMode.GUARD, "parts")
    await slack.upload(VALVE)
    await settled(slack, app)
    await idle(app)
    report = await run_command(slack, "report in:parts")
    assert report.to == SOMEONE
    assert "4 pictures asked · 3 answered (75 %) · 1 not found · 2 judged right, 0 wrong" in report.everything
    assert "*Most found:* `valve_0042` 2×, `gasket` 1×" in report.everything
    assert "*Most reposted:* `valve_0042` 1×" in report.everything
    [chart] = [block for block in report.blocks if block["type"] == "image"]
    assert chart["alt_text"]
    told = await press(slack, report, "run_command")
    assert "I sent you the report directly" in told.text
    [file] = [file for file in slack.state.files.values() if file.info.get("name") == "report_parts.csv"]
    rows = list(csv.DictReader(io.StringIO(file.content.decode())))
    assert len(rows) == 12
    assert {name: int(rows[-1][name]) for name in ("answered", "sure", "not_found", "right", "wrong", "reposts")} == {
        "answered": 3,
        "sure": 3,
        "not_found": 1,
        "right": 2,
        "wrong": 0,
        "reposts": 1,
    }


async def test_report_is_for_owners_and_admins_alone(slack: FakeSlack, start: Start) -> None:
    app = await start(VSEARCH_ADMINS="U0BOSS")
    await fill_as(SOMEONE, app, "parts", {"valve_0042": VALVE})
    await ask(slack, VALVE)
    for text in ("report in:parts", "report in:parts csv"):
        refused = await run_command(slack, text, user=OTHER)
        assert "Only admins and whoever created “parts”" in refused.text
        assert "valve_0042" not in refused.everything
    assert "1 picture asked" in (await run_command(slack, "report in:parts", user="U0BOSS")).everything
    mistake = await run_command(slack, "report in:parts weekly", user="U0BOSS")
    assert "`report` doesn't take “weekly”" in mistake.text


async def test_report_names_no_ids_that_its_reader_may_not_see(slack: FakeSlack, start: Start) -> None:
    app = await start_with_private_image(slack, start, "private")
    slack.add_person(ADMIN, is_admin=True)
    asked = await slack.upload(ORIGINAL, channel="C0THERE", user="U0INSIDER", mention=True)
    await slack.wait_for_reply("C0THERE", asked.ts)
    report = await run_command(slack, "report in:parts", user=ADMIN)
    assert "1 answered" in report.everything
    assert reveals_nothing(report)
    await idle(app)


async def report_from_home(slack: FakeSlack, user: str) -> Message:
    await slack.open_home(user)
    home = await slack.wait_for_home(user=user)
    before = len(slack.transcript)
    await slack.press_in_view(home, ActionId.DATABASE_MENU, value="report|parts")
    return await slack.wait_for(lambda m: m in slack.transcript[before:] and "What was asked" in m.text)


async def test_report_opens_from_home_for_owners_and_admins(slack: FakeSlack, start: Start) -> None:
    app = await start(VSEARCH_ADMINS="U0BOSS")
    await app.services.databases.create(key_of(app, "parts"), SOMEONE)
    await ask(slack, VALVE)
    for user in (SOMEONE, "U0BOSS"):
        report = await report_from_home(slack, user)
        assert "1 picture asked" in report.everything
        assert slack.state.channels[report.channel].members == [user]
    # Others have no menu, and an old one does nothing for them.
    home = await slack.wait_for_home(user=SOMEONE)
    await slack.open_home(OTHER)
    assert ActionId.DATABASE_MENU not in (await slack.wait_for_home(user=OTHER)).everything
    await slack.press_in_view(home, ActionId.DATABASE_MENU, user=OTHER, value="report|parts")
    await slack.wait_for(lambda m: "Only admins and whoever created “parts”" in m.text)
    await idle(app)
