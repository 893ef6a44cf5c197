"""What the operator added or imported: an uninstall keeps it, a deletion in Slack takes its origin away."""

from __future__ import annotations

from typing import Any

import pytest

from bot.domain.catalogue import Origin, OriginSource, SlackOrigin
from bot.domain.channels import ChannelKind, VisibleOrigins
from bot.domain.identifiers import LOCAL_WORKSPACE, DatabaseKey, EntityId, Note
from bot.domain.jobs import JobKind, NewJob, deletion_key
from bot.domain.pages import PageRequest
from bot.services.images.new_image import NewImage
from bot.storage.catalogue.catalogue import SqlCatalogue
from tests.fakes.features import random_picture
from tests.unit.services.origins import BEGINNING, PARTS, TEAM, Harness, harness, only_of

__all__ = ["harness"]


async def test_uninstall_returns_the_operators_images(harness: Harness) -> None:
    await harness.add(1, user="")
    await harness.add(1, "F1", "C1", "1.1", note="said in Slack")
    await harness.add(2, "F2", "C1", "1.2")
    assert await harness.removal.remove_workspace(TEAM) == 1
    local = DatabaseKey(LOCAL_WORKSPACE, PARTS.name)
    [record] = (await harness.storage.catalogue.page(local, PageRequest())).items
    assert [(origin.source, origin.note) for origin in record.origins] == [(OriginSource.COMMAND_LINE, "")]
    assert [image.data_id for image in (await harness.visual.list_images(local, PageRequest())).items] == [
        record.data_id
    ]
    assert await harness.storage.catalogue.databases(TEAM) == ()


def exported(file: str, channel: str, message: str, kind: ChannelKind = ChannelKind.PUBLIC) -> Origin:
    slack = SlackOrigin(file, channel, message, "https://acme.slack.com/x", kind)
    return Origin(OriginSource.MESSAGE, BEGINNING, "U1", Note("said in Slack"), "x.png", slack)


async def import_exported(harness: Harness, seed: int, *origins: Origin) -> None:
    image = NewImage(random_picture(seed), b"jpeg", EntityId("valve"), Note(), imported=True, exported=origins)
    await harness.additions.add_all(PARTS, [image])


async def test_uninstall_keeps_an_imported_export_without_what_slack_said(harness: Harness) -> None:
    named = Origin(OriginSource.URL, BEGINNING, "U1", Note("said in Slack"), "y.png")
    await import_exported(harness, 1, exported("F1", "C1", "1.1"), named)
    await import_exported(harness, 2, exported("F2", "G1", "1.2", ChannelKind.PRIVATE))
    # It is imported over what is there.
    await harness.add(3, "F3", "C1", "1.3", note="said in Slack")
    await import_exported(harness, 3, exported("F3", "C1", "1.3"))
    await harness.add(4, "F4", "C1", "1.4")
    assert await only_of(harness, 1) == {("message", "F1", "C1", "1.1"), ("url", "", "", "")}
    assert await only_of(harness, 3) == {("message", "F3", "C1", "1.3")}
    await harness.removal.remove_workspace(TEAM)
    local = DatabaseKey(LOCAL_WORKSPACE, PARTS.name)
    records = {one.digest: one for one in (await harness.storage.catalogue.page(local, PageRequest())).items}
    assert set(records) == {random_picture(seed).digest for seed in (1, 2, 3)}
    for record in records.values():
        for origin in record.origins:
            assert (origin.source, origin.author, origin.note, origin.source_name) == ("import", "", "", "")
            # Nobody in Slack is shown an image from a private channel, whoever gets the database.
            is_private = record.digest == random_picture(2).digest
            assert origin.slack == (SlackOrigin("", "", "", kind=ChannelKind.PRIVATE) if is_private else None)
    hidden = await harness.storage.catalogue.hidden_images(local, VisibleOrigins(frozenset(), without_channel=True), 9)
    assert hidden == {records[random_picture(2).digest].data_id}


async def test_deletion_in_slack_takes_an_imported_export_away(harness: Harness) -> None:
    await import_exported(harness, 1, exported("F1", "C1", "1.1"), exported("F2", "C2", "1.2"))
    assert await harness.removal.remove_file(TEAM, "F1") == 0
    assert await harness.removal.remove_message(TEAM, "C2", "1.2") == 1
    assert await harness.origins() == {}


async def test_export_of_what_was_deleted_in_slack_since_is_not_imported(harness: Harness) -> None:
    inbox = harness.storage.inbox
    await inbox.put(NewJob(JobKind.FORGET, TEAM, "", deletion_key(), "-", ("F1",), "{}"))
    await import_exported(harness, 1, exported("F1", "C1", "1.1"))
    await import_exported(harness, 2, exported("F1", "C1", "1.1"), exported("F2", "C2", "1.2"))
    assert set(await harness.origins()) == {random_picture(2).digest}
    assert await only_of(harness, 2) == {("message", "F2", "C2", "1.2")}


async def test_add_during_an_uninstall_leaves_nothing_of_slack(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    await harness.add(1, user="")
    await harness.add(1, "F1", "C1", "1.1")
    give_back, late = SqlCatalogue.return_to_operator, ["F2", "F3"]

    async def add_first(catalogue: SqlCatalogue, *arguments: Any) -> DatabaseKey | None:
        if late:
            await harness.add(1, late.pop(), "C1", "1.2", note="said in Slack")
        return await give_back(catalogue, *arguments)

    monkeypatch.setattr(SqlCatalogue, "return_to_operator", add_first)
    await harness.removal.remove_workspace(TEAM)
    local = DatabaseKey(LOCAL_WORKSPACE, PARTS.name)
    [record] = (await harness.storage.catalogue.page(local, PageRequest())).items
    assert (late, [origin.source for origin in record.origins]) == ([], [OriginSource.COMMAND_LINE])


async def test_import_during_an_uninstall_is_not_destroyed(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    await harness.add(1, "F1", "C1", "1.1")
    look = SqlCatalogue.has_operator_images

    async def add_after(catalogue: SqlCatalogue, key: DatabaseKey) -> bool:
        found = await look(catalogue, key)
        if not found:
            await harness.add(2, user="")
        return found

    monkeypatch.setattr(SqlCatalogue, "has_operator_images", add_after)
    await harness.removal.remove_workspace(TEAM)
    local = DatabaseKey(LOCAL_WORKSPACE, PARTS.name)
    assert (await harness.storage.catalogue.page(local, PageRequest())).total == 1
