"""Every state of an answer, on a wide page and on a phone's. The pictures are really loaded."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageOps
from playwright.async_api import expect

from tests.browser.pages import SlackPage, widths

pytestmark = [
    pytest.mark.asyncio(loop_scope="package"),
    pytest.mark.parametrize("slack", [1200, 390], indirect=True),
]


@pytest.fixture
def flat(tmp_path: Path) -> Path:
    """A picture of one colour."""
    file = tmp_path / "flat.png"
    Image.new("RGB", (320, 240), (40, 90, 160)).save(file)
    return file


@pytest.fixture
def strange(tmp_path: Path) -> Path:
    """A picture that resembles none of the samples."""
    file = tmp_path / "strange.png"
    Image.effect_noise((320, 240), 120).resize((640, 480)).convert("RGB").save(file)
    return file


async def test_plain_hit_is_one_line_with_a_large_picture(slack: SlackPage, samples: Path) -> None:
    await slack.go_to("lookup")
    answer = await slack.post("a plain hit", samples / "maze.png")
    await expect(answer).to_contain_text("The same image is in samples")
    await expect(answer).to_contain_text(re.compile(r"1\.\s+Maze, 30 × 22\s+·\s+figure_maze\s+·\s+same image, 10/10"))
    await expect(answer).not_to_contain_text("<!date")
    assert min(await widths(answer)) > 200
    assert await answer.locator(".bk-actions").count() == 1
    await slack.press_in_thread(answer, "Show weaker matches", "Matches 2 to 6")


async def test_pictures_of_one_entity_open_from_its_row(slack: SlackPage, samples: Path, tmp_path: Path) -> None:
    await slack.go_to("catalogue")
    with Image.open(samples / "spur_gear.png") as whole:
        for margin in (10, 20):
            file = tmp_path / f"gear_{margin}_{slack.width}.png"
            whole.convert("RGB").crop((margin, 0, whole.width, whole.height - slack.width // 100)).save(file)
            await slack.attach(file, "id:gear_24t")
            await expect(slack.messages.last.locator(".reaction")).to_be_visible()
    await slack.go_to("lookup")
    answer = await slack.post("which gear is it", samples / "spur_gear.png")
    photos = answer.get_by_role("button", name=re.compile(r"All \d photos"))
    await expect(photos).to_be_visible()
    await photos.click()
    gallery = slack.page.locator(".msg", has_text=re.compile(r"(\d photos|Photos 1 to 5 of \d) of gear_24t")).last
    await expect(gallery).to_contain_text("posted by @You")
    loaded = await widths(gallery)
    assert len(loaded) >= 3
    assert min(loaded) > 0


async def test_unknown_and_flat_pictures_are_answered_plainly(slack: SlackPage, strange: Path, flat: Path) -> None:
    await slack.go_to("lookup")
    answer = await slack.post("is it known", strange)
    await expect(answer).to_contain_text("No close matches in samples")
    await expect(answer.get_by_role("button", name="Add image")).to_be_visible()
    await slack.screenshot(f"unknown_{slack.width}")
    answer = await slack.post("what is blue", flat)
    await expect(answer).to_contain_text("This picture has no detail to compare.")
    await expect(answer.locator(".bk-image")).to_have_count(0)


async def test_edited_copy_is_compared_in_words_and_pictures(slack: SlackPage, samples: Path, tmp_path: Path) -> None:
    edited = tmp_path / "edited.png"
    with Image.open(samples / "ball_bearing.png") as whole:
        cut = whole.convert("RGB").crop((0, 0, whole.width * 4 // 5, whole.height))
        marked = ImageOps.mirror(cut)
        ImageDraw.Draw(marked).rectangle((30, 30, 30 + cut.width // 4, 30 + cut.height // 6), fill=(255, 200, 0))
        marked.save(edited)
    await slack.go_to("lookup")
    answer = await slack.post("has somebody edited it", edited)
    await expect(answer).to_contain_text("edited copy")
    await slack.screenshot(f"compare_button_{slack.width}")
    await answer.get_by_role("button", name="Compare", exact=True).click()
    await expect(slack.modal).to_contain_text("The right 20 % were cut off, it is mirrored, and 1 place differs.")
    assert min(await widths(slack.modal)) > 1000
    box = await slack.modal.locator(".bk-image img").bounding_box()
    assert box is not None
    assert 0.5 * min(slack.width, 500) < box["width"] <= slack.width
    await slack.screenshot(f"compare_{slack.width}")
    await slack.close_modal()


async def test_three_pictures_are_read_at_a_glance(slack: SlackPage, samples: Path, strange: Path) -> None:
    tries = samples.parent / "try"
    await slack.go_to("lookup")
    answer = await slack.post(
        "these three", samples / "maze.png", tries / "poster_on_a_blog.jpg", tries / "planet_flipped.jpg"
    )
    await expect(answer).to_contain_text("3 of 3 found")
    blocks = answer.locator(".blocks > *")
    assert await blocks.count() <= 12
    assert await answer.locator(".bk-actions button, .bk-actions select").count() <= 4
    assert min(await widths(answer)) > 0
    await slack.screenshot(f"three_{slack.width}")
    answer = await slack.post("two of them", samples / "fern.png", strange)
    await expect(answer).to_contain_text("1 of 2 found")
    await slack.choose(answer, "1. fern.png")
    alone = slack.page.locator(".msg", has_text="The same image is").last
    await expect(alone).to_contain_text("figure_fern")


async def test_shared_answer_names_the_picture(slack: SlackPage, samples: Path) -> None:
    await slack.go_to("lookup")
    await slack.post("look at this", samples / "julia.png")
    await slack.leave_thread()
    mine = await slack.command("/vsearch search last", "The same image is")
    await expect(mine).to_contain_text("only visible to you")
    await slack.press(mine, "Share to channel", "Shared by")
    shared = slack.messages.filter(has_text="Shared by").last
    await expect(shared).to_contain_text("asked about julia.png")
    await expect(shared.get_by_role("link", name="the picture")).to_be_visible()
    assert min(await widths(shared)) > 0
