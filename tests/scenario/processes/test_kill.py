"""kill -9 at any moment: each image is added once, each share answered once. ``bench kills`` does more of this."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from bot.services.job_worker import LEASE_S
from tests.fakes.slack import GENERAL, FakeSlack
from tests.fixtures.pictures import encoded, photo
from tests.scenario.processes.test_http import VALVE, settings_over_http
from tests.scenario.support.crash_scenario import CrashScenario, finished
from tests.scenario.support.program import program


@pytest.mark.parametrize(("over_http", "seed"), [(True, 1), (False, 2)], ids=["http", "socket_mode"])
async def test_each_share_is_handled_once_despite_repeated_kills(
    slack: FakeSlack, tmp_path: Path, over_http: bool, seed: int
) -> None:
    outcome = await CrashScenario(slack, tmp_path / "data", over_http=over_http, seed=seed).run(shares=30, kills=4)
    assert outcome.faults == []
    assert (outcome.shares, outcome.kills) == (30, 4)


async def test_posted_answer_that_was_not_recorded_is_not_posted_again(slack: FakeSlack, tmp_path: Path) -> None:
    url, settings = await settings_over_http(slack, tmp_path / "data")
    slack.tolerate_silence()
    async with program(settings) as bot:
        await bot.wait_until_listening(url)
        slack.lose_next_answer("chat.postMessage")
        unconfirmed = await slack.upload(VALVE)
        await slack.wait_for_reply(GENERAL, unconfirmed.ts)
        others = [await slack.upload(encoded(photo(320, 240, seed=seed), "PNG")) for seed in range(6)]
        await slack.acknowledged(2 * (1 + len(others)))
        # The first share is just being answered, others are being looked up.
        await slack.wait_for_reply(GENERAL, others[0].ts)
        assert await bot.end(signal.SIGKILL) == -signal.SIGKILL
    shared = [unconfirmed, *others]
    async with program(settings) as bot:
        await bot.wait_until_listening(url)
        for message in shared:
            # The next process need not wait for the dead one's leases.
            await slack.wait_for_reply(GENERAL, message.ts, timeout_s=LEASE_S - 3)
        await finished(tmp_path / "data", bot)
        assert await bot.end() == 0, bot.errors
    assert [len(slack.replies(message.ts)) for message in shared] == [1] * len(shared)


@pytest.mark.parametrize("answered", [1, 2])
async def test_answer_in_several_messages_goes_on_after_a_kill(slack: FakeSlack, tmp_path: Path, answered: int) -> None:
    url, settings = await settings_over_http(slack, tmp_path / "data")
    slack.tolerate_silence()
    async with program(settings) as bot:
        await bot.wait_until_listening(url)
        shared = await slack.upload(*(slack.host(VALVE, f"{n:02} {'shelf ' * 8}.png") for n in range(1, 51)))
        await slack.wait_until(lambda: len(slack.replies(shared.ts)) == answered, timeout_s=30)
        assert await bot.end(signal.SIGKILL) == -signal.SIGKILL
    killed_after = len(slack.replies(shared.ts))
    async with program(settings) as bot:
        await bot.wait_until_listening(url)
        await slack.wait_until(lambda: "50." in slack.replies(shared.ts)[-1].text, timeout_s=60)
        await finished(tmp_path / "data", bot)
        assert await bot.end() == 0, bot.errors
    lines = [line for message in slack.replies(shared.ts) for line in message.text.splitlines()]
    assert [int(line.partition(".")[0]) for line in lines] == list(range(1, 51))
    assert len(slack.replies(shared.ts)) > killed_after
