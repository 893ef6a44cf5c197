"""What is new in the databases since the person's last visit, and what waits or failed."""

from __future__ import annotations

from bot.blocks.home.content import HomeContent, News, Section
from bot.blocks.mrkdwn import count
from bot.blocks.reply import context_block, heading, section
from bot.blocks.wording import home as wording
from bot.domain.catalogue import NewImages

MAX_DATABASES = 8
"""Databases of which the news are shown."""

MAX_LINES = 12
"""Lines about what waits or failed."""


def news_section(home: HomeContent) -> Section:
    """Return the number of new images of each database, by whom they came and from where."""
    news = home.news
    if news is None or (news.is_first_visit and not news.groups):
        return Section()
    if not news.groups:
        return Section((context_block(wording.nothing_new(news.since)),))
    by_database: dict[str, list[NewImages]] = {}
    for group in news.groups:
        by_database.setdefault(group.database, []).append(group)
    most_first = sorted(by_database.items(), key=lambda item: (-_images(item[1]), item[0]))
    entries = tuple((section(wording.news_entry(name, _images(groups), groups)),) for name, groups in most_first)
    # The databases that follow have a place each, so their news need not push them out.
    left_out = len(entries) - MAX_DATABASES
    further = ((context_block(wording.more_news(left_out)),),) if left_out > 0 else ()
    return Section(
        (heading(wording.NEW), context_block(_since(news))), (*entries[:MAX_DATABASES], *further), wording.more_news
    )


def work_section(home: HomeContent) -> Section:
    """Return what waits or failed, a line each."""
    work = home.work
    lines = [
        *(wording.waiting(jobs.waiting, jobs.channel) for jobs in work.channels if jobs.waiting),
        *(wording.failed(jobs.failed, jobs.channel) for jobs in work.channels if jobs.failed),
        *(wording.importing(table, channel) for table, channel in work.imports),
        *([wording.unread(_at_most(work.unread, work.counted))] if work.unread else []),
        *([wording.unprepared(_at_most(work.unprepared, work.counted))] if work.unprepared else []),
        *([wording.failing_removals(work.failing_removals)] if work.failing_removals else []),
    ]
    if not lines:
        return Section()
    shown = lines[:MAX_LINES]
    left_out = [wording.more_lines(len(lines) - len(shown))] if len(lines) > len(shown) else []
    return Section((heading(wording.WORK), section("\n".join([*shown, *left_out]))))


def _since(news: News) -> str:
    text = wording.NEW_AT_FIRST_VISIT if news.is_first_visit else wording.new_since(news.since)
    return f"{text}  ·  {wording.ONLY_NEWEST_COUNTED}" if news.is_cut else text


def _images(groups: list[NewImages]) -> int:
    return sum(group.images for group in groups)


def _at_most(number: int, counted: int) -> str:
    """Return the number of images as text. Beyond what was counted, only that is known."""
    return count(number, "image") if number <= counted else f"more than {count(counted, 'image')}"
