"""App Home on a wide page and on a phone's: its pictures are really loaded, and its buttons work."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Dialog, expect

from tests.browser.pages import SlackPage, widths

pytestmark = [
    pytest.mark.asyncio(loop_scope="package"),
    pytest.mark.parametrize("slack", [1200, 390], indirect=True),
]


async def test_home_shows_pictures_channels_and_what_is_new(slack: SlackPage) -> None:
    await slack.go_to("vsearch")
    home = slack.home
    for text in ("samples", "reposts", "Newest:", "Images shared in #catalogue are added to samples"):
        await expect(home).to_contain_text(text)
    pictures = home.locator(".bk-accessory-img")
    await expect(pictures.first).to_be_visible()
    assert min(await widths(home)) > 0
    for alt in [await picture.get_attribute("alt") for picture in await pictures.all()]:
        assert alt is not None
        assert alt.startswith("The newest image in ")
    assert await home.evaluate("home => home.scrollWidth <= home.clientWidth")
    await slack.screenshot(f"home_{slack.width}")


async def test_words_typed_into_home_are_answered_in_a_direct_message(slack: SlackPage) -> None:
    await slack.go_to("vsearch")
    field = slack.home.get_by_label("Find by words")
    await field.fill("gear_24t")
    await field.press("Enter")
    await slack.go_to("You")
    await expect(slack.messages.last).to_contain_text("gear_24t")


async def test_database_is_created_filled_and_deleted_from_home(slack: SlackPage, samples: Path) -> None:
    name = f"drafts_{slack.width}"
    await slack.go_to("vsearch")
    await slack.home.get_by_role("button", name="Create a database").click()
    await slack.modal.locator("input").fill(name)
    await slack.submit("Create")
    await expect(slack.home).to_contain_text(name)
    # The databases are listed by name, and this is the first.
    await slack.home.get_by_role("button", name="Add", exact=True).first.click()
    await slack.modal.locator("input[type=file]").set_input_files(samples / "maze.png")
    await slack.screenshot(f"home_add_{slack.width}")
    await slack.submit("Add")
    await expect(slack.modal).to_have_count(0)
    await expect(slack.home).to_contain_text(f"{name} · 1 image")
    assert min(await widths(slack.home)) > 0
    await slack.home.get_by_role("button", name="Settings").first.click()
    await expect(slack.modal).to_contain_text("Created")
    await slack.screenshot(f"home_settings_{slack.width}")
    asked: list[str] = []

    async def accept(dialog: Dialog) -> None:
        asked.append(dialog.message)
        await dialog.accept()

    slack.page.once("dialog", accept)
    await slack.modal.get_by_role("button", name="Delete this database").click()
    await expect(slack.modal).to_contain_text(f"Type {name} to delete it")
    assert f"{name} with 1 image" in asked[0]
    await slack.modal.locator("input").fill(name)
    await slack.screenshot(f"home_delete_{slack.width}")
    await slack.submit("Delete")
    await expect(slack.modal).to_have_count(0)
    await expect(slack.home).not_to_contain_text(f"{name} ·")


async def test_home_says_which_shared_file_was_not_added(slack: SlackPage, tmp_path: Path) -> None:
    damaged = tmp_path / f"damaged_{slack.width}.png"
    damaged.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(1000))
    await slack.go_to("catalogue")
    await slack.attach(damaged, "new in stock")
    await expect(slack.messages.filter(has_text=damaged.name).locator(".reaction")).to_be_visible()
    await slack.go_to("vsearch")
    entry = slack.home.locator(".bk-section", has_text=damaged.name)
    await expect(entry).to_contain_text("in #catalogue")
    await expect(entry).to_contain_text("The PNG is damaged")
    await entry.scroll_into_view_if_needed()
    await slack.screenshot(f"home_not_added_{slack.width}")
    await entry.get_by_role("link", name="original message").click()
    await expect(slack.messages.filter(has_text=damaged.name).first).to_be_visible()
