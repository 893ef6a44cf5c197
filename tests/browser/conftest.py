"""One demo for all browser tests, and a page of it for each. Screenshots go to build/screenshots."""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright, expect

from examples.demo.download import BUILD, ensure_stand_in
from examples.demo.lifecycle import Demo, Plan, demo
from examples.samples import ensure_samples
from tests.browser import chromium
from tests.browser.pages import ANSWER_WITHIN_MS, SlackPage
from tests.fakes.web import WebServer, web_server
from tests.fixtures.temporary import socket_folder

SHOTS = BUILD / "screenshots"
SINGLETON = "org.chromium.Chromium.123456/SingletonSocket"
"""Chromium's own socket in TMPDIR. Chromium fails to start if the path is too long."""

expect.set_options(timeout=ANSWER_WITHIN_MS)


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def web() -> AsyncIterator[WebServer]:
    """A web server with pictures."""
    async with web_server() as server:
        yield server


@pytest.fixture(scope="package")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The drawn samples, which need no download."""
    return ensure_samples(tmp_path_factory.mktemp("demo") / "samples", fetch=False).parent


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def running(samples: Path, web: WebServer) -> AsyncIterator[Demo]:
    settings = {"VSEARCH_TRUSTED_HOSTS": f"127.0.0.1:{web.port}"}
    plan = Plan(ensure_stand_in(), samples.parent, samples / "samples.csv", port=0, settings=settings)
    async with demo(plan) as it:
        yield it


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def browser() -> AsyncIterator[Browser]:
    program, flags = await chromium.program(), list(chromium.FLAGS)
    with socket_folder(SINGLETON) as folder:
        environment: dict[str, str | float | bool] = {**os.environ, "TMPDIR": str(folder)}
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=program, args=flags, env=environment)
            yield browser
            await browser.close()


@pytest.fixture(scope="package")
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder for screenshots: a temporary one if the checkout is read-only."""
    return SHOTS if os.access(BUILD, os.W_OK) else tmp_path_factory.mktemp("screenshots")


@pytest_asyncio.fixture(loop_scope="package")
async def slack(
    running: Demo, browser: Browser, screenshots: Path, request: pytest.FixtureRequest
) -> AsyncIterator[SlackPage]:
    """The page, opened at the address that the terminal shows; the fixture's parameter is the window's width."""
    context = await browser.new_context(viewport={"width": getattr(request, "param", 1200), "height": 800})
    page = await context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    await page.goto(running.stand_in.address)
    slack = SlackPage(page, screenshots)
    await expect(slack.thread).to_be_visible()
    yield slack
    await slack.screenshot(re.sub(r"\W+", "_", request.node.name.removeprefix("test_"))[:80])
    if await slack.modal.count():
        # Modals belong to the stand-in, not to the page, so the next page would open with this one.
        await slack.close_modal()
    await context.close()
    assert not wrong
