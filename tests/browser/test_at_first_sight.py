"""The demo right after its start. These tests come first, since one takes the README's screenshot."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from examples.demo.lifecycle import Demo
from tests.browser.pages import SlackPage, widths

pytestmark = pytest.mark.asyncio(loop_scope="package")

SMALLEST = 40
README_LIMIT = 300_000


async def test_first_page_shows_an_answer_with_its_pictures(slack: SlackPage) -> None:
    answer = slack.thread.locator(".msg", has_text="An edited copy is")
    await expect(answer).to_contain_text("label_tea")
    await expect(answer).to_contain_text("edited copy (cropped, mirrored), 9.")
    loaded = await widths(answer)
    assert len(loaded) == 2
    assert min(loaded) > SMALLEST
    await slack.widen_thread(by=110)
    await answer.locator(".bk-actions").scroll_into_view_if_needed()
    await expect(slack.page.locator(".msg.highlighted")).to_have_count(0)
    screenshot = await slack.screenshot("readme")
    assert screenshot.stat().st_size < README_LIMIT


async def test_photographed_part_is_found(slack: SlackPage) -> None:
    answer = await slack.open_thread("Which board is it?")
    await expect(answer).to_contain_text("board_vs_2026")
    assert min(await widths(answer)) > SMALLEST


async def test_unknown_pictures_are_reported_as_unknown(slack: SlackPage) -> None:
    await expect(await slack.open_thread("Do we have this one?")).to_contain_text("No close matches in samples")


async def test_collected_images_get_a_reaction(slack: SlackPage) -> None:
    await slack.go_to("catalogue")
    await expect(slack.messages.filter(has=slack.page.locator(".reaction"))).to_have_count(3)
    await expect(slack.messages.filter(has_text="Images shared in #catalogue are added to samples")).to_have_count(1)


async def test_edited_copy_is_reported_with_a_link_to_the_original(slack: SlackPage) -> None:
    await slack.go_to("reposts")
    answer = await slack.open_thread("My best one yet")
    await expect(answer).to_contain_text("this_morning")
    await expect(answer).to_contain_text("edited copy")
    await expect(answer).to_contain_text("Lea Sato")
    assert min(await widths(answer)) > SMALLEST
    await answer.get_by_role("link", name="original message").click()
    await expect(slack.page.locator(".msg.highlighted")).to_contain_text("Fog over the firs")


async def test_page_is_readable_on_a_phone(running: Demo, browser: Browser, screenshots: Path) -> None:
    context = await browser.new_context(viewport={"width": 390, "height": 800})
    page = SlackPage(await context.new_page(), screenshots)
    await page.page.goto(running.stand_in.address)
    await expect(page.thread.locator(".msg", has_text="An edited copy is")).to_be_in_viewport()
    await page.screenshot("phone_thread")
    await page.thread.locator(".thread-x").click()
    await expect(page.messages.last).to_be_in_viewport()
    await page.screenshot("phone_channel")
    assert await page.page.evaluate("document.documentElement.scrollWidth") <= 390
    await context.close()
