"""Reports of a guard: what happened, both pictures, what people did about it, and their buttons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from bot.blocks.button_state import MAX_BUTTON_VALUE, ReportState, SearchState, encode_searches
from bot.blocks.ids import ActionId, BlockId
from bot.blocks.limits import MESSAGE_TEXT, Block, escape, fits, length, shorten
from bot.blocks.messages.image_details import NO_PICTURE, PictureRef, address, headline, with_picture
from bot.blocks.mrkdwn import code, entity_code, one_line, plain_phrase, score_text
from bot.blocks.reply import (
    Reply,
    button,
    buttons,
    confirmation,
    context_block,
    mrkdwn_reply,
    option,
    overflow,
    section,
)
from bot.blocks.wording import buttons as labels
from bot.blocks.wording.channels import reports as wording
from bot.blocks.wording.results import COMPARED_BY_PREVIEW, caveat_sentences
from bot.domain.channels.reports import Report, ReportAction
from bot.domain.matches import Edit, Verdict

MAX_LOGGED = 6
MAX_LISTED = 10

REPORTS_IN_MESSAGE = 4
"""Reports that share a message. They still fit when each has a log of actions and buttons to undo them."""

MAX_NAME = 80
_SEPARATOR = "  ·  "


@dataclass(frozen=True, slots=True)
class EarlierPosting:
    """The first posting of an image: who, when, where, and what the image is. ``times``: the repost's number."""

    author: str
    at: datetime
    channel: str
    link: str
    entity: str
    note: str
    score: float
    verdict: Verdict
    edits: tuple[Edit, ...]
    times: int
    picture: PictureRef = NO_PICTURE


@dataclass(frozen=True, slots=True)
class ShownReport:
    """A report as its readers see it.

    Attributes:
        report: The report.
        first: The first posting; None if it is gone.
        link: The permalink of the repost, for readers who don't see it above.
        elsewhere: Whether the readers are in another channel.
        has_buttons: Whether there are buttons for moderators.
        now: The time, which decides what can be undone.
    """

    report: Report
    first: EarlierPosting | None
    now: datetime
    link: str = ""
    elsewhere: bool = False
    has_buttons: bool = True
    asked: PictureRef = NO_PICTURE


def reports_reply(shown: Sequence[ShownReport]) -> Reply:
    """Return the message about the reposts of one message, or several if they don't fit."""
    parts, described = (
        [_blocks(one, number if len(shown) > 1 else 0, described=each) for number, one in enumerate(shown, start=1)]
        for each in (False, True)
    )
    messages: list[Reply] = []
    start = 0
    while start < len(parts):
        end = start + 1
        while end < min(len(parts), start + REPORTS_IN_MESSAGE) and fits(_joined(parts, shown, start, end + 1)):
            end += 1
        # Labels for screen readers never push a report out of the message that had it.
        whole = _joined(described, shown, start, end)
        blocks = whole if fits(whole) else _joined(parts, shown, start, end)
        about = shown[start].report.about
        copies = all(one.first is None or one.first.verdict.is_copy for one in shown[start:end])
        channel = about.channel if shown[start].elsewhere else ""
        text = wording.notification(about.author, channel, end - start, copies=copies)
        messages.append(Reply(text, tuple(blocks), pictures=end - start))
        start = end
    return replace(messages[0], further=tuple(messages[1:]))


def _joined(parts: Sequence[Sequence[Block]], shown: Sequence[ShownReport], start: int, end: int) -> list[Block]:
    """Return the blocks of a message about some of the reports: their parts, and what adds the images anyway."""
    return [*(block for part in parts[start:end] for block in part), *_addition(shown[start:end])]


def _addition(shown: Sequence[ShownReport]) -> list[Block]:
    """Return the button that adds the reported images, for readers who see them above. Links have none."""
    abouts = [one.report.about for one in shown if one.has_buttons and not one.elsewhere]
    searches = [
        SearchState(
            file=about.file,
            channel=about.channel,
            message=about.message,
            thread=about.thread,
            database=str(about.database),
        )
        for about in abouts
        if not about.is_link
    ]
    value = encode_searches(searches, names=False) if searches else ""
    if not value or length(value) > MAX_BUTTON_VALUE:
        return []
    return [buttons([button(labels.ADD_ANYWAY, ActionId.ADD_THIS, value)], f"add_{shown[0].report.id}")]


def many_reports_reply(shown: Sequence[tuple[Report, str]], channel: str) -> Reply:
    """Return the message about many reports, each with the link of its repost, newest last."""
    newest = shown[-MAX_LISTED:]
    lines = [wording.listed(one.about.author, _name(one), escape(address(link))) for one, link in newest]
    if len(shown) > len(newest):
        lines.append(wording.and_others(len(shown) - len(newest)))
    first = wording.many(len(shown), channel)
    return Reply(shorten(first, MESSAGE_TEXT), (section(first, BlockId.SUMMARY), section("\n".join(lines))))


