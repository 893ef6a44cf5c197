"""The pictures beside the databases in App Home: signed links, uploads, and what Slack refuses."""

from __future__ import annotations

from tests.fakes.slack import FakeSlack
from tests.scenario.conftest import Start, fill
from tests.scenario.support.home import URL, covers, open_home
from tests.scenario.support.requests import VALVE, idle


async def test_pictures_of_databases_are_signed_links(slack: FakeSlack, start: Start) -> None:
    app = await start(**URL)
    await fill(app, "parts", valve_0042=VALVE)
    await fill(app, "empty")
    home = await open_home(slack)
    [cover] = covers(home)
    assert cover["image_url"].startswith("https://bot.example/media/")
    assert cover["alt_text"] == "The newest image in parts: valve_0042"
    await idle(app)
    assert len(slack.calls("views.publish")) == 1


async def test_pictures_without_an_address_follow_once_they_are_uploaded(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    await open_home(slack)
    await idle(app)
    first, second = slack.calls("views.publish")
    home = slack.home()
    assert home is not None
    assert "hash" not in first.args
    assert "slack_file" not in str(first.args)
    # Nothing newer is replaced.
    assert second.args["hash"]
    [cover] = covers(home)
    assert slack.state.files[cover["slack_file"]["id"]].given_to_app is False
    await open_home(slack)
    await idle(app)
    assert len(slack.calls("views.publish")) == 3


async def test_picture_that_slack_refuses_is_left_out(slack: FakeSlack, start: Start) -> None:
    app = await start(**URL)
    await fill(app, "parts", valve_0042=VALVE)
    slack.refuse_next("views.publish", "invalid_arguments")
    home = await open_home(slack)
    assert covers(home) == []
    assert "`parts`  ·  1 image" in home.everything
