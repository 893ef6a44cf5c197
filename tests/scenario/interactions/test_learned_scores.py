"""A database learns from presses: announced in Home, used by the next search, and undone there."""

from __future__ import annotations

import numpy as np

from bot.app.slack_app import SlackApp
from bot.blocks.ids import ActionId
from bot.domain.channels.feedback import LABELS_NEEDED, ScoreModel
from bot.domain.channels.reports import Label
from bot.domain.identifiers import DataId
from bot.domain.matches import Verdict
from tests.fakes.slack import SOMEONE, FakeSlack
from tests.scenario.conftest import Start, fill_as
from tests.scenario.support.requests import GASKET, VALVE, images_of, key_of

OWNER, OTHER = SOMEONE, "U0OTHER"


async def judged(app: SlackApp, number: int) -> None:
    """Let people judge answers of which those with a small lead are wrong."""
    [record] = await images_of(app, "parts", "valve_0042")
    rng = np.random.default_rng(number)
    for place in range(number):
        is_right = place % 2 == 0
        lead = rng.uniform(1.0, 2.5) if is_right else rng.uniform(0, 0.3)
        label = Label(key_of(app, "parts"), DataId(record.data_id), rng.bytes(32), 6.0, Verdict.SIMILAR, "U1", is_right)
        await app.services.storage.feedback.record(_with(label, float(rng.uniform(5, 7)), float(lead)))
    await app.services.feedback.learn(key_of(app, "parts"))


def _with(label: Label, score: float, lead: float) -> Label:
    return Label(
        label.database, label.data_id, label.fingerprint, score, label.verdict, label.user, label.is_same, True, lead
    )


async def test_learned_scores_are_announced_used_and_undone(slack: FakeSlack, start: Start) -> None:
    app = await start(VSEARCH_ADMINS=OWNER)
    await fill_as(OWNER, app, "parts", {"valve_0042": VALVE})
    picture, key = await app.services.normaliser.picture(GASKET), key_of(app, "parts")
    before = (await app.services.search.search(key, picture, minimum=0)).matches[0].match
    await judged(app, LABELS_NEEDED - 10)
    assert await app.services.feedback.current(key) is None
    await judged(app, 90)
    learned = await app.services.feedback.current(key)
    assert learned is not None
    after = (await app.services.search.search(key, picture, minimum=0)).matches[0].match
    assert after.likeness == before.score != after.score
    # A copy is proved, whatever people say.
    copy = (await app.services.search.search(key, await app.services.normaliser.picture(VALVE))).matches[0].match
    assert copy.score > 9
    await _undo_in_slack(slack)
    assert (await app.services.search.search(key, picture, minimum=0)).matches[0].match.score == before.score
    assert await app.services.feedback.current(key) is None
    # It doesn't learn again from the next labels.
    await judged(app, 20)
    assert await app.services.feedback.current(key) is None


async def test_return_to_the_default_scores_is_announced_and_undone(slack: FakeSlack, start: Start) -> None:
    app = await start(VSEARCH_ADMINS=OWNER)
    await fill_as(OWNER, app, "parts", {"valve_0042": VALVE})
    key, learning = key_of(app, "parts"), app.services.storage.learning
    assert await learning.add(key, ScoreModel(-8.0, 1.0, 1.0), 40, 0)
    # Labels that follow no rule, after which nothing helps.
    [record] = await images_of(app, "parts", "valve_0042")
    rng = np.random.default_rng(1)
    for _ in range(60):
        label = Label(key, DataId(record.data_id), rng.bytes(32), 6.0, Verdict.SIMILAR, "U1", bool(rng.random() < 0.5))
        await app.services.storage.feedback.record(_with(label, float(rng.uniform(5, 7)), 0.3))
    assert await app.services.feedback.learn(key)
    assert not await app.services.feedback.learn(key)
    await slack.open_home(OWNER)
    home = await slack.wait_for_home(user=OWNER)
    assert "Default scores again, because learned ones no longer helped" in home.everything
    await slack.press_in_view(home, ActionId.DATABASE_SETTINGS)
    form = await slack.wait_for_view("database_settings_form")
    assert "Restore learned scores" in form.everything
    await slack.press_in_view(form, ActionId.UNDO_LEARNING)
    await slack.wait_for_home(lambda view: "Scores learned from 40 answers" in view.everything, user=OWNER)


async def _undo_in_slack(slack: FakeSlack) -> None:
    await slack.open_home(OTHER)
    assert "Scores learned" not in (await slack.wait_for_home(user=OTHER)).everything
    await slack.open_home(OWNER)
    home = await slack.wait_for_home(user=OWNER)
    assert "Scores learned from" in home.everything
    await slack.press_in_view(home, ActionId.DATABASE_SETTINGS)
    form = await slack.wait_for_view("database_settings_form")
    before = len(slack.transcript)
    await slack.press_in_view(form, ActionId.UNDO_LEARNING, user=OTHER)
    await slack.wait_for(lambda m: "can change its settings" in m.text and m in slack.transcript[before:])
    await slack.press_in_view(form, ActionId.UNDO_LEARNING)
    await slack.wait_for(lambda m: "scores as it did before" in m.text)
    await slack.wait_for_home(lambda view: "Scores learned" not in view.everything, user=OWNER)
