"""Several processes over Socket Mode on one PostgreSQL database. Any of them may get any event."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.fakes.slack import SOMEONE, FakeSlack, Message
from tests.fixtures.pictures import encoded, photo
from tests.scenario.conftest import PictureServer, fill
from tests.scenario.support.program import STARTS_WITHIN_S, Program, program
from tests.scenario.support.requests import GASKET, UNRELATED, VALVE, act
from tests.scenario.support.shares import running, settled

THREE, ROLES = ("all", "all", "all"), ("web", "web", "worker", "worker")
FIVE = {f"part_{seed}": encoded(photo(320, 240, seed=seed), "PNG") for seed in range(10, 15)}
HEARS = {"web", "all"}


@dataclass(frozen=True)
class Processes:
    """Connected processes. ``connections`` are their connection numbers, in no particular order."""

    slack: FakeSlack
    bots: tuple[Program, ...]
    connections: tuple[int, ...]

    async def shared(self, seeds: range, *, at_once: bool = False) -> list[Message]:
        """Share pictures. With ``at_once``, each comes with a mention, and its events go to two processes."""
        pictures = [encoded(photo(320, 240, seed=seed), "PNG") for seed in seeds]
        return [await self.slack.upload(one, redeliveries=int(at_once), mention=at_once) for one in pictures]

    async def answered(self, shared: list[Message]) -> None:
        """Wait until each message has an answer and every delivery is acknowledged."""
        await self.slack.wait_until(lambda: all(self.slack.replies(one.ts) for one in shared), timeout_s=40)
        await settled(self.slack)

    async def ask(self, connection: int, text: str) -> Message:
        """Send a command to one process, and return its answer."""
        before = len(self.slack.transcript)
        with self.slack.socket_mode.through(connection):
            await self.slack.command(text)
        return await self.slack.wait_for_answer(after=before)

    async def press(self, connection: int, message: Message, action_id: str) -> None:
        """Press a button, with the event going to one process."""
        with self.slack.socket_mode.through(connection):
            await act(self.slack, message, action_id)

    @asynccontextmanager
    async def suspended(self, bot: Program) -> AsyncIterator[None]:
        """Suspend a process with SIGSTOP within this context, so that its deliveries wait."""
        bot.process.send_signal(signal.SIGSTOP)
        yield
        if bot.process.returncode is None:
            bot.process.send_signal(signal.SIGCONT)

    async def end(self) -> None:
        """Let the remaining processes finish their work."""
        for bot in self.bots:
            if bot.process.returncode is None:
                assert await bot.end() == 0, bot.errors


@asynccontextmanager
async def start_processes(
    slack: FakeSlack, tmp_path: Path, postgres_address: str, roles: tuple[str, ...] = THREE, **settings: str
) -> AsyncIterator[Processes]:
    """Start a process of each role on a database that has two parts."""
    common = {"DATABASE_URL": postgres_address, "VSEARCH_BACKEND": "pgvector", "VSEARCH_THREADS": "1", **settings}
    async with running(slack, tmp_path / "first", **common) as app:
        await fill(app, "parts", valve_0042=VALVE, gasket_7=GASKET)
    given = {**slack.environment, **common, "VSEARCH_DATA_DIR": str(tmp_path / "data"), "VSEARCH_LOG_LEVEL": "error"}
    async with AsyncExitStack() as stack:
        started = (stack.enter_async_context(program(given | {"VSEARCH_ROLE": role})) for role in roles)
        bots = tuple([await bot for bot in started])
        await slack.socket_mode.connected(sum(role in HEARS for role in roles), timeout_s=STARTS_WITHIN_S)
        yield Processes(slack, bots, tuple(slack.socket_mode.numbers))


@pytest.mark.parametrize("roles", [THREE, ROLES], ids=["all", "roles"])
async def test_shares_go_to_every_process_and_each_is_answered_once(
    slack: FakeSlack, tmp_path: Path, postgres_address: str, roles: tuple[str, ...]
) -> None:
    slack.tolerate_silence()
    way = slack.socket_mode
    way.retries, way.acknowledge_within_s = 100, 1
    async with start_processes(slack, tmp_path, postgres_address, roles) as bots:
        shared = await bots.shared(range(20, 32), at_once=True)
        await bots.answered(shared)
        assert set(way.acknowledged) >= set(bots.connections)
        way.refresh_every = 7
        shared += await bots.shared(range(32, 42))
        await bots.answered(shared)
        way.refresh_every = 0
        # One is too slow for Slack, and continues after others have answered.
        async with bots.suspended(bots.bots[0]):
            shared += await bots.shared(range(42, 48))
            await slack.wait_until(lambda: bool(way.unacknowledged))
            await bots.answered(shared)
        # One is killed before it acknowledges its envelopes.
        async with bots.suspended(bots.bots[1]):
            shared += await bots.shared(range(48, 54))
            await slack.wait_until(lambda: bool(way.unacknowledged))
            assert await bots.bots[1].end(signal.SIGKILL) == -signal.SIGKILL
        await bots.answered(shared)
        await bots.end()
    assert [len(slack.replies(message.ts)) for message in shared] == [1] * 34


async def test_mention_is_answered_once_whichever_processes_receive_it(
    slack: FakeSlack, tmp_path: Path, postgres_address: str
) -> None:
    async with start_processes(slack, tmp_path, postgres_address) as bots:
        # Slack sends two events for each, possibly to different processes, and repeats both here.
        said = [await slack.say("db", mention=True, redeliveries=1) for _ in range(4)]
        await slack.wait_until(lambda: len(answers(slack)) >= len(said))
        await settled(slack)
        await bots.end()
    assert len(answers(slack)) == len(said)


def answers(slack: FakeSlack) -> list[Message]:
    """Return the bot's ephemeral messages."""
    return [message for message in slack.transcript if message.to == SOMEONE]


