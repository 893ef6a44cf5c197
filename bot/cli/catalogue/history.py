"""``vsearch history``: let the running bot add the past pictures of a Slack channel, and see how far it is."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated

import typer

from bot.cli.session import StorageSession, context_of
from bot.cli.terminal.options import AsJson
from bot.cli.terminal.output import counted, print_line, show_json
from bot.domain.channels import ChannelMode
from bot.domain.errors import InvalidInput
from bot.domain.jobs import HistoryImport, HistoryStatus, NewHistoryImport, latest_to_read, message_at

app = typer.Typer()

_CHANNEL = re.compile(r"(?:https://\S+/(?:archives|client/[A-Z0-9]+)/)?#?([CG][A-Z0-9]{2,30})(?:[/?]\S*)?")


@app.command()
def history(
    ctx: typer.Context,
    *,
    channel: Annotated[
        str, typer.Argument(metavar="CHANNEL", help="Id of the channel, such as C0123456789, or a link.")
    ],
    database: Annotated[
        str | None,
        typer.Option("--in", metavar="DB", help="Where the pictures go; by default, the channel's database."),
    ] = None,
    since: Annotated[
        str,
        typer.Option(metavar="DAY", help="Leave older messages out: a day such as 2024-01-31, or an age such as 90d."),
    ] = "",
    status: Annotated[bool, typer.Option("--status", help="Only say how far the import is.")] = False,
    pause: Annotated[bool, typer.Option("--pause", help="Pause the import.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Let a paused import go on.")] = False,
    stop: Annotated[bool, typer.Option("--stop", help="Stop the import. What was added stays.")] = False,
    as_json: AsJson = False,
) -> None:
    """Let the running bot add the past pictures of a Slack channel."""
    changes = {HistoryStatus.PAUSED: pause, HistoryStatus.RUNNING: resume, HistoryStatus.STOPPED: stop}
    wanted = [one for one, is_wanted in changes.items() if is_wanted]
    if len(wanted) + status > 1 or ((wanted or status) and (database or since)):
        raise InvalidInput("Choose one of --status, --pause, --resume and --stop, without --in and --since.")
    found = _CHANNEL.fullmatch(channel.strip())
    if found is None:
        raise InvalidInput("Name the channel by its id, such as C0123456789: Slack shows it at the end of its details.")

    async def work(session: StorageSession) -> HistoryImport:
        if status or wanted:
            return await _changed(session, found[1], wanted[0] if wanted else None)
        return await _begun(session, found[1], database, since)

    _show(context_of(ctx).run_with_storage(work), as_json=as_json)


async def _begun(session: StorageSession, channel: str, database: str | None, since: str) -> HistoryImport:
    from handlers.parsing.grammar import values  # noqa: PLC0415 - slow import

    oldest = values.since(since) if since else 0.0
    binding = await session.storage.bindings.get(session.workspace, channel)
    adds = binding is not None and binding.mode in {ChannelMode.COLLECT, ChannelMode.GUARD}
    if database is None and not adds:
        raise InvalidInput("The channel adds no pictures by itself. Say where its past pictures go with --in.")
    new = NewHistoryImport(
        workspace=session.workspace,
        enterprise=dict(await session.storage.catalogue.connected()).get(session.workspace, ""),
        channel=channel,
        database=(await session.find(database)).key.name if database else "",
        oldest=message_at(oldest) if oldest else "",
        latest=latest_to_read(datetime.now(UTC)),
    )
    begun = await session.storage.history.start(new)
    if begun is None:
        raise InvalidInput("The channel's past pictures are being added already. See --status, --pause and --stop.")
    return begun


async def _changed(session: StorageSession, channel: str, wanted: HistoryStatus | None) -> HistoryImport:
    history = session.storage.history
    given = await history.of_channel(session.workspace, channel)
    if given is None:
        raise InvalidInput("No past pictures of this channel were added in the last 30 days.")
    if wanted is None:
        return given
    changed = await history.set_status(given.id, wanted)
    if changed is None:
        raise InvalidInput("The import is over. Run the command without an option to start another one.")
    return changed


def _show(given: HistoryImport, *, as_json: bool) -> None:
    if as_json:
        counts = {"messages": given.messages, "pictures": given.pictures, "added": given.added}
        counts |= {"known": given.known, "refused": given.refused}
        show_json({"channel": given.channel, "status": given.status, "reason": given.reason, **counts})
        return
    done = f"{given.done:,} of {counted(max(given.pictures, given.done), 'picture')}"
    if given.status is HistoryStatus.RUNNING and not given.messages:
        print_line("The bot reads the channel as soon as it runs. Its message in the channel shows the progress.")
    elif given.status.is_active:
        print_line(f"The import is {given.status}: {done} so far, from {counted(given.messages, 'message')}.")
    else:
        because = f" ({given.reason})" if given.reason else ""
        print_line(f"The import is {given.status}{because}: {done}, {given.refused:,} of them can't be read.")
