"""The shared files in App Home that could not be added, and why."""

from __future__ import annotations

from bot.blocks.home.content import HomeContent, NotAdded, Section
from bot.blocks.limits import Block
from bot.blocks.messages.image_details import address
from bot.blocks.mrkdwn import escape_sentence
from bot.blocks.reply import context_block, heading, section
from bot.blocks.wording import home as wording

MAX_REFUSED = 8
"""Files that are shown."""


def refusals_section(home: HomeContent) -> Section:
    """Return the newest of these files, one entry each."""
    total, shown = home.work.refused_total, home.work.refused[:MAX_REFUSED]
    if not shown:
        return Section()
    further = total - len(shown)
    entries = tuple(map(_entry, shown)) + (((context_block(wording.more_not_added(further)),),) if further else ())
    return Section(
        (heading(wording.NOT_ADDED),),
        entries,
        # The last entry stands for several files.
        lambda left_out: wording.more_not_added(left_out + max(0, further - 1)),
    )


def _entry(file: NotAdded) -> tuple[Block, ...]:
    where = wording.not_added(file.name, file.channel, file.author, file.shared_at, address(file.link))
    return (section(f"{where}\n{escape_sentence(file.reason)}"),)
