"""The bot's modals, filled in and submitted on the page."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.browser.pages import SlackPage, widths
from tests.fakes.web import WebServer, response

pytestmark = pytest.mark.asyncio(loop_scope="package")


async def test_uploaded_picture_is_looked_up(slack: SlackPage, samples: Path) -> None:
    await slack.type("/vsearch")
    await slack.modal.locator("input[type=file]").set_input_files(samples / "maze.png")
    await slack.screenshot("form")
    answer = await slack.awaited("figure_maze", slack.submit("Search"))
    await expect(answer).to_contain_text("same image")
    await expect(answer).to_contain_text("only visible to you")
    assert min(await widths(answer)) > 0
    await expect(slack.modal).to_have_count(0)


async def test_picture_url_is_looked_up(slack: SlackPage, samples: Path, web: WebServer) -> None:
    web.answers["/fern.png"] = response((samples / "fern.png").read_bytes(), "Content-Type: image/png")
    await slack.type("/vsearch")
    await slack.modal.locator(".bk-input", has_text="image URL").locator("input").fill(web.url("/fern.png"))
    answer = await slack.awaited("figure_fern", slack.submit("Search"))
    await expect(answer).to_contain_text("same image")
    await expect(slack.modal).to_have_count(0)


async def test_form_without_a_picture_is_explained(slack: SlackPage) -> None:
    await slack.type("/vsearch")
    await slack.submit("Search")
    await expect(slack.modal.locator(".modal-error").first).to_be_visible()
    await slack.close_modal()


@pytest.mark.parametrize("slack", [1200, 390], indirect=True)
async def test_unreachable_address_is_explained_at_its_field(slack: SlackPage) -> None:
    await slack.go_to("lookup")
    await slack.type("/vsearch")
    address = slack.modal.locator(".bk-input", has_text="image URL").locator("input")
    await address.fill("http://127.0.0.1:9/valve.jpg")
    await slack.submit("Search")
    await expect(slack.modal.locator(".modal-error").first).to_be_visible()
    await expect(address).to_have_value("http://127.0.0.1:9/valve.jpg")


@pytest.mark.parametrize("slack", [1200, 390], indirect=True)
async def test_results_of_the_form_in_home_come_as_a_direct_message(slack: SlackPage, samples: Path) -> None:
    await slack.go_to("vsearch")
    await slack.home.get_by_role("button", name="Search by image").click()
    await slack.modal.locator("input[type=file]").set_input_files(samples / "maze.png")
    await slack.modal.locator("select").first.select_option("samples")
    await slack.submit("Search")
    await expect(slack.modal).to_have_count(0)
    await slack.page.locator(".sidebar-item", has_text="You").click()
    answer = slack.page.locator(".msg", has_text="The same image is").last
    await expect(answer).to_contain_text("figure_maze")
    assert min(await widths(answer)) > 0
