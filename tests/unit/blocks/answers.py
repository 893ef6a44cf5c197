"""Data for answers, and checks of the result: within Slack's limits, and user text has no effect."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from bot.blocks import limits
from bot.blocks.button_state import SearchState, decode_option
from bot.blocks.messages.image_details import PictureRef
from bot.blocks.messages.results.matches import PresentationOptions
from bot.blocks.mrkdwn import one_line
from bot.blocks.reply import Reply
from bot.domain.catalogue import DatabaseInfo, ImageRecord, SlackOrigin
from bot.domain.channels import ChannelBinding, ChannelMode
from bot.domain.identifiers import MAX_NOTE, DatabaseKey, DatabaseName, DataId, EntityId, Note, WorkspaceId
from bot.domain.matches import Caveat, Edit, Match, Verdict
from bot.services.search.grouping import RankedMatch
from bot.services.search.search_result import SearchResult
from tests.fakes.slack.blocks import block_kit
from tests.fixtures.entities import entities
from tests.fixtures.records import image_record

KEY = DatabaseKey(WorkspaceId("T1"), DatabaseName("parts"))
ADDED = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOSTILE = "<@U1> <!channel> <https://evil.example|click> *bold* _it_ ~no~ `code` & > :smile:"

STATE = SearchState(file="F0123", name="valve.jpg", channel="C1", message="1.2", thread="1.2", database="parts", top=5)
PICTURES = {DataId(str(rank)): PictureRef(url=f"https://bot.example/media/{rank}") for rank in range(1, 60)}

_OURS = re.compile(
    r"<@U0[A-Z]+>|<#[CG][A-Z0-9]+>|<!date\^-?\d+\^\{date_short_pretty\}\|\d+ \w{3} \d+>"
    r"|<!date\^-?\d+\^\{ago\}\|\d\d:\d\d UTC>"
    r"|<https://fake\.slack\.com/[!-;=?-~]*\|(original message|the picture)>"
    r"|<https://bot\.example/e/t+\|open page>"
)
LABEL = 75
"""Slack's limit for an ``accessibility_label``."""

_FILE_NAME = re.compile(r"[^,:]*\.(png|jpe?g|gif|webp|heic|tiff?)", re.IGNORECASE)
_BIDI = re.compile("[\u202a-\u202e\u2066-\u2069]")


def check(reply: Reply) -> None:
    """Check that Slack accepts the message, and that only our own mentions, links and emphasis are active."""
    blocks = list(reply.blocks)
    assert blocks
    assert block_kit.problems(blocks) == []
    assert limits.size(blocks) <= limits.TOTAL_CHARACTERS
    assert not block_kit.too_long(blocks)
    assert 1 <= block_kit.length(reply.text) <= limits.MESSAGE_TEXT
    assert reply.text.strip()
    assert "<" not in _OURS.sub("", reply.text)
    harmless(blocks)
    accessible(blocks)
    json.dumps([reply.text, reply.blocks], ensure_ascii=False).encode()


def check_view(view: dict[str, Any]) -> None:
    """Check a modal or App Home in the same way."""
    assert block_kit.view_problems(view) == []
    harmless(view["blocks"])
    accessible(view["blocks"])


def accessible(blocks: list[dict[str, Any]]) -> None:
    """Check that screen readers tell all buttons apart, and describe every picture."""
    buttons = [one for one in parts_of(blocks) if "value" in one and one.get("type", "button") == "button"]
    # Options of menus have no type and no label: Slack reads their text.
    buttons = [one for one in buttons if "type" in one or one in feedback_of(blocks)]
    seen = Counter(one["text"]["text"] for one in buttons)
    labels = [one["accessibility_label"] for one in buttons if "accessibility_label" in one]
    assert len(set(labels)) == len(labels)
    for one in buttons:
        text, label = one["text"]["text"], one.get("accessibility_label")
        assert label is not None or seen[text] == 1, text
        if label is not None:
            # Voice control finds a button by the words on it.
            assert label.startswith(f"{text}: ")
            assert 1 <= block_kit.length(label) <= LABEL
            assert label == one_line(label)
    for picture in (one for one in parts_of(blocks) if one.get("type") == "image"):
        assert picture["alt_text"].strip()
        assert not _FILE_NAME.fullmatch(picture["alt_text"].strip())
        assert " " in picture["alt_text"].strip()