async def test_settings_caches_and_forms_work_across_processes(
    slack: FakeSlack, tmp_path: Path, postgres_address: str, pictures: PictureServer
) -> None:
    trusted = {"VSEARCH_TRUSTED_HOSTS": pictures.address}
    async with start_processes(slack, tmp_path, postgres_address, THREE[:2], **trusted) as bots:
        await check_fresh_results(bots, pictures)
        await check_buttons_and_forms(bots, pictures)
        await check_channel_setting(bots)
        await bots.end()


async def check_fresh_results(bots: Processes, pictures: PictureServer) -> None:
    """Check that one process's cached results are invalid as soon as another adds or deletes an image."""
    here, there = bots.connections
    search = f"search {pictures.url('valve.png', VALVE)} in:parts top:10 min:0"
    first = await bots.ask(here, search)
    assert (await bots.ask(here, search)).everything == first.everything
    await bots.ask(there, f"add {pictures.url('stranger.png', UNRELATED)} in:parts id:stranger")
    assert "`stranger`" not in first.everything
    later = await bots.ask(here, search)
    assert "`stranger`" in later.everything


async def check_buttons_and_forms(bots: Processes, pictures: PictureServer) -> None:
    """Check that a process handles buttons and forms of messages that another one posted."""
    here, there = bots.connections
    slack = bots.slack
    answer = await bots.ask(here, f"search {pictures.url('part.png', FIVE['part_10'])} in:parts top:2 min:0")
    await bots.press(there, answer, "results_more")
    more = await slack.wait_for_edit(answer)
    assert "Match 3 of 3" in more.everything
    await bots.press(there, more, "results_add_this")
    form = await slack.wait_for_view(lambda view: bool(view.body.get("submit")))
    before = len(slack.transcript)
    with slack.socket_mode.through(here):
        await slack.submit(form, {"entity": "part_10"})
    assert "as `part_10`" in (await slack.wait_for_answer(after=before)).everything
    with slack.socket_mode.through(there):
        await slack.command("")
    form = await slack.wait_for_view("search_form")
    before = len(slack.transcript)
    with slack.socket_mode.through(here):
        await slack.submit(form, {"files": FIVE["part_10"]})
    assert "`part_10`" in (await slack.wait_for_answer(after=before)).everything


async def check_channel_setting(bots: Processes) -> None:
    """Check that a channel setting made in one process applies to the next share in every process."""
    here, there = bots.connections
    slack = bots.slack
    for connection, setting, answers in ((here, "watch collect in:parts", 0), (there, "watch lookup in:parts", 1)):
        await bots.ask(connection, setting)
        seeds = range(60, 66) if connection == here else range(66, 72)
        shared = await bots.shared(seeds)
        if answers:
            await bots.answered(shared)
        else:
            for message in shared:
                assert await slack.wait_for_reaction(message, timeout_s=20) == "white_check_mark"
        assert [len(slack.replies(message.ts)) for message in shared] == [answers] * len(shared)
