"""Signed links to pictures: contents, tampering and expiry."""

from __future__ import annotations

import base64
from datetime import timedelta

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.errors import SettingsError
from bot.domain.identifiers import WorkspaceId
from bot.media.links import RELAY_TTL_S, LinkExpired, LinkRefused, MediaClaim, MediaLinks, RelayClaim
from tests.fakes.clock import BEGINNING, Clock

KEY = bytes(range(32))
DIGEST = "0f" * 32
RELAY_ID = "5a" * 16
TEAM = WorkspaceId("T0123456789")
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def _links(clock: Clock | None = None, key: bytes = KEY) -> MediaLinks:
    return MediaLinks("https://v.example/bot/", key, 60, clock or Clock())


def _token(workspace: WorkspaceId = TEAM, digest: str = DIGEST) -> str:
    return _links().url(workspace, digest).rpartition("/")[2]


TOKEN = _token()


def test_link_identifies_its_picture() -> None:
    url = _links().url(TEAM, DIGEST)
    assert url.startswith("https://v.example/bot/media/")
    assert _links().read(url.rpartition("/")[2]) == MediaClaim(TEAM, DIGEST)


def test_link_reveals_neither_workspace_nor_picture() -> None:
    url = _links().url(TEAM, DIGEST)
    raw = base64.urlsafe_b64decode(TOKEN + "==")
    assert TEAM not in url
    assert DIGEST not in url
    assert TEAM.encode() not in raw
    assert bytes.fromhex(DIGEST) not in raw
    assert len(url) < 300


@given(st.text(min_size=1, max_size=64).filter(lambda text: text.isprintable()), st.binary(min_size=32, max_size=32))
def test_any_workspace_and_picture_round_trip(workspace: str, digest: bytes) -> None:
    claim = MediaClaim(WorkspaceId(workspace), digest.hex())
    assert _links().read(_token(claim.workspace, claim.digest)) == claim


@given(st.integers(0, len(TOKEN) - 1), st.sampled_from(LETTERS))
def test_changed_characters_are_refused(location: int, letter: str) -> None:
    forged = TOKEN[:location] + letter + TOKEN[location + 1 :]
    if forged != TOKEN:
        with pytest.raises(LinkRefused):
            _links().read(forged)


@given(st.data())
def test_changed_bytes_are_refused(data: st.DataObject) -> None:
    raw = bytearray(base64.urlsafe_b64decode(TOKEN + "=" * (-len(TOKEN) % 4)))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(LinkRefused):
        _links().read(base64.urlsafe_b64encode(raw).decode().rstrip("="))


@pytest.mark.parametrize(
    "token",
    ["", "x", TOKEN[:-1], TOKEN + "A", TOKEN + "=", TOKEN + "\n", f" {TOKEN}", TOKEN[:50] + "!" + TOKEN[50:], "é" * 40],
)
def test_truncated_or_extended_tokens_are_refused(token: str) -> None:
    with pytest.raises(LinkRefused):
        _links().read(token)


@given(st.text())
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(LinkRefused):
        _links().read(text)


def test_link_with_another_key_is_refused() -> None:
    with pytest.raises(LinkRefused):
        _links(key=bytes(32)).read(TOKEN)


@pytest.mark.parametrize(
    "content", [b"", b"\x01" + b"x" * 30, b"\x02" + b"\xff" * 40 + b"T1", b"\x01" + b"\xff" * 40 + b"\xff"]
)
def test_token_for_another_purpose_is_refused(content: bytes) -> None:
    sealed = Fernet(base64.urlsafe_b64encode(KEY)).encrypt(content).decode().rstrip("=")
    with pytest.raises(LinkRefused):
        _links().read(sealed)


def test_link_expires() -> None:
    clock = Clock()
    links = _links(clock)
    token = links.url(TEAM, DIGEST).rpartition("/")[2]
    clock.now = BEGINNING + timedelta(seconds=59.9)
    links.read(token)
    clock.now = BEGINNING + timedelta(seconds=60)
    with pytest.raises(LinkExpired):
        links.read(token)


def test_link_from_a_clock_ahead_is_accepted() -> None:
    clock = Clock()
    clock.now = BEGINNING - timedelta(hours=1)
    assert _links(clock).read(TOKEN) == MediaClaim(TEAM, DIGEST)


@given(st.binary(min_size=16, max_size=16))
def test_relay_link_identifies_its_picture(relay_id: bytes) -> None:
    token = _links().relay_url(relay_id.hex()).rpartition("/")[2]
    assert _links().read(token) == RelayClaim(relay_id.hex())


def test_relay_link_reveals_nothing() -> None:
    url = _links().relay_url(RELAY_ID)
    assert url.startswith("https://v.example/bot/media/")
    assert RELAY_ID not in url
    assert bytes.fromhex(RELAY_ID) not in base64.urlsafe_b64decode(url.rpartition("/")[2] + "==")


def test_relay_link_expires_after_five_minutes() -> None:
    for ttl_s in (5, 30 * 24 * 3600):
        clock = Clock()
        links = MediaLinks("https://v.example", KEY, ttl_s, clock)
        token = links.relay_url(RELAY_ID).rpartition("/")[2]
        clock.now = BEGINNING + timedelta(seconds=RELAY_TTL_S - 1)
        assert links.read(token) == RelayClaim(RELAY_ID)
        clock.now = BEGINNING + timedelta(seconds=RELAY_TTL_S)
        with pytest.raises(LinkExpired):
            links.read(token)


@pytest.mark.parametrize(
    ("kind", "content"),
    [(1, bytes(16)), (2, bytes(32) + b"T1"), (2, bytes(15)), (2, bytes(17)), (2, b""), (3, bytes(16)), (0, bytes(32))],
)
def test_link_kinds_are_not_interchangeable(kind: int, content: bytes) -> None:
    head = kind.to_bytes(1, "big") + (2**40).to_bytes(8, "big")
    sealed = Fernet(base64.urlsafe_b64encode(KEY)).encrypt(head + content).decode().rstrip("=")
    with pytest.raises(LinkRefused):
        _links().read(sealed)


@pytest.mark.parametrize(
    ("base_url", "beginning"),
    [
        ("https://bücher.example/bösch/", "https://xn--bcher-kva.example/b%C3%B6sch/media/"),
        ("https://例え.jp:8443", "https://xn--r8jz45g.jp:8443/media/"),
        ("https://v.example/b%C3%B6t", "https://v.example/b%C3%B6t/media/"),
        ("http://127.0.0.1:3000/", "http://127.0.0.1:3000/media/"),
    ],
)
def test_links_are_plain_ascii(base_url: str, beginning: str) -> None:
    links = MediaLinks(base_url, KEY, 60)
    for url in (links.url(TEAM, DIGEST), links.relay_url(RELAY_ID)):
        assert url.startswith(beginning)
        assert url.isascii()


def test_invalid_host_is_reported_with_its_setting() -> None:
    with pytest.raises(SettingsError, match="PUBLIC_BASE_URL"):
        MediaLinks("https://a_ü.example", KEY, 60)