def feedback_of(blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the buttons of rows that ask for a thumb up or down."""
    rows = [one for one in parts_of(blocks) if one.get("type") == "feedback_buttons"]
    return [row[name] for row in rows for name in ("positive_button", "negative_button")]


def parts_of(value: Any) -> list[dict[str, Any]]:
    """Return every object of blocks, however deep."""
    if isinstance(value, dict):
        return [value, *(one for child in value.values() for one in parts_of(child))]
    return [one for child in value for one in parts_of(child)] if isinstance(value, list) else []


def harmless(blocks: list[dict[str, Any]]) -> None:
    for text in mrkdwn(blocks):
        rest = _OURS.sub("", text)
        assert "<" not in rest
        assert ">" not in rest
        assert rest.count("`") % 2 == 0
        assert "``" not in rest
        words = outside_code(rest)
        assert not set("_~") & set(words)
        assert not words.lstrip().startswith("&gt;")
    assert not _BIDI.search("".join(displayed(blocks)))


def outside_code(text: str) -> str:
    return re.sub("`[^`]*`", "", text)


def mrkdwn(value: Any) -> list[str]:
    """Return every mrkdwn text, after checking that it turns off automatic links."""
    if isinstance(value, dict):
        own = [value["text"]] if value.get("type") == "mrkdwn" else []
        assert not own or value["verbatim"] is True
        return own + [text for child in value.values() for text in mrkdwn(child)]
    return [text for child in value for text in mrkdwn(child)] if isinstance(value, list) else []


def displayed(value: Any) -> list[str]:
    """Return every text that people see or hear, without the values of buttons."""
    if isinstance(value, dict):
        own = [value[name] for name in ("text", "alt_text") if isinstance(value.get(name), str)]
        return own + [text for child in value.values() for text in displayed(child)]
    return [text for child in value for text in displayed(child)] if isinstance(value, list) else []


def shown(reply: Reply) -> str:
    return json.dumps(reply.blocks, ensure_ascii=False)


def pressable(blocks: Any) -> Mapping[str, dict[str, Any]]:
    """Return the buttons of the rows, and the options of their menus, by their text."""
    elements = [element for block in blocks if block["type"] == "actions" for element in block["elements"]]
    pressed = [one for element in elements for one in element.get("options", [element])]
    return {one["text"]["text"]: one for one in pressed}


def carried(reply: Reply, text: str) -> SearchState:
    """Return the search that a button or an option of a menu carries."""
    value = pressable(reply.blocks)[text]["value"]
    return SearchState.decode(value) if value.startswith("{") else decode_option(value)[1]


def found_text(number: int, *, of: int = 1, images: str = "1,234 images") -> str:
    """Return the first line of an answer about an edited copy in ``parts``."""
    which = f"  ·  top {number} of {of} matches" if of > number else f"  ·  {of} matches" if of > 1 else ""
    return f"*An edited copy is* in `parts` ({images}){which}"


def record(
    data_id: str = "1",
    note: str = "",
    *,
    entity: str = "valve_0042",
    origin: str = "",
    added_by: str = "U0ADDER",
    automatic: bool = False,
) -> ImageRecord:
    where = SlackOrigin("F1", "C1", "1.2", origin) if origin else None
    return image_record(
        database=KEY,
        data_id=DataId(data_id),
        entity=EntityId(entity),
        note=Note(note),
        width=10,
        height=10,
        added_at=ADDED,
        added_by=added_by,
        origin=where,
        named_automatically=automatic,
    )


def match(
    note: str = "", *, rank: int = 1, entity: str = "valve_0042", score: float = 9.8, origin: str = ""
) -> RankedMatch:
    found = Match(DataId(str(rank)), EntityId(entity), Note(note), score, Verdict.EDITED, (Edit.CROPPED, Edit.MIRRORED))
    return RankedMatch(rank, found, record(str(rank), note, entity=entity, origin=origin))


def ranked(many: int, note: str = "") -> list[RankedMatch]:
    return [match(note, rank=rank) for rank in range(1, many + 1)]


def result(
    *matches: RankedMatch,
    images: int = 1234,
    weaker: int = 0,
    hidden: int = 0,
    cached_at: datetime | None = None,
    caveats: Collection[Caveat] = (),
) -> SearchResult:
    return SearchResult(info(images=images), matches, weaker, 0.05, hidden, cached_at, caveats=frozenset(caveats))


def info(name: str = "parts", images: int = 1234, *, hints: bool = False) -> DatabaseInfo:
    return DatabaseInfo(
        DatabaseKey(KEY.workspace, DatabaseName(name)), images, ADDED, created_by="U0MAKER", hints_at_hidden=hints
    )


def many_databases(number: int) -> tuple[DatabaseInfo, ...]:
    return tuple(info(f"{'d' * 58}_{location:05}", location) for location in range(number))


texts = st.one_of(
    st.text(max_size=MAX_NOTE),
    st.text("*_~`&<>|@!#\"' \n:a\u202e\u2066\u05d0\U0001f469\\", max_size=MAX_NOTE),
    st.sampled_from(
        ["\U0001f469\u200d\U0001f467" * 100, "שלום " * 100, "\u202eevil" * 60, HOSTILE * 6, "&<>" * 170, "\n" * 500]
    ),
).map(lambda text: text[:MAX_NOTE])
storable = texts.map(lambda text: "".join(c for c in text if c != "\0" and not "\ud800" <= c <= "\udfff"))
names = entities.map(str)
database_names = st.text("abcdefghijklmnopqrstuvwxyz0123456789_", min_size=2, max_size=64)
links = st.sampled_from(["", "https://fake.slack.com/archives/C1/p12?thread_ts=1.2&cid=C1", "https://x|y> <!channel>"])
matches = st.builds(
    lambda note, entity, score, origin: match(note, entity=entity, score=score, origin=origin),
    storable,
    names,
    st.floats(0, 10),
    links,
)
results = st.builds(
    lambda found, times, weaker, hidden, cached, caveats: result(
        *(found * times)[:50], weaker=weaker, hidden=hidden, cached_at=cached, caveats=caveats
    ),
    st.lists(matches, max_size=4),
    st.sampled_from([1, 3, 20]),
    st.integers(0, 1000),
    st.integers(0, 1000),
    st.none() | st.just(ADDED),
    st.sets(st.sampled_from(Caveat)),
)
infos = st.builds(info, database_names, st.integers(0, 10**9), hints=st.booleans())
bindings = st.builds(
    ChannelBinding,
    st.just(KEY.workspace),
    st.just("C0HERE") | texts,
    st.sampled_from(ChannelMode),
    st.none() | database_names.map(DatabaseName),
    st.none() | st.floats(0, 10),
)
pictures_of = st.builds(
    lambda url, file: {DataId("1"): PictureRef(url, file)},
    st.sampled_from(["", "https://bot.example/" + "m" * 250, "https://bot.example/" + "m" * 2979, "http://x/\u202e"])
    | texts,
    st.sampled_from(["", "F0123"]) | texts,
)
states = st.builds(
    SearchState,
    file=st.sampled_from(["", "F0123456789"]),
    url=st.sampled_from(["", "https://example.com/x"]) | st.integers(0, 2100).map(lambda n: 'https://x/"\\' + '"' * n),
    name=texts,
    database=st.just("parts"),
    top=st.integers(1, 50),
    offset=st.integers(0, 60),
)
ways = st.builds(
    PresentationOptions,
    pictures_of,
    st.none() | states,
    st.booleans(),
    st.booleans(),
    st.integers(1, 3),
    st.just("U0SOMEBODY") | texts,
)
