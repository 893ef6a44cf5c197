"""App Home as a person sees it: opening it, waiting for what it shows, and its pictures."""

from __future__ import annotations

from typing import Any

from tests.fakes.slack import SOMEONE, FakeSlack, View

URL = {"PUBLIC_BASE_URL": "https://bot.example"}
"""Settings of a bot whose pictures have an address."""


async def open_home(slack: FakeSlack, user: str = SOMEONE) -> View:
    """Open somebody's Home tab, and return it."""
    before = slack.home(user)
    seen = before.hash if before else ""
    await slack.open_home(user)
    return await slack.wait_for_home(lambda view: view.hash != seen, user=user)


async def wait_until_shown(slack: FakeSlack, home: View, text: str) -> None:
    """Wait until a Home tab shows a text."""
    await slack.wait_until(lambda: text in home.everything)


async def wait_until_hidden(slack: FakeSlack, home: View, text: str) -> None:
    """Wait until a Home tab no longer shows a text."""
    await slack.wait_until(lambda: text not in home.everything)


def covers(home: View) -> list[dict[str, Any]]:
    """Return the pictures beside the databases."""
    return [block["accessory"] for block in home.blocks if block.get("accessory", {}).get("type") == "image"]
