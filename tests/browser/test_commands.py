"""Slash commands, typed into the page's message box."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser, Locator, expect

from examples.demo.lifecycle import Demo
from tests.browser.pages import SlackPage, widths

pytestmark = pytest.mark.asyncio(loop_scope="package")


@pytest.mark.parametrize("slack", [1200, 390], indirect=True)
async def test_help_is_short_and_explains_each_topic(slack: SlackPage) -> None:
    await slack.go_to("lookup")
    answer = await slack.command("/vsearch help", "Has your team seen this image before?")
    await expect(answer).to_contain_text("only visible to you")
    await slack.press(answer, "Watch a channel", "/vsearch watch guard in:parts")
    await slack.command("/vsearch help correct", "/vsearch rename IMG_1234")


async def test_database_list_shows_sizes(slack: SlackPage) -> None:
    answer = await slack.command("/vsearch db", "2 image databases")
    await expect(answer).to_contain_text("samples")
    await expect(answer).to_contain_text("reposts")


@pytest.mark.parametrize("slack", [1200, 390], indirect=True)
async def test_words_find_images_with_their_pictures(slack: SlackPage) -> None:
    await slack.go_to("lookup")
    found = await slack.command("/vsearch find gear in:samples", "gear_24t")
    loaded = await widths(found)
    assert loaded
    assert min(loaded) > 0
    assert await slack.page.evaluate("document.documentElement.scrollWidth") <= slack.width
    await found.scroll_into_view_if_needed()
    await slack.screenshot(f"find_{slack.width}")


async def large_pictures(within: Locator) -> list[int]:
    """Return the widths at which the large pictures of a message are shown, once all are loaded."""
    pictures = within.locator(".bk-image img")
    for picture in await pictures.all():
        await picture.scroll_into_view_if_needed()
        await expect(picture).not_to_have_js_property("naturalWidth", 0)
    return [int(width) for width in await pictures.evaluate_all("images => images.map(image => image.clientWidth)")]


async def test_gallery_has_pages_and_a_menu(slack: SlackPage) -> None:
    first = await slack.command("/vsearch list in:samples", "page 1 of")
    shown = await large_pictures(first)
    # Large enough to recognise what they show.
    assert (len(shown), min(shown) > 150) == (5, True)
    await slack.screenshot("list_desktop")
    second = await slack.press(first, "Show more", "page 2 of")
    assert min(await large_pictures(second)) > 150
    assert (
        await second.locator(".bk-text code").all_text_contents()
        != await first.locator(".bk-text code").all_text_contents()
    )
    sorted_by_id = second.locator(".bk-select:not(.bk-overflow)").select_option(label="By id")
    await slack.awaited("by id, page 1 of", sorted_by_id)
    similar = await slack.awaited(
        "Similar to", second.locator(".bk-overflow").first.select_option(label="Find similar")
    )
    await expect(similar).to_contain_text("in samples")


async def test_gallery_is_readable_on_a_phone(running: Demo, browser: Browser, screenshots: Path) -> None:
    context = await browser.new_context(viewport={"width": 390, "height": 800})
    page = SlackPage(await context.new_page(), screenshots)
    await page.page.goto(running.stand_in.address)
    await page.thread.locator(".thread-x").click()
    gallery = await page.command("/vsearch list in:samples order:id", "by id, page 1 of")
    shown = await large_pictures(gallery)
    assert len(shown) == 5
    assert 150 < min(shown) <= max(shown) <= 390
    assert await page.page.evaluate("document.documentElement.scrollWidth") <= 390
    await page.screenshot("list_phone")
    await context.close()


async def test_entity_is_deleted_after_confirmation(slack: SlackPage) -> None:
    question = await slack.command("/vsearch delete pattern_oak in:samples", "pattern_oak")
    await slack.press(question, "Delete", "Deleted")
    await slack.command("/vsearch list in:samples prefix:pattern_oak", "no image")


@pytest.mark.parametrize("slack", [1200, 390], indirect=True)
async def test_mistyped_command_is_explained_and_run(slack: SlackPage) -> None:
    await slack.go_to("lookup")
    answer = await slack.command("/vsearch lst in:samples", "Did you mean")
    await slack.press(answer, "List “samples”", "page 1 of")
