"""What App Home says is new: since the person's last opening, and as they may see it."""

from __future__ import annotations

from bot.app.slack_app import SlackApp
from bot.domain.channels import ChannelMode
from tests.fakes.slack import GENERAL, SOMEONE, FakeSlack
from tests.fakes.slack.payloads import event_body
from tests.scenario.conftest import Start, fill, fill_as
from tests.scenario.support.home import URL, open_home, wait_until_shown
from tests.scenario.support.requests import GASKET, VALVE, idle
from tests.scenario.support.shares import settled, watch

OTHER = "U0OTHER"


async def add_from(slack: FakeSlack, app: SlackApp, content: bytes, name: str, user: str = OTHER) -> None:
    """Share a picture in a channel that collects into ``parts``."""
    await watch(app, ChannelMode.COLLECT, "parts")
    shared = await slack.upload(slack.host(content, name), user=user)
    await slack.wait_for_reaction(shared)
    await settled(slack, app)


async def test_news_are_those_since_the_last_opening(slack: FakeSlack, start: Start) -> None:
    app = await start(**URL)
    await fill(app, "parts", valve_0042=VALVE)
    first = await open_home(slack)
    assert "In the last 7 days" in first.everything
    assert "`parts`: *1 new image*\n1 imported" in first.everything
    await add_from(slack, app, GASKET, "gasket.png")
    home = await open_home(slack)
    assert f"`parts`: *1 new image*\n1 by <@{OTHER}> in <#{GENERAL}>" in home.everything
    assert "Since your last visit, " in home.everything
    # A press shows the same news again.
    await slack.press_in_view(home, "unwatch_channel", about=GENERAL)
    await wait_until_shown(slack, home, "are ignored")
    assert "*1 new image*" in home.everything
    # Some clients open Home again after a press.
    assert "*1 new image*" in (await open_home(slack)).everything
    later = await open_home(slack, OTHER)
    assert "`parts`: *2 new images*" in later.everything
    later = await open_home(slack, OTHER)
    assert "Nothing new since your last visit, " in later.everything
    assert "new image" not in later.everything


async def test_repeated_delivery_of_an_opening_keeps_the_news(slack: FakeSlack, start: Start) -> None:
    app = await start(**URL)
    await fill(app, "parts")
    await open_home(slack)
    await fill_as(OTHER, app, "logos", {"valve": VALVE})
    event = {"type": "app_home_opened", "user": SOMEONE, "tab": "home", "event_ts": slack.state.ts()}
    payload = event_body(slack.state, slack.state.home, event)
    for _ in range(2):
        # As if another process got it the second time.
        app.wrapper._seen.clear()
        await slack.deliver("events_api", payload)
        await idle(app)
    home = slack.home()
    assert home is not None
    assert "`logos`: *1 new image*" in home.everything
