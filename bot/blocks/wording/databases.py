"""Texts about databases."""

from __future__ import annotations

from collections.abc import Sequence

from bot.blocks.mrkdwn import code, count, count_images
from bot.domain.catalogue import DatabaseInfo, ScoreFit
from bot.domain.identifiers import DatabaseName

NO_DATABASE = "This workspace has no image database yet. Create one to start finding images."
NO_DATABASE_STATUS = "*No image databases yet*"
SEVERAL_DATABASES = "Which database should I search? This workspace has several."

MAX_NAMES = 20


def several_databases_hint(databases: Sequence[DatabaseInfo]) -> str:
    """Return how to name a database for one search.

    ``databases`` is empty where their names must stay private, as in a channel shared with another organisation.
    """
    names = [f"`{info.key.name}`" for info in databases[:MAX_NAMES]]
    known = f"Databases: {', '.join(names)}{', …' if len(databases) > MAX_NAMES else ''}.\n" if names else ""
    return (
        f"{known}For one search, type `/vsearch search last in:&lt;database&gt;`"
        " or write `in:&lt;database&gt;` next to your image."
    )


def databases_title(number: int) -> str:
    """Return how many databases there are."""
    return count(number, "image database")


def databases_and_images(databases: Sequence[DatabaseInfo]) -> str:
    """Return how many databases and images there are."""
    images = sum(info.images for info in databases)
    return f"*{databases_title(len(databases))}*, {count_images(images)}"


def database_line(info: DatabaseInfo, fit: ScoreFit | None = None) -> str:
    """Return a database's line in a list; ``fit`` says how its scores were fitted, if they were."""
    line = f"`{info.key.name}`  ·  {count_images(info.images)}"
    return line if fit is None else f"{line}  ·  {_fitted(fit)}"


def _fitted(fit: ScoreFit) -> str:
    if fit.is_by_hand:
        return "scores fitted by hand"
    return f"scores fitted to its own pictures at {count_images(fit.images)}"


RESET_SCORES = "On the command line, `vsearch calibrate &lt;database&gt; --reset` goes back to the default scores."
"""Below a list of databases of which one has fitted scores."""


def created(name: DatabaseName) -> str:
    """Return that a database was created, and how to fill it."""
    return (
        f"Created the database `{name}`.\n"
        f"`/vsearch add last in:{name}` adds the newest image from a channel.\n"
        f"`/vsearch watch collect in:{name}` adds every image shared in one."
    )


def deleted(name: str, images: int) -> str:
    """Return that a database was deleted."""
    return f"Deleted the database {code(name)} with {count_images(images)}."


def link_text(name: DatabaseName, template: str, *, is_new: bool) -> str:
    """Return where the ids of a database lead. ``template`` is code, or empty."""
    if not template:
        state = "no longer have a link" if is_new else "have no link"
        return f"Ids of `{name}` {state}. Set one: `/vsearch db link {name} https://erp.example.com/part/{{id}}`"
    return f"Ids of `{name}` {'now ' if is_new else ''}link to {template}."
