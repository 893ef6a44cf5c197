"""The page of an id, opened from a list."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.browser.pages import SlackPage

pytestmark = pytest.mark.asyncio(loop_scope="package")


async def test_page_of_an_id_shows_its_pictures_within_its_policy(slack: SlackPage) -> None:
    listing = await slack.command("/vsearch list in:samples", "page 1 of")
    address = await listing.get_by_role("link", name="open page").first.get_attribute("href")
    assert address
    page = await slack.page.context.new_page()
    refused: list[str] = []
    page.on("console", lambda message: refused.append(message.text))
    answer = await page.goto(address)
    assert answer is not None
    assert answer.status == 200
    await expect(page.get_by_role("heading")).to_be_visible()
    picture = page.get_by_role("img").first
    await expect(picture).not_to_have_js_property("naturalWidth", 0)
    # The style sheet applies, and the browser refused nothing of the page.
    assert await page.locator("ul").evaluate("list => getComputedStyle(list).display") == "grid"
    assert [text for text in refused if "favicon" not in text.lower() and "404" not in text] == []
    await page.set_viewport_size({"width": 390, "height": 800})
    assert await page.evaluate("document.documentElement.scrollWidth") <= 390
    await page.close()
