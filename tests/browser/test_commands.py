"""Slash commands, typed into the page's message box."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

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


async def test_listing_has_pages(slack: SlackPage) -> None:
    first = await slack.command("/vsearch list in:samples", "page 1 of")
    assert len(await widths(first)) == 8
    assert min(await widths(first)) > 0
    second = await slack.press(first, "Show more", "page 2 of")
    assert min(await widths(second)) > 0
    assert (
        await second.locator(".bk-text code").all_text_contents()
        != await first.locator(".bk-text code").all_text_contents()
    )
    await slack.press(second, "Show previous", "page 1 of")


async def test_entity_is_deleted_after_confirmation(slack: SlackPage) -> None:
    question = await slack.command("/vsearch delete pattern_oak in:samples", "pattern_oak")
    await slack.press(question, "Delete", "Deleted")
    await slack.command("/vsearch list in:samples prefix:pattern_oak", "no image")


@pytest.mark.parametrize("slack", [1200, 390], indirect=True)
async def test_mistyped_command_is_explained_and_run(slack: SlackPage) -> None:
    await slack.go_to("lookup")
    answer = await slack.command("/vsearch lst in:samples", "Did you mean")
    await slack.press(answer, "List “samples”", "page 1 of")
