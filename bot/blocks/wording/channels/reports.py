"""Texts of the guard's reports, and of what people do about them."""

from __future__ import annotations

from datetime import datetime

from bot.blocks.mrkdwn import channel_link, count, date_text, day_text, user_mention
from bot.domain.channels.reports import ReportAction, TakenAction
from bot.domain.matches import Edit, Verdict

OK_THIS_TIME = "OK this time"
NEVER_AGAIN = "Never match these two again"
ASK_TO_REMOVE = "Ask author to remove"
NOT_THE_SAME = "Not the same"
FORGET_ORIGINAL = "Forget the original …"
FORGET_NOW = "Forget it"

ORIGINAL_MESSAGE = "original message"
SHOW_REPOST = "repost"
ORIGINAL_ALT = "The earlier image"
REPOST_ALT = "The image that was posted again"
ORIGINAL_GONE = "*Posted before*, but the earlier image is gone."
OUT_OF_DATE = "That report is out of date: its image or message was deleted, or it's older than 90 days."
UNDONE_ALREADY = "It's too late to undo that, or somebody did already."
NO_AUTHOR = "I don't know who posted that image."
CANNOT_ASK = "I couldn't reach the author of that image. Nothing was sent."
ONLY_MODERATORS = (
    "Only moderators can do that: admins, people who may change this channel's settings, and members of its channel for"
    " reports. Whoever posted the image can't."
)
FORGET_TITLE = "Delete the earlier image?"
FORGET_YES, FORGET_NO = "Delete", "Keep it"

_WORDS = {
    ReportAction.OK: "OK this time",
    ReportAction.NEVER: "Never matches again",
    ReportAction.NOT_SAME: "Not the same",
    ReportAction.ASK: "Author asked to remove it",
    ReportAction.FORGET: "Earlier image forgotten",
}
_UNDO = {
    ReportAction.OK: "Undo: OK this time",
    ReportAction.NEVER: "Undo: never match",
    ReportAction.NOT_SAME: "Undo: not the same",
    ReportAction.ASK: "Undo: ask author",
    ReportAction.FORGET: "Undo: forget",
}


def headline(verdict: Verdict) -> str:
    """Return what a report says first."""
    if verdict.is_copy:
        return "*Posted before*"
    return "*Same item as an image*" if verdict is Verdict.SAME_ITEM else "*Looks like an image*"


def posted(user: str, at: datetime, channel: str) -> str:
    """Return who posted an image when and where, as far as that is known."""
    by = f" by {mention}" if (mention := user_mention(user)) else ""
    return f"{by} on {day_text(at)}{f' in {channel_link(channel)}' if channel else ''}"


def already_there(database: str, at: datetime) -> str:
    """Return since when an image is in a database that nobody posted."""
    return f" in `{database}` since {day_text(at)}"


def how(verdict: Verdict, edits: tuple[Edit, ...]) -> str:
    """Return how a copy was edited, with a blank before it; empty for an unedited one."""
    if edits:
        return f" (edited: {', '.join(edits)})"
    return " (edited)" if verdict is Verdict.EDITED else ""


def times(number: int, since: datetime) -> str:
    """Return how often an image was posted by now, if that is more than twice."""
    return f" {ordinal(number)} time since {day_text(since)}." if number > 2 else ""  # noqa: PLR2004 - twice is a repost


def ordinal(number: int) -> str:
    """Return ``4th``."""
    ending = "th" if number % 100 in {11, 12, 13} else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number:,}{ending}"


def now_posted(user: str, name: str, channel: str) -> str:
    """Return who posted the image again. ``name`` is escaped; ``channel`` is empty where the readers are in it."""
    where = f" in {channel_link(channel)}" if channel else ""
    return f"Now by {user_mention(user) or 'somebody'}{where}{f': {name}' if name else ''}"


def notification(user: str, channel: str, number: int, *, copies: bool) -> str:
    """Return the text of a report for notifications. ``copies``: all images are copies."""
    what, verb = ("An image", "was") if number == 1 else (f"{number:,} images", "were")
    by = f" from {mention}" if (mention := user_mention(user)) else ""
    outcome = f"{verb} posted before" if copies else f"{verb} found to match earlier ones"
    return f"{what}{by}{f' in {channel_link(channel)}' if channel else ''} {outcome}."


def logged(taken: TakenAction) -> str:
    """Return what somebody did about a report, and when."""
    words = _WORDS[taken.action]
    if taken.action is ReportAction.FORGET and taken.done_at is None and not taken.undone_by:
        words = "Earlier image will be deleted in 10 minutes"
    line = f"{words}: {user_mention(taken.user) or 'somebody'}, {date_text(taken.taken_at)}"
    return f"~{line}~ undone by {user_mention(taken.undone_by) or 'somebody'}" if taken.undone_by else line


def undo(action: ReportAction) -> str:
    """Return the label of the button that undoes an action."""
    return _UNDO[action]


def done_already(taken: TakenAction) -> str:
    """Return that a report has this action already. The report says by whom."""
    return f"That report is settled already: “{_WORDS[taken.action]}”. It shows who did that. Undo it first."


def alt_texts(entity: str, name: str, number: int) -> tuple[str, str]:
    """Return what the earlier picture and the one that was posted again show, for people who don't see them.

    Args:
        entity: the id of the earlier image; empty if it is gone.
        name: the name of the file that was posted again.
        number: which report of a message it is; 0 for the only one.

    """
    original = f"{ORIGINAL_ALT}: {entity}" if entity else ORIGINAL_ALT
    if number:
        # The line beside the picture has the name, and several reports just fit into a message.
        return f"{number}. {original}", f"{number}. {REPOST_ALT}"
    return original, f"{REPOST_ALT}: {name}" if name else REPOST_ALT


def forget_question(entity: str, database: str) -> str:
    """Return the question before an original is deleted; ``entity`` is formatted."""
    return f"Delete {entity} from `{database}` for everyone? You can undo it for 10 minutes."


def forget_confirmation(entity: str, database: str) -> str:
    """Return the text of the dialog that asks once more, which shows plain text."""
    return f"This deletes the image {entity} from {database} for everyone, 10 minutes from now."


def ask_author(channel: str, link: str) -> str:
    """Return the request to remove an image; ``link`` is escaped, or empty."""
    message = f"<{link}|your message>" if link else "your message"
    return (
        f"The image in {message} in {channel_link(channel)} was posted before."
        " A moderator asks you to remove it, if you can. Thank you."
    )


def many(number: int, channel: str) -> str:
    """Return the first line of a message about many reports."""
    return f"*{count(number, 'more repost')}* in {channel_link(channel)} in a short time."


def listed(user: str, name: str, link: str) -> str:
    """Return one repost in a message about many. ``name`` and ``link`` are escaped."""
    by = user_mention(user) or "somebody"
    return f"{by}: {f'<{link}|{name or SHOW_REPOST}>' if link else name or SHOW_REPOST}"


def and_others(number: int) -> str:
    """Return how many reposts are not listed."""
    return f"and {count(number, 'other')}"
