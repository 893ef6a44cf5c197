"""The stand-in's page, operated as a person does."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Sequence
from pathlib import Path

from playwright.async_api import Locator, Page, expect

ANSWER_WITHIN_MS = 10_000

PHONE_BELOW = 700
"""Width of the window in pixels, below which the page has one column."""

LOADED = "images => images.map(image => image.complete ? image.naturalWidth : 0)"


class SlackPage:
    """An open page."""

    def __init__(self, page: Page, shots: Path) -> None:
        self.page = page
        self._shots = shots

    @property
    def thread(self) -> Locator:
        return self.page.locator(".thread-pane")

    @property
    def modal(self) -> Locator:
        return self.page.locator(".modal")

    @property
    def home(self) -> Locator:
        return self.page.locator(".home")

    @property
    def messages(self) -> Locator:
        """The messages of the channel, without their threads."""
        return self.page.locator(".main .messages .msg")

    async def leave_thread(self) -> None:
        """Close the thread where it covers the channel, as on a phone."""
        if self.width < PHONE_BELOW and await self.thread.count():
            await self.thread.locator(".thread-x").click()

    async def go_to(self, location: str) -> None:
        """Open a channel, or the bot's home."""
        await self.leave_thread()
        await self.page.locator(".sidebar-item", has_text=re.compile(rf"\b{location}$")).click()

    async def attach(self, file: Path | Sequence[Path], text: str = "") -> None:
        await self.leave_thread()
        await self.page.locator(".main input[type=file]").set_input_files(file)
        await self.type(text)

    async def post(self, text: str, *files: Path) -> Locator:
        """Post pictures, and return the bot's answer in their thread."""
        await self.attach(files, text)
        return await self.open_thread(text)

    async def choose(self, within: Locator, option: str) -> None:
        """Choose an action in the menu of an answer."""
        await within.locator("select.bk-overflow").select_option(label=option)

    async def type(self, text: str) -> None:
        await self.leave_thread()
        box = self.page.locator(".main .composer-input")
        await box.fill(text)
        await box.press("Enter")

    async def command(self, text: str, answered: str) -> Locator:
        """Type a command, and wait for a new message that contains this text."""
        return await self.awaited(answered, self.type(text))

    async def press(self, within: Locator, button: str, answered: str) -> Locator:
        """Press a button, and wait for a new message that contains this text."""
        return await self.awaited(answered, within.get_by_role("button", name=button, exact=True).click())

    async def press_in_thread(self, within: Locator, button: str, answered: str) -> Locator:
        """Press a button of an answer in a thread, and return the message in the page that contains this text."""
        await within.get_by_role("button", name=button, exact=True).click()
        message = self.page.locator(".msg", has_text=answered).last
        await expect(message).to_be_visible()
        return message

    @property
    def width(self) -> int:
        """The width of the window in pixels."""
        size = self.page.viewport_size
        return size["width"] if size else 0

    async def awaited(self, answered: str, act: Awaitable[object]) -> Locator:
        messages = self.messages.filter(has_text=answered)
        before = await messages.count()
        await act
        answer = messages.nth(before)
        await expect(answer).to_be_visible(timeout=ANSWER_WITHIN_MS)
        return answer

    async def open_thread(self, about: str) -> Locator:
        """Open the thread of the last message with this text, wait for the bot's answer there, and return it."""
        await self.messages.filter(has_text=about).last.locator(".thread-summary").click(timeout=ANSWER_WITHIN_MS)
        answer = self.thread.locator(".msg", has_text="APP").last
        await expect(answer).to_be_visible()
        # On a phone, answers to presses follow in the thread.
        return self.thread.locator(f'.msg[data-ts="{await answer.get_attribute("data-ts")}"]')

    async def widen_thread(self, by: int) -> None:
        """Drag the edge of the thread."""
        edge = await self.page.locator(".thread-resize-handle").bounding_box()
        assert edge is not None
        await self.page.mouse.move(edge["x"] + 2, edge["y"] + 200)
        await self.page.mouse.down()
        await self.page.mouse.move(edge["x"] + 2 - by, edge["y"] + 200)
        await self.page.mouse.up()
        await self.page.mouse.move(0, 0)

    async def submit(self, button: str) -> None:
        await self.modal.get_by_role("button", name=button, exact=True).click()

    async def close_modal(self) -> None:
        await self.modal.locator(".modal-x").click()
        await expect(self.modal).to_have_count(0)

    async def screenshot(self, name: str) -> Path:
        """Take a screenshot, and return its path."""
        self._shots.mkdir(parents=True, exist_ok=True)
        file = self._shots / f"{name}.png"
        await self.page.screenshot(path=file)
        return file


async def widths(within: Locator) -> list[int]:
    """Return the natural widths of the pictures in an element, once all are loaded."""
    pictures = within.locator(".bk-accessory-img[src], .bk-image img")
    for picture in await pictures.all():
        # A page that is drawn again loads its pictures again.
        await expect(picture).not_to_have_js_property("naturalWidth", 0, timeout=ANSWER_WITHIN_MS)
    return [int(width) for width in await pictures.evaluate_all(LOADED)]
