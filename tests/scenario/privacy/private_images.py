"""A database with an image from a closed conversation, and the ways in which people ask for it."""

from __future__ import annotations

from bot.app.slack_app import SlackApp
from bot.domain.channels import ChannelMode
from bot.domain.identifiers import DatabaseName
from tests.fakes.slack import FakeSlack, Message
from tests.fakes.slack.values import ConversationKind
from tests.scenario.conftest import Start, fill
from tests.scenario.support.requests import key_of, run_command
from tests.scenario.support.shares import ORIGINAL, OTHER, images_in, reply, settled, watch

THERE = "C0THERE"
INSIDER, OUTSIDER, ADMIN = "U0INSIDER", "U0OUTSIDER", "U0ADMIN"
PLACES: list[ConversationKind] = ["private", "mpim", "im", "shared"]
SECRETS = ("secret_plan", "tell nobody", THERE, INSIDER)


async def start_with_private_image(
    slack: FakeSlack, start: Start, kind: ConversationKind, *, hints: bool = False
) -> SlackApp:
    """Start with a database that has one public image and one from a closed conversation."""
    app = await start()
    await fill(app, "parts", sofa=OTHER)
    await app.services.storage.catalogue.set_hints(key_of(app, DatabaseName("parts")), hints_at_hidden=hints)
    slack.add_channel(THERE, "secrets", kind=kind, members=[INSIDER])
    if kind == "im":
        # Images in direct messages are never collected. The sender adds this one by the button.
        shared = await slack.upload(slack.host(ORIGINAL, "x.png"), channel=THERE, user=INSIDER, text="min:0")
        await slack.press(await reply(slack, shared), "results_add_this", user=INSIDER)
        form = await slack.wait_for_view("add_form", user=INSIDER)
        await slack.submit(form, {"database": "parts", "entity": "secret_plan", "note": "tell nobody"})
        await slack.wait_for(lambda message: "Added" in message.text)
    else:
        await watch(app, ChannelMode.COLLECT, "parts", channel=THERE)
        shared = await slack.upload(
            slack.host(ORIGINAL, "secret_plan.png"), channel=THERE, user=INSIDER, text="tell nobody"
        )
        await slack.wait_for_reaction(shared)
        await watch(app, ChannelMode.LOOKUP, "parts", channel=THERE)
    await settled(slack, app)
    assert [record.entity for record in await images_in(app)] == ["sofa", "secret_plan"]
    return app


def reveals_nothing(message: Message) -> bool:
    """Return whether a message contains nothing from the closed conversation, including its pictures."""
    return not any(secret in f"{message.everything} {message.blocks}" for secret in SECRETS)


async def thread(slack: FakeSlack, user: str) -> Message:
    """Share the same picture in a public channel, and return the answer."""
    return await reply(slack, await slack.upload(ORIGINAL, user=user, text="min:0"))


async def last(slack: FakeSlack, user: str) -> Message:
    await slack.upload(ORIGINAL, user=user, text="min:0")
    return await run_command(slack, "search last min:0", user=user)


async def shortcut(slack: FakeSlack, user: str) -> Message:
    shared = await slack.upload(ORIGINAL, user=user)
    before = len(slack.transcript)
    await slack.shortcut_message("find_similar", shared, user=user)
    return await slack.wait_for_answer(to=user, after=before)


async def listed(slack: FakeSlack, user: str) -> Message:
    return await run_command(slack, "list in:parts", user=user)


ALONE = [last, shortcut, listed]
