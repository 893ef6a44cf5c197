"""A picture posted on the page, the answer in its thread, and the answer's buttons."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.async_api import Locator, expect

from tests.browser.pages import SlackPage, widths

pytestmark = pytest.mark.asyncio(loop_scope="package")


@pytest.fixture
def pictures(samples: Path) -> Path:
    """The pictures that the terminal suggests."""
    return samples.parent / "try"


async def post_picture(slack: SlackPage, file: Path, text: str) -> Locator:
    """Post a picture, and return the bot's answer."""
    await slack.attach(file, text)
    return await slack.open_thread(text)


async def test_posted_picture_is_answered_with_its_match(slack: SlackPage, pictures: Path) -> None:
    answer = await post_picture(slack, pictures / "poster_on_a_blog.jpg", "seen on a blog")
    await expect(answer).to_contain_text("poster_cape_north")
    await expect(answer).to_contain_text("edited copy (cropped, mirrored), 9.")
    await expect(answer).to_contain_text(re.compile(r"9\.\d/10"))
    assert min(await widths(answer)) > 0


async def test_more_button_shows_further_matches(slack: SlackPage, pictures: Path) -> None:
    answer = await post_picture(slack, pictures / "part_on_the_bench.jpg", "min:0 what else is there")
    await expect(answer).to_contain_text("top 5 of")
    more = await slack.press(answer, "Show more", "Matches 6 to 10")
    assert len(await widths(more)) == 5
    assert min(await widths(more)) > 0
    before = await slack.press(more, "Show previous", "top 5 of")
    await expect(before).to_contain_text("gear_24t")


async def test_another_database_can_be_searched_and_the_answer_shared(slack: SlackPage, pictures: Path) -> None:
    answer = await post_picture(slack, pictures / "planet_flipped.jpg", "a planet")
    await expect(answer).to_contain_text("scene_planet")
    await slack.choose(answer, "Search another database")
    await expect(slack.modal.locator("select")).to_contain_text("reposts")
    elsewhere = await slack.awaited("render", slack.submit("Search"))
    await expect(elsewhere).to_contain_text("only visible to you")
    await expect(elsewhere).to_contain_text("in reposts")
    await expect(slack.modal).to_have_count(0)
    await elsewhere.get_by_role("button", name="Share to channel").click()
    shared = slack.page.locator(".msg", has_text="Shared by").last
    await expect(shared).to_contain_text("Shared by @You")
    await expect(shared).not_to_contain_text("only visible to you")
    await expect(shared.get_by_role("link", name="the picture")).to_be_visible()


async def test_posted_picture_can_be_added(slack: SlackPage, samples: Path, tmp_path: Path) -> None:
    file = tmp_path / "new_in_stock.png"
    file.write_bytes((samples.parent / "try" / "part_on_the_bench.jpg").read_bytes())
    answer = await post_picture(slack, file, "add this one")
    await answer.get_by_role("button", name="Add image").click()
    name = slack.modal.locator(".bk-input", has_text="Id of what the image shows").locator("input")
    await expect(slack.modal.locator("select")).to_have_value("samples")
    await name.fill("gear_on_bench")
    # It is a photo of the gear that is there.
    question = await slack.awaited("Add it anyway?", slack.submit("Add"))
    await expect(slack.modal).to_have_count(0)
    added = await slack.awaited("gear_on_bench", question.get_by_role("button", name="Add anyway").click())
    await expect(added).to_contain_text("samples")
    await slack.command("/vsearch list in:samples prefix:gear_on", "gear_on_bench")
