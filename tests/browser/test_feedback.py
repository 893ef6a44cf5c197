"""Right or wrong on the page: below an answer to one picture and to several, and the report."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import expect

from bot.domain.channels.feedback import ScoreModel
from bot.domain.identifiers import DatabaseKey, DatabaseName
from bot.storage.sql_storage import SqlStorage
from tests.browser.pages import PHONE_BELOW, SlackPage, widths

pytestmark = [
    pytest.mark.asyncio(loop_scope="package"),
    pytest.mark.parametrize("slack", [1200, 390], indirect=True),
]


async def test_answer_is_judged_and_its_photo_added(slack: SlackPage, samples: Path) -> None:
    tries = samples.parent / "try"
    answer = await slack.post(f"min:0 right or wrong {slack.width}", tries / "part_on_the_bench.jpg")
    right = answer.get_by_role("button", name="Right", exact=True)
    await right.scroll_into_view_if_needed()
    await expect(answer.get_by_role("button", name="Wrong", exact=True)).to_be_visible()
    await slack.screenshot(f"feedback_answer_{slack.width}")
    told = await slack.press_in_thread(answer, "Wrong", "noted as wrong")
    await expect(told).not_to_contain_text("Add this photo")
    told = await slack.press_in_thread(answer, "Right", "noted as right")
    if slack.width < PHONE_BELOW:
        # The thread covers the channel.
        await expect(slack.thread.locator(".msg", has_text="noted as right")).to_be_visible()
    await told.scroll_into_view_if_needed()
    await slack.screenshot(f"feedback_right_{slack.width}")


async def test_pictures_of_one_message_are_judged_one_by_one(slack: SlackPage, samples: Path) -> None:
    tries = samples.parent / "try"
    files = [tries / name for name in ("poster_on_a_blog.jpg", "planet_flipped.jpg", "part_on_the_bench.jpg")]
    answer = await slack.post(f"three of them {slack.width}", *files)
    await answer.get_by_role("button").first.scroll_into_view_if_needed()
    await slack.screenshot(f"feedback_several_{slack.width}")
    asked = await slack.press_in_thread(answer, "Right or wrong?", "Which of these are right?")
    assert min(await widths(asked)) > 0
    await expect(asked.get_by_role("button", name="Right", exact=True)).to_have_count(3)
    await asked.get_by_role("button", name="Right", exact=True).last.scroll_into_view_if_needed()
    await slack.screenshot(f"feedback_each_{slack.width}")


async def test_report_shows_a_chart_and_a_table(slack: SlackPage) -> None:
    await slack.leave_thread()
    report = await slack.command("/vsearch report in:samples", "What was asked of")
    await expect(report).to_contain_text("answered")
    await expect(report).to_contain_text("week of")
    await expect(report).not_to_contain_text("```")
    assert min(await widths(report)) > 0
    await report.scroll_into_view_if_needed()
    await slack.screenshot(f"feedback_report_{slack.width}")


async def test_report_is_opened_from_home(slack: SlackPage) -> None:
    await slack.go_to("vsearch")
    await slack.home.locator("select.bk-overflow").last.select_option(label="Report")
    await slack.go_to("You")
    report = slack.messages.filter(has_text="What was asked of").last
    await expect(report).to_be_visible()
    await report.scroll_into_view_if_needed()
    await slack.screenshot(f"feedback_home_report_{slack.width}")


async def test_learned_scores_are_announced_in_home_and_undone(slack: SlackPage, samples: Path) -> None:
    """What the samples learned is written by another process, here the test's."""
    storage = await SqlStorage.open(samples.parent / "bot")
    [(workspace, _)] = await storage.catalogue.connected()
    key = DatabaseKey(workspace, DatabaseName("samples"))
    newest = await storage.learning.newest(key)
    assert await storage.learning.add(key, ScoreModel(-8.0, 1.0, 1.0), 40, newest.id if newest else 0)
    await storage.close()
    await slack.go_to("catalogue")
    await slack.go_to("vsearch")
    await expect(slack.home).to_contain_text("Scores learned from 40 answers that people judged")
    await slack.home.get_by_role("button", name="Settings").last.click()
    await expect(slack.modal).to_contain_text("Scores learned from 40 answers")
    await slack.screenshot(f"feedback_learned_{slack.width}")
    await slack.modal.get_by_role("button", name="Undo learned scores").click()
    await expect(slack.home).not_to_contain_text("Scores learned")
