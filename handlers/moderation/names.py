"""Find channels, people and user groups by the names that were typed, where Slack sent no ids."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks.wording.channels.rules import GROUPS_UNKNOWN, unknown_name
from bot.domain.channels import RuleChanges
from bot.domain.errors import UserError
from bot.domain.identifiers import WorkspaceId
from handlers.parsing.watch_rules import is_id
from handlers.slack.clients import pages
from handlers.slack_errors import UNREACHABLE, reason_of

log = logging.getLogger(__name__)

MAX_PAGES = 20
PER_PAGE = 999
TOTAL_TIMEOUT_S = 10.0


async def with_ids(workspace: WorkspaceId, changes: RuleChanges, client: AsyncWebClient) -> RuleChanges:
    """Return changes of rules with ids in place of names. Raises UserError."""
    if changes.people or changes.groups:
        changes = await _with_groups(workspace, changes, client)
    if changes.people is not None:
        changes = replace(changes, people=await ids_of_people(workspace, changes.people, client))
    if changes.report_to and not is_id(changes.report_to):
        changes = replace(changes, report_to=await _id_of_channel(workspace, changes.report_to, client))
    return changes


async def ids_of_people(workspace: WorkspaceId, people: Collection[str], client: AsyncWebClient) -> tuple[str, ...]:
    """Return the ids of people who are given by ids or names. Raises UserError."""
    if all(map(is_id, people)):
        return tuple(people)
    known = await _people_by_name(workspace, client)
    return tuple(one if is_id(one) else _found(known, one) for one in people)


async def _with_groups(workspace: WorkspaceId, changes: RuleChanges, client: AsyncWebClient) -> RuleChanges:
    """Move names of user groups from the people to the groups. Raises UserError if groups can't be read.

    A name that a person has is that person's.
    """
    people, groups = changes.people or (), changes.groups or ()
    if not groups and all(map(is_id, people)):
        return changes
    names = {} if all(map(is_id, people)) else await _people_by_name(workspace, client)
    others = [one for one in people if not is_id(one) and one[1:].casefold() not in names]
    if not groups and not others:
        return changes
    known = await _groups_by_name(workspace, client)
    if known is None and groups:
        raise UserError(GROUPS_UNKNOWN)
    found = {one: known[one[1:].casefold()] for one in others if known and one[1:].casefold() in known}
    kept = tuple(one for one in people if one not in found)
    return replace(changes, people=kept, groups=tuple(dict.fromkeys([*groups, *found.values()])))


async def _people_by_name(workspace: WorkspaceId, client: AsyncWebClient) -> dict[str, str]:
    return await _read(client.users_list, "members", _names_of_person, team_id=workspace)


async def _groups_by_name(workspace: WorkspaceId, client: AsyncWebClient) -> dict[str, str] | None:
    """Return the ids of user groups by handle; None if the bot may not read them."""
    try:
        async with asyncio.timeout(TOTAL_TIMEOUT_S):
            answer = await client.usergroups_list(team_id=workspace)
    except (TimeoutError, *UNREACHABLE) as error:
        log.info("user groups can't be read: %s", reason_of(error))
        return None if reason_of(error) == "missing_scope" else {}
    return {str(group.get("handle")).casefold(): str(group["id"]) for group in answer.get("usergroups") or ()}


async def _id_of_channel(workspace: WorkspaceId, name: str, client: AsyncWebClient) -> str:
    types = "public_channel,private_channel"
    known = await _read(client.users_conversations, "channels", _names_of_channel, team_id=workspace, types=types)
    return _found(known, name)


def _found(known: Mapping[str, str], name: str) -> str:
    if identifier := known.get(name[1:].casefold()):
        return identifier
    raise UserError(unknown_name(name))


async def _read(call: Any, items: str, names_of: Any, **arguments: str) -> dict[str, str]:
    """Return ids by name. What Slack doesn't tell is left out."""
    found: dict[str, str] = {}
    try:
        async with asyncio.timeout(TOTAL_TIMEOUT_S):
            async for answer, _ in pages(call, MAX_PAGES, limit=PER_PAGE, **arguments):
                for about in answer.get(items) or ():
                    for name in names_of(about):
                        found.setdefault(name.casefold(), str(about["id"]))
    except UNREACHABLE as error:
        log.info("names can't be looked up: %s", reason_of(error))
    except TimeoutError:
        log.info("names can't be looked up in time")
    return found


def _names_of_person(about: Mapping[str, Any]) -> list[str]:
    profile = about.get("profile") or {}
    names = (about.get("name"), profile.get("display_name"), profile.get("display_name_normalized"))
    return [] if about.get("deleted") else [str(name) for name in names if name]


def _names_of_channel(about: Mapping[str, Any]) -> list[str]:
    return [str(about["name"])] if about.get("name") else []
