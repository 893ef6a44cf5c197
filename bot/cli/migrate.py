"""``vsearch migrate`` and ``retire``: to another back end or storage, and away from the back end before."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from bot.back_ends import have_images_in_common, open_beside
from bot.cli.exits import Unconfirmed
from bot.cli.moving import move_house
from bot.cli.options import AsJson, Yes, ask
from bot.cli.output import counted, remark, say, show_json
from bot.cli.progress import ProgressLine, stop_on_interrupt
from bot.cli.reconcile import AGAIN, changes, end, outcome_document, scope_of, show_findings, show_remains
from bot.cli.session import Session, session_of
from bot.config import BACK_ENDS
from bot.errors import InvalidInput
from bot.lending import pictures_lent
from bot.services.reconciling import Holding, Outcome, ReconcileService

if TYPE_CHECKING:
    from bot.storage.sql import SqlStorage

T = TypeVar("T")

app = typer.Typer()

COPIES = "pgvector"
"""Searches copies of the vectors that the embedded engine has."""


def _back_end(name: str) -> str:
    if name.lower() not in BACK_ENDS:
        raise typer.BadParameter(f"There is no back end “{name}”; there are {', '.join(BACK_ENDS)}")
    return name.lower()


@app.command(rich_help_panel="Upkeep")
def migrate(
    ctx: typer.Context,
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            parser=_back_end,
            metavar="|".join(BACK_ENDS),
            help="Bring all databases to another search back end, as in VSEARCH_BACKEND, from the stored pictures.",
        ),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="DIR|ADDRESS",
            help="Bring everything from a former data directory (or sqlite:///…, postgresql://…) to where the settings "
            "point now.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Move: to another search back end, or from other storage. Run again, it goes on."""
    session = session_of(ctx)
    if (to is None) == (source is None):
        raise InvalidInput("Say either --to and a back end, or --from and where everything is now.")
    if source is not None:
        move_house(session, source, as_json=as_json)
    elif to is not None:
        _move_to(session, to, as_json=as_json)


def _move_to(session: Session, to: str, *, as_json: bool) -> None:
    _check_not_in_use(session, to, "name another, or mend it with “vsearch reconcile --mend”")

    async def work(service: ReconcileService) -> Outcome:
        with ProgressLine("Moving") as line, stop_on_interrupt() as stop:
            return await service.mend(scope_of(session), on_progress=line.update, stop=stop)

    outcome = _beside(session, to, work)
    if as_json:
        show_json({"back_end": to, **outcome_document(outcome)})
    else:
        _tell(outcome, session.settings().backend, to)
    end(interrupted=outcome.interrupted, well=outcome.complete)


def _tell(outcome: Outcome, before: str, to: str) -> None:
    show_findings((mending.finding, len(mending.left_out)) for mending in outcome.mendings)
    show_remains(outcome)
    if outcome.interrupted:
        remark(AGAIN, "yellow")
        return
    say(changes(outcome))
    if outcome.complete:
        say(
            f"The {to} back end has it all. Now set VSEARCH_BACKEND={to}, restart the bot, and run “vsearch reconcile "
            f"--mend” for what came meanwhile."
        )
        if have_images_in_common(before, to) and to == COPIES:
            say(f"The two have their images in common; there is nothing to retire, and you can go back to {before}.")
        else:
            say(f"When all is well, “vsearch retire {before}” deletes what the other has.")


@app.command(rich_help_panel="Upkeep")
def retire(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(parser=_back_end, metavar="|".join(BACK_ENDS))],
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Delete everything from a search back end that isn't used any more. The stored pictures stay."""
    session = session_of(ctx)
    _check_not_in_use(session, name, "only one that isn't used can be retired", to_empty=True)
    used = session.settings().backend
    if have_images_in_common(used, name):
        _retire_copies(session, name, used, yes=yes, as_json=as_json)
        return

    async def look(service: ReconcileService) -> tuple[Holding, ...]:
        return await service.holdings()

    async def work(service: ReconcileService) -> int:
        return await service.clear()

    if not yes:
        holdings = _beside(session, name, look, to_empty=True)
        images = sum(holding.images for holding in holdings)
        amount = f"{counted(len(holdings), 'database')} with {counted(images, 'image')}"
        _confirm(f"This deletes {amount} from the {name} back end.", as_json=as_json)
    databases = _beside(session, name, work, to_empty=True)
    if as_json:
        show_json({"back_end": name, "deleted": databases})
    else:
        say(f"Deleted {counted(databases, 'database')} from the {name} back end.")


def _retire_copies(session: Session, name: str, used: str, *, yes: bool, as_json: bool) -> None:
    """Of two back ends on the same rows, one has copies that can go; the rows themselves are the other's as well."""
    if name != COPIES:
        raise InvalidInput(f"The {used} back end, which is in use, searches the images of {name}; they have to stay.")
    kept = f"the {used} back end keeps all images"
    if not yes:
        _confirm(f"This deletes the copies of vectors that {name} searches; {kept}.", as_json=as_json)

    async def drop(storage: SqlStorage) -> None:
        await storage.drop_nearest()

    session.browse_all(drop)
    if as_json:
        show_json({"back_end": name, "deleted": 0})
    else:
        say(f"Deleted the copies of vectors that {name} searches; {kept}.")


def _confirm(what: str, *, as_json: bool) -> None:
    if ask(f"{what} Go on? [y/N]", as_json=as_json).lower() not in {"y", "yes"}:
        raise Unconfirmed("Nothing was deleted.")


def _check_not_in_use(session: Session, name: str, advice: str, *, to_empty: bool = False) -> None:
    settings = session.settings()
    if settings.backend == name:
        raise InvalidInput(f"The {name} back end is the one in use; {advice}.")
    settings.check_back_end(name, to_empty=to_empty)


def _beside(
    session: Session, name: str, work: Callable[[ReconcileService], Awaitable[T]], *, to_empty: bool = False
) -> T:
    """Do work on a back end that isn't in use. That which is need not even be well."""

    async def opened(storage: SqlStorage) -> T:
        from bot.images.normalise import decode_stored  # noqa: PLC0415 - the libraries for pictures load slowly

        settings = session.settings()
        async with AsyncExitStack() as stack:
            visual = await stack.enter_async_context(open_beside(name, settings, storage, to_empty=to_empty))
            if not to_empty:
                await stack.enter_async_context(pictures_lent(settings, visual, storage))
            return await work(ReconcileService(storage, visual, decode_stored))

    return session.browse_all(opened)
