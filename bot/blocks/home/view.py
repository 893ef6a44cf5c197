"""The Home tab: all sections, within Slack's limits."""

from __future__ import annotations

from collections.abc import Sequence

from bot.blocks.home.channels import channels_section
from bot.blocks.home.content import BuildSection, HomeContent, Section
from bot.blocks.home.databases import databases_section
from bot.blocks.home.header import beginners_section, header_section
from bot.blocks.home.news import news_section, work_section
from bot.blocks.home.refusals import refusals_section
from bot.blocks.limits import VIEW_BLOCKS, Block
from bot.blocks.modals import ViewPayload
from bot.blocks.reply import context_block

SECTIONS: tuple[BuildSection, ...] = (
    header_section,
    beginners_section,
    news_section,
    work_section,
    refusals_section,
    databases_section,
    channels_section,
)
"""The sections in the order in which they are shown."""


def home_view(home: HomeContent) -> ViewPayload:
    """Return the tab, with as many entries as Slack takes."""
    sections = [build(home) for build in SECTIONS]
    blocks = [
        block for section, shown in zip(sections, _shown(sections), strict=True) for block in _cut(section, shown)
    ]
    return {"type": "home", "blocks": blocks}


def _shown(sections: Sequence[Section]) -> list[int]:
    """Return how many entries of each section are shown: one of each in turn, while there is room."""
    shown = [0] * len(sections)
    # A section that leaves entries out says so in one block.
    room = VIEW_BLOCKS - sum(len(section.head) + bool(section.entries) for section in sections)
    has_more = True
    while has_more:
        has_more = False
        for place, section in enumerate(sections):
            needed = len(section.entries[shown[place]]) if shown[place] < len(section.entries) else 0
            if 0 < needed <= room:
                shown[place] += 1
                room -= needed
                has_more = True
    return shown


def _cut(section: Section, shown: int) -> list[Block]:
    left_out = section.left_out(len(section.entries) - shown) if shown < len(section.entries) else ""
    return [
        *section.head,
        *(block for entry in section.entries[:shown] for block in entry),
        *([context_block(left_out)] if left_out else []),
    ]
