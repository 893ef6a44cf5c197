"""Links to pictures: who made them, for whom, and for how long."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from bot.media import LinkExpired, LinkRefused, MediaClaim, MediaLinks
from bot.models import WorkspaceId

KEY = bytes(range(32))
DIGEST = "0f" * 32
TEAM = WorkspaceId("T0123456789")
START = datetime(2026, 1, 1, tzinfo=UTC)
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


def _links(clock: Clock | None = None, key: bytes = KEY) -> MediaLinks:
    return MediaLinks("https://v.example/bot/", key, 60, clock or Clock())


def _token(workspace: WorkspaceId = TEAM, digest: str = DIGEST) -> str:
    return _links().url(workspace, digest).rpartition("/")[2]


TOKEN = _token()


def test_a_link_leads_back_to_its_picture() -> None:
    url = _links().url(TEAM, DIGEST)
    assert url.startswith("https://v.example/bot/media/")
    assert _links().read(url.rpartition("/")[2]) == MediaClaim(TEAM, DIGEST)


def test_a_link_tells_neither_the_workspace_nor_the_picture() -> None:
    url = _links().url(TEAM, DIGEST)
    raw = base64.urlsafe_b64decode(TOKEN + "==")
    assert TEAM not in url
    assert DIGEST not in url
    assert TEAM.encode() not in raw
    assert bytes.fromhex(DIGEST) not in raw
    assert len(url) < 300


@given(st.text(min_size=1, max_size=64).filter(lambda text: text.isprintable()), st.binary(min_size=32, max_size=32))
def test_any_workspace_and_picture_come_back(workspace: str, digest: bytes) -> None:
    claim = MediaClaim(WorkspaceId(workspace), digest.hex())
    assert _links().read(_token(claim.workspace, claim.digest)) == claim


@given(st.integers(0, len(TOKEN) - 1), st.sampled_from(LETTERS))
def test_no_letter_can_be_changed(place: int, letter: str) -> None:
    forged = TOKEN[:place] + letter + TOKEN[place + 1 :]
    if forged != TOKEN:
        with pytest.raises(LinkRefused):
            _links().read(forged)


@given(st.data())
def test_no_byte_can_be_changed(data: st.DataObject) -> None:
    raw = bytearray(base64.urlsafe_b64decode(TOKEN + "=" * (-len(TOKEN) % 4)))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(LinkRefused):
        _links().read(base64.urlsafe_b64encode(raw).decode().rstrip("="))


@pytest.mark.parametrize(
    "token",
    ["", "x", TOKEN[:-1], TOKEN + "A", TOKEN + "=", TOKEN + "\n", f" {TOKEN}", TOKEN[:50] + "!" + TOKEN[50:], "é" * 40],
)
def test_what_is_cut_off_or_added_makes_it_another(token: str) -> None:
    with pytest.raises(LinkRefused):
        _links().read(token)


@given(st.text())
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(LinkRefused):
        _links().read(text)


def test_another_installation_s_link_is_refused() -> None:
    with pytest.raises(LinkRefused):
        _links(key=bytes(32)).read(TOKEN)


@pytest.mark.parametrize(
    "content", [b"", b"\x01" + b"x" * 30, b"\x02" + b"\xff" * 40 + b"T1", b"\x01" + b"\xff" * 40 + b"\xff"]
)
def test_what_the_key_sealed_for_something_else_is_refused(content: bytes) -> None:
    sealed = Fernet(base64.urlsafe_b64encode(KEY)).encrypt(content).decode().rstrip("=")
    with pytest.raises(LinkRefused):
        _links().read(sealed)


def test_a_link_expires_by_the_clock() -> None:
    clock = Clock()
    links = _links(clock)
    token = links.url(TEAM, DIGEST).rpartition("/")[2]
    short = links.url(TEAM, DIGEST, ttl_s=5).rpartition("/")[2]
    clock.now = START + timedelta(seconds=4.9)
    assert links.read(short) == links.read(token)
    clock.now = START + timedelta(seconds=5)
    with pytest.raises(LinkExpired):
        links.read(short)
    clock.now = START + timedelta(seconds=59)
    links.read(token)
    clock.now = START + timedelta(seconds=60)
    with pytest.raises(LinkExpired):
        links.read(token)


def test_a_clock_that_runs_behind_accepts_a_neighbours_link() -> None:
    clock = Clock()
    clock.now = START - timedelta(hours=1)
    assert _links(clock).read(TOKEN) == MediaClaim(TEAM, DIGEST)
