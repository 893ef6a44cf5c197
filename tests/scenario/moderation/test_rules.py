"""The rules of a guard channel, and how they are set."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO

import pytest
from PIL import Image

from bot.app.slack_app import SlackApp
from bot.domain.channels import DEFAULT_RULES, ChannelBinding, ChannelMode, FileKind, GuardRules, OwnReposts
from tests.fakes.slack import GENERAL, SOMEONE, FakeSlack
from tests.fixtures.pictures import encoded
from tests.fixtures.scenes import scene
from tests.scenario.commands.test_channels import binding_of
from tests.scenario.conftest import Start, fill
from tests.scenario.moderation.reposts import COPYCAT, LEA, MODS, copies_in, guard, posted, repost
from tests.scenario.support.home import open_home
from tests.scenario.support.requests import run_command
from tests.scenario.support.shares import ORIGINAL, entities, images_in, settled


@pytest.mark.parametrize(
    ("rules", "days_ago", "user", "is_reported"),
    [
        (GuardRules(window_days=30), 29, COPYCAT, True),
        (GuardRules(window_days=30), 31, COPYCAT, False),
        (GuardRules(own=OwnReposts.IGNORE), 3, LEA, False),
        (GuardRules(own=OwnReposts.IGNORE), 3, COPYCAT, True),
        (GuardRules(leeway_minutes=60), 0.01, LEA, False),
        (GuardRules(leeway_minutes=60), 3, LEA, True),
        (GuardRules(people=frozenset({COPYCAT})), 3, COPYCAT, False),
        (GuardRules(), 400, LEA, True),
    ],
)
async def test_rules_decide_what_is_a_repost(
    slack: FakeSlack, start: Start, rules: GuardRules, days_ago: float, user: str, *, is_reported: bool
) -> None:
    app = await start()
    await fill(app, "ads")
    await posted(app, ORIGINAL, days_ago=days_ago)
    await guard(app, rules)
    shared = await repost(slack, app, ORIGINAL, user=user)
    assert bool(slack.replies(shared.ts)) is is_reported
    # What is no repost has another origin, from which it counts from now on.
    [record] = await images_in(app, "ads")
    assert len(record.origins) == (1 if is_reported else 2)


async def test_reposts_within_the_window_count_again(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "ads")
    await posted(app, ORIGINAL, days_ago=100)
    await guard(app, GuardRules(window_days=30))
    first, second = await repost(slack, app, ORIGINAL), await repost(slack, app, ORIGINAL, user=LEA)
    assert slack.replies(first.ts) == []
    assert f"by <@{COPYCAT}>" in slack.replies(second.ts)[0].everything


@pytest.mark.parametrize("exempt", [frozenset[FileKind](), frozenset(FileKind)])
async def test_exempt_kinds_are_neither_checked_nor_added(
    slack: FakeSlack, start: Start, exempt: frozenset[FileKind]
) -> None:
    app = await start()
    await fill(app, "ads")
    await posted(app, ORIGINAL)
    await guard(app, GuardRules(exempt=exempt))
    small = scene(1).resize((96, 72), Image.Resampling.LANCZOS)
    files = (
        slack.host(ORIGINAL_AS_GIF, "party.gif", mimetype="image/gif"),
        slack.host(encoded(scene(1).resize((512, 384)), "WEBP"), "sticker.webp", mimetype="image/webp"),
        slack.host(encoded(small, "PNG"), "emoji.png"),
    )
    shared = await slack.upload(*files, user=COPYCAT)
    await settled(slack, app)
    assert bool(slack.replies(shared.ts)) is not bool(exempt)
    assert (await entities(app, "ads") == ["bicycle"]) or not exempt


async def test_command_sets_rules_and_keeps_the_others(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "ads")
    slack.add_channel(MODS, "mods", members=[SOMEONE])
    slack.add_person("U0LEALEA", "lea")
    answer = await run_command(slack, "watch guard in:ads window:30d own:10m allow:@lea report:#mods quiet")
    for part in ("older than 30 days", "within 10 minutes", "<@U0LEALEA> may post", "GIFs, stickers", f"<#{MODS}>"):
        assert part in answer.everything
    expected = replace(
        DEFAULT_RULES,
        window_days=30,
        leeway_minutes=10,
        people=frozenset({"U0LEALEA"}),
        report_to=MODS,
        quiet=True,
    )
    assert (await _binding(app)).rules == expected
    await run_command(slack, "watch quiet:off allow:gif")
    assert (await _binding(app)).rules == replace(expected, quiet=False, exempt=frozenset({FileKind.GIF}))
    await run_command(slack, "watch lookup")
    await run_command(slack, "watch guard")
    assert (await _binding(app)).rules == DEFAULT_RULES
    assert "belong to `/vsearch watch guard`" in (await run_command(slack, "watch lookup quiet")).everything


async def test_names_that_nobody_has_are_refused(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "ads")
    for text, name in (("allow:@nobody", "@nobody"), ("report:#nowhere", "#nowhere")):
        assert f"I can't find {name}" in (await run_command(slack, f"watch guard in:ads {text}")).everything
    assert await binding_of(app) is None


async def test_form_sets_rules(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "ads")
    slack.add_channel(MODS, "mods", members=[SOMEONE])
    await run_command(slack, "watch guard in:ads window:7d")
    home = await open_home(slack)
    await slack.press_in_view(home, "watch_channel", about=GENERAL)
    form = await slack.wait_for_view("watch_form")
    await slack.submit(form, {"window": "soon", "own": "10m"})
    assert "number of days" in form.errors["window"]
    wanted = {
        "window": "14",
        "own": "ignore",
        "people": [LEA],
        "exempt": ["gif"],
        "report_to": MODS,
        "quiet": ["quiet"],
    }
    await slack.submit(form, wanted)
    assert form.closed, form.errors
    await settled(slack, app)
    rules = GuardRules(
        14, OwnReposts.IGNORE, 0, frozenset({LEA}), frozenset({FileKind.GIF}), report_to=MODS, quiet=True
    )
    assert (await _binding(app)).rules == rules


async def test_channel_for_reports_is_checked_when_it_is_set(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "ads")
    slack.add_channel(MODS, "mods", members=[SOMEONE], bot_is_member=False)
    slack.add_channel("C0CLOSED", "closed", kind="private", members=[SOMEONE, LEA])
    slack.add_channel("C0OUTSIDE", "outside", members=[SOMEONE, COPYCAT])
    slack.add_channel("C0INSIDE", "inside", kind="private", members=[LEA])
    away = await run_command(slack, f"watch guard in:ads report:<#{MODS}|mods>")
    assert "I can't post reports" in away.everything
    leaky = await run_command(slack, "watch guard in:ads report:<#C0OUTSIDE|outside>", channel="C0CLOSED")
    assert "Not everybody in that channel for reports can see" in leaky.everything
    assert await binding_of(app) is None
    assert await binding_of(app, "C0CLOSED") is None
    await run_command(slack, "watch guard in:ads report:<#C0INSIDE|inside>", channel="C0CLOSED")
    now = await binding_of(app, "C0CLOSED")
    assert now is not None
    assert (now.mode, now.rules.report_to) == (ChannelMode.GUARD, "C0INSIDE")
    assert copies_in(slack, "C0INSIDE") == []


async def _binding(app: SlackApp) -> ChannelBinding:
    now = await binding_of(app)
    assert now is not None
    return now


def _gif() -> bytes:
    target = BytesIO()
    scene(1).convert("P", palette=Image.Palette.ADAPTIVE).save(target, "GIF")
    return target.getvalue()


ORIGINAL_AS_GIF = _gif()


async def rules_of(app: SlackApp) -> GuardRules:
    binding = await binding_of(app)
    assert binding is not None
    return binding.rules


async def test_members_of_a_user_group_may_post_anything_again(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "ads")
    await posted(app, ORIGINAL)
    slack.add_group("S0DESIGN", "designers", [LEA, "U0TOM"])
    slack.add_person("U0GUEST", "visitor")
    for allow in ("<!subteam^S0DESIGN|@designers>", "@designers", "@designers,@visitor"):
        await run_command(slack, f"watch guard in:ads allow:{allow}")
        assert (await rules_of(app)).groups == {"S0DESIGN"}
    assert (await rules_of(app)).people == {"U0GUEST"}
    announced = [message.everything for message in slack.transcript if message.channel == GENERAL and not message.to]
    # A mention would notify all its members.
    assert "<@U0GUEST> and the members of 1 user group may post anything again." in announced[-1]
    for user, is_reported in ((LEA, False), ("U0TOM", False), ("U0GUEST", False), (COPYCAT, True)):
        shared = await repost(slack, app, ORIGINAL, user=user)
        assert bool(slack.replies(shared.ts)) is is_reported
    await run_command(slack, "watch guard in:ads allow:none")
    assert (await rules_of(app)).groups == frozenset()


async def test_user_groups_need_their_scope(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "ads")
    await posted(app, ORIGINAL)
    slack.add_group("S0DESIGN", "designers", [COPYCAT])
    await guard(app, GuardRules(groups=frozenset({"S0DESIGN"})))
    slack.refuse_next("usergroups.users.list", "missing_scope")
    shared = await repost(slack, app, ORIGINAL)
    assert slack.replies(shared.ts)
    slack.refuse_next("usergroups.list", "missing_scope", times=2)
    told = await run_command(slack, "watch guard in:ads allow:<!subteam^S0DESIGN|@designers>")
    assert "I can't read user groups without the permission `usergroups:read`." in told.text
    assert "can't find @designers" in (await run_command(slack, "watch guard in:ads allow:@designers")).text
    # Otherwise, nothing needs the scope.
    await run_command(slack, "watch guard in:ads allow:gif")
    assert (await rules_of(app)).exempt == {FileKind.GIF}
