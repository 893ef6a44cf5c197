"""App Home shows and counts only what the person may see: members, guests and channels that became private."""

from __future__ import annotations

import pytest

from bot.domain.identifiers import EntityId
from tests.fakes.slack import FakeSlack
from tests.scenario.conftest import Start, fill
from tests.scenario.privacy.private_images import INSIDER, SECRETS, THERE, start_with_private_image
from tests.scenario.privacy.test_guests import GUEST, HERE, HIDDEN, MEMBER, start_with_guest
from tests.scenario.support.home import URL, covers, open_home
from tests.scenario.support.requests import UNRELATED, VALVE, add_secret, idle, key_of

OTHER = "U0OTHER"


@pytest.mark.parametrize("hints", [False, True])
async def test_hidden_images_are_neither_shown_nor_counted(slack: FakeSlack, start: Start, hints: bool) -> None:
    app = await start_with_private_image(slack, start, "private", hints=hints)
    await idle(app)
    theirs = await open_home(slack, OTHER)
    assert f"`parts`  ·  {2 if hints else 1} image" in theirs.everything
    assert "Newest: `sofa`" in theirs.everything
    assert "`parts`: *1 new image*" in theirs.everything
    assert not any(secret in str(theirs.body) for secret in SECRETS)
    mine = await open_home(slack, INSIDER)
    assert "Newest: `secret_plan`" in mine.everything
    assert f"by <@{INSIDER}> in <#{THERE}>" in mine.everything


async def test_guest_sees_only_their_channels(slack: FakeSlack, start: Start) -> None:
    await start_with_guest(slack, start)
    home = await open_home(slack, GUEST)
    assert not any(word in str(home.body) for word in (*HIDDEN, "secret_stock"))
    assert "Newest: `chair`" in home.everything
    assert f"*1 new image*\n1 by <@{MEMBER}> in <#{HERE}>" in home.everything
    assert "`parts`  ·  1 image" in home.everything
    member = await open_home(slack, MEMBER)
    assert "Newest: `lamp`" in member.everything
    assert "*3 new images*" in member.everything


async def test_guest_without_a_database_is_told_nothing_of_others(slack: FakeSlack, start: Start) -> None:
    slack.add_person(GUEST, is_restricted=True)
    app = await start()
    for name in ("stock", "logos"):
        await fill(app, name, valve=VALVE)
    home = await open_home(slack, GUEST)
    assert "There's no image database for you yet." in home.everything
    assert "No image databases yet" not in home.everything
    assert not any(name in str(home.body) for name in ("stock", "logos", "valve"))
    assert "0 databases, 0 images" in home.everything


async def test_channel_that_became_private_hides_its_images(slack: FakeSlack, start: Start) -> None:
    app = await start(**URL)
    await fill(app, "parts", sofa=UNRELATED)
    # The channel was public when the image was added.
    await add_secret(slack, app)
    home = await open_home(slack, OTHER)
    assert "`parts`  ·  1 image" in home.everything
    assert "Newest: `sofa`" in home.everything
    assert "`parts`: *1 new image*\n1 imported" in home.everything
    assert "secret" not in str(home.body)
    await fill(app, "logos")
    await app.services.deletions.delete(key_of(app, "parts"), EntityId("sofa"))
    home = await open_home(slack, OTHER)
    assert "`parts`  ·  0 images" in home.everything
    assert "Add your first pictures" in home.everything
    assert covers(home) == []
