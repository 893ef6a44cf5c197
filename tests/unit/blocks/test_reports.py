"""Messages about several reports, which must still fit when people act on them."""

from __future__ import annotations

from datetime import UTC, datetime

from bot.blocks.limits import MESSAGE_BLOCKS, TOTAL_CHARACTERS, size
from bot.blocks.messages.image_details import PictureRef
from bot.blocks.messages.reports import (
    MAX_LOGGED,
    REPORTS_IN_MESSAGE,
    EarlierPosting,
    ShownReport,
    reports_reply,
)
from bot.domain.channels.reports import NewReport, Report, ReportAction, TakenAction
from bot.domain.identifiers import DatabaseName, WorkspaceId
from bot.domain.matches import Caveat, Edit, Verdict

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
USER, CHANNEL, FILE = "U0123456789", "C0123456789", "F0123456789"
LINK = f"https://an-acme-workspace.slack.com/archives/{CHANNEL}/p1700000000000100"
ASKED = PictureRef(slack_file=FILE)
FIRST = EarlierPosting(
    USER, NOW, CHANNEL, LINK, "VLV-0042/A", "Brass valve, 42 mm", 9.5, Verdict.EDITED, (Edit.CROPPED,), 4, ASKED
)


def shown(number: int, *actions: TakenAction) -> ShownReport:
    about = NewReport(
        WorkspaceId("T0123456789"),
        CHANNEL,
        "1700000000.000100",
        "1700000000.000100",
        FILE,
        f"IMG_20261130_{number}.jpg",
        USER,
        DatabaseName("marketplace"),
        "digest",
        b"print",
        NOW,
        (),
        is_shown=True,
        is_preview=True,
        caveats=frozenset({Caveat.SAME_IMAGES_ONLY}),
    )
    return ShownReport(Report(number, about, NOW, actions=actions), FIRST, NOW, LINK, elsewhere=True, asked=ASKED)


def acted(number: int) -> ShownReport:
    """Return a report about which people did all that they can, after they undid other actions."""
    undone = [TakenAction(one, ReportAction.OK, USER, NOW, undone_by=USER) for one in range(2, MAX_LOGGED)]
    standing = [TakenAction(8, ReportAction.ASK, USER, NOW), TakenAction(9, ReportAction.NOT_SAME, USER, NOW)]
    return shown(number, *undone, *standing)


def test_reports_of_a_message_still_fit_after_all_actions() -> None:
    many = 2 * REPORTS_IN_MESSAGE + 1
    assert [one.pictures for one in reports_reply([shown(number) for number in range(many)]).messages] == [4, 4, 1]
    [message] = reports_reply([acted(number) for number in range(REPORTS_IN_MESSAGE)]).messages
    assert len(message.blocks) <= MESSAGE_BLOCKS
    assert size(message.blocks) <= TOTAL_CHARACTERS