def forget_question(state: ReportState, entity: str, database: str) -> Reply:
    """Return the question before an original is deleted. Its button asks once more."""
    dialog = confirmation(
        wording.FORGET_TITLE,
        wording.forget_confirmation(one_line(entity), database),
        wording.FORGET_YES,
        wording.FORGET_NO,
    )
    value = state.encode() or ""
    row = [
        button(wording.FORGET_NOW, ActionId.REPORT_FORGET_NOW, value, style="danger", confirm=dialog),
        button(labels.KEEP, ActionId.DISMISS, "keep"),
    ]
    return mrkdwn_reply(wording.forget_question(entity_code(entity), database), buttons(row, BlockId.BUTTONS))


def _blocks(one: ShownReport, number: int, *, described: bool) -> list[Block]:
    """Return a report; ``described``: with all that tells screen readers its pictures and buttons apart."""
    first = one.first
    name = _name(one.report)
    plain = shorten(one_line(one.report.about.name), MAX_NAME)
    suffix = f"_{one.report.id}"
    alt_texts = wording.alt_texts(first.entity if first else "", plain, number)
    original_alt, repost_alt = alt_texts if described else (wording.ORIGINAL_ALT, wording.REPOST_ALT)
    before = f"*{number}. {name}*\n" if number else ""
    before += _sentence(one, first) if first is not None else wording.ORIGINAL_GONE
    blocks = [
        with_picture(
            section(before, f"{BlockId.SUMMARY}{suffix}"), first.picture if first else NO_PICTURE, original_alt
        ),
        with_picture(section(_now(one, "" if number else name)), one.asked, repost_alt),
    ]
    if first is not None:
        blocks.append(context_block(_details(first)))
    about = one.report.about
    remarks = [*([COMPARED_BY_PREVIEW] if about.is_preview else []), *caveat_sentences(about.caveats)]
    if remarks:
        blocks.append(context_block(" ".join(remarks)))
    if log := [wording.logged(taken) for taken in one.report.actions[-MAX_LOGGED:]]:
        blocks.append(context_block("\n".join(log)))
    return [*blocks, *_rows(one, suffix, labels.report_of(number) if number and described else "")]


def _sentence(one: ShownReport, first: EarlierPosting) -> str:
    if first.author or first.channel:
        where = wording.posted(first.author, first.at, first.channel)
    else:
        where = wording.already_there(str(one.report.about.database), first.at)
    how = wording.how(first.verdict, first.edits)
    return f"{wording.headline(first.verdict)}{where}{how}.{wording.times(first.times, first.at)}"


def _now(one: ShownReport, name: str) -> str:
    about = one.report.about
    text = wording.now_posted(about.author, name, about.channel if one.elsewhere else "")
    link = escape(address(one.link))
    return f"{text}{_SEPARATOR}<{link}|{wording.SHOW_REPOST}>" if link else text


def _details(first: EarlierPosting) -> str:
    note, link = headline(first.note), escape(address(first.link))
    parts = [
        entity_code(first.entity),
        note,
        f"{first.verdict}, {score_text(first.score)}",
        f"<{link}|{wording.ORIGINAL_MESSAGE}>" if link else "",
    ]
    return _SEPARATOR.join(filter(None, parts))


def _rows(one: ShownReport, suffix: str, about: str) -> list[Block]:
    if not one.has_buttons:
        return []
    report, state = one.report, ReportState(report=str(one.report.id))
    value = state.encode() or ""
    row: list[Block] = []
    if report.settled is None and one.first is not None:
        offered = (
            (ReportAction.OK, wording.OK_THIS_TIME, ActionId.REPORT_OK),
            (ReportAction.NEVER, wording.NEVER_AGAIN, ActionId.REPORT_NEVER),
            (ReportAction.ASK, wording.ASK_TO_REMOVE, ActionId.REPORT_ASK),
        )
        row += [
            button(label, f"{name}{_id(suffix)}", value, about=about)
            for action, label, name in offered
            if report.taken(action) is None and (action is not ReportAction.ASK or report.about.author)
        ]
        further = [option(wording.FORGET_ORIGINAL, f"{ActionId.REPORT_FORGET}|{value}")]
        if report.taken(ReportAction.NOT_SAME) is None:
            further.insert(0, option(wording.NOT_THE_SAME, f"{ActionId.REPORT_NOT_SAME}|{value}"))
        row.append(overflow(f"{ActionId.REPORT_MENU}{_id(suffix)}", further))
    undo = [
        button(
            wording.undo(taken.action),
            f"{ActionId.REPORT_UNDO}:{taken.id}",
            replace(state, taken=str(taken.id)).encode() or "",
            about=about,
        )
        for taken in report.standing
        if taken.is_undoable(one.now)
    ]
    rows = [(row, BlockId.BUTTONS), (undo, "undo")]
    return [buttons(elements, f"{block}{suffix}") for elements, block in rows if elements]


def _id(suffix: str) -> str:
    """Return what tells apart equal buttons of one message."""
    return f":{suffix[1:]}"


def _name(report: Report) -> str:
    """Return a file's name, escaped."""
    name = shorten(one_line(report.about.name), MAX_NAME)
    return plain_phrase(name, MAX_NAME) or code(name, "")
