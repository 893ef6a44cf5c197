"""The databases in App Home: each with a picture, and what can be done with it."""

from __future__ import annotations

from bot.blocks.button_state import ListState, NameState
from bot.blocks.home.content import HomeContent, Section
from bot.blocks.ids import ActionId
from bot.blocks.limits import Block
from bot.blocks.messages.image_details import NO_PICTURE, provenance, with_picture
from bot.blocks.reply import button, buttons, heading, option, overflow, section
from bot.blocks.wording import buttons as labels
from bot.blocks.wording import home as wording
from bot.blocks.wording.channels import feedback as feedback_wording
from bot.domain.catalogue import DatabaseInfo

REPORT = "report"
"""The option of a database's menu that shows what was asked of it. Old views may have it for a while."""


def databases_section(home: HomeContent) -> Section:
    """Return the databases, or that there are none."""
    if home.databases:
        entries = tuple(_entry(home, info) for info in home.databases)
        return Section((heading(wording.DATABASES),), entries, wording.more_databases)
    none = wording.NO_DATABASES_FOR_GUEST if home.is_guest else wording.NO_DATABASES
    return Section((heading(wording.DATABASES), section(none)))


def _entry(home: HomeContent, info: DatabaseInfo) -> tuple[Block, ...]:
    name, newest = info.key.name, home.newest.get(info.key.name)
    lines = [wording.database_entry(info)]
    if newest is not None:
        lines = [wording.database_entry(info, wording.newest_image(newest.entity, provenance(newest)))]
    if (learned := home.learned.get(name)) is not None:
        lines.append(feedback_wording.learned(learned))
    text = section("\n".join(lines))
    if newest is not None:
        picture = home.pictures.get(newest.data_id, NO_PICTURE)
        text = with_picture(text, picture, wording.newest_alt(name, newest.entity))
    value = NameState(database=name).encode() or ""
    actions = [button(labels.ADD, ActionId.ADD_PICTURES, value, about=name)]
    if info.images:
        page = ListState(database=name).encode() or ""
        actions.insert(0, button(labels.BROWSE, f"{ActionId.LIST_PAGE}:browse", page, about=name))
    if home.changeable is None or name in home.changeable:
        actions.append(button(labels.SETTINGS, ActionId.DATABASE_SETTINGS, value, about=name))
        actions.append(overflow(ActionId.DATABASE_MENU, [option(labels.REPORT, f"{REPORT}|{name}")]))
    return text, buttons(actions)
