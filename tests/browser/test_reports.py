"""A guard's report in the thread of a repost, and its buttons."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.browser.pages import SlackPage, widths

pytestmark = [
    pytest.mark.asyncio(loop_scope="package"),
    pytest.mark.parametrize("slack", [1200, 390], indirect=True),
]


async def test_report_is_read_at_a_glance_and_edited_in_place(slack: SlackPage) -> None:
    await slack.go_to("reposts")
    report = await slack.open_thread("My best one yet")
    await expect(report).to_contain_text("Posted before by @Lea Sato on")
    await expect(report).to_contain_text("(edited")
    await expect(report).to_contain_text("Now by @")
    await expect(report).not_to_contain_text("{")
    # The stand-in shows pictures by their address alone, so it has no content for the posted one, a file in Slack.
    await expect(report.locator(".bk-accessory-img")).to_have_count(2)
    assert min(await widths(report)) > 0
    assert await slack.page.evaluate("document.documentElement.scrollWidth") <= slack.width
    await slack.screenshot(f"report_{slack.width}")
    await report.get_by_role("button", name="OK this time", exact=True).click()
    await expect(report).to_contain_text("OK this time: @You")
    await expect(report.get_by_role("button", name="Never match these two again")).to_have_count(0)
    await slack.screenshot(f"report_settled_{slack.width}")
    await report.get_by_role("button", name="Undo: OK this time", exact=True).click()
    await expect(report).to_contain_text("undone by @You")
    await expect(report.get_by_role("button", name="Never match these two again")).to_be_visible()
