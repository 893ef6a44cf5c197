"""The changes to the stand-in's page on its way to the browser."""

from __future__ import annotations

import pytest

from examples.demo import page

HEAD = b"GET %s HTTP/1.1\r\nHost: 127.0.0.1:8010\r\nAccept-Encoding: gzip\r\nConnection: keep-alive\r\n%s\r\n"
OURS = ("127.0.0.1", "localhost")
PAGE = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 28\r\n\r\n<head></head><body>\xc3\xa4</body>"


def request(path: bytes = b"/", more: bytes = b"") -> page.Request:
    return page.Request.parse(HEAD % (path, more))


@pytest.mark.parametrize(("path", "wanted"), [(b"/", True), (b"/archives/C1/p1?x=1", True), (b"/api/auth.test", False)])
def test_page_request_is_recognised(path: bytes, wanted: bool) -> None:
    assert request(path).wants_page is wanted


def test_each_connection_carries_one_request() -> None:
    passed = request().passed_on().decode()
    assert passed.endswith("\r\n\r\n")
    assert "connection: close" in passed
    assert "keep-alive" not in passed
    assert "gzip" not in passed


def test_websocket_request_is_passed_on_unchanged() -> None:
    passed = request(b"/ui", b"Upgrade: websocket\r\n").passed_on().decode()
    assert "connection: keep-alive" in passed
    assert "upgrade: websocket" in passed


@pytest.mark.parametrize(
    ("more", "welcome"),
    [
        (b"", True),
        (b"Origin: http://127.0.0.1:8010\r\n", True),
        (b"Origin: https://elsewhere.example\r\n", False),
        (b"Origin: null\r\n", False),
    ],
)
def test_other_sites_pages_are_refused(more: bytes, welcome: bool) -> None:
    assert request(more=more).is_from(OURS) is welcome


@pytest.mark.parametrize(
    "head", [b"GET / HTTP/1.1\r\nHost: evil.example:8010\r\n\r\n", b"\x16\x03\x01\r\n\r\n", b"\r\n\r\n"]
)
def test_other_hosts_and_invalid_http_are_refused(head: bytes) -> None:
    assert not page.Request.parse(head).is_from(OURS)


def test_page_is_completed_and_its_content_length_updated() -> None:
    head, _, body = page.completed(PAGE).partition(b"\r\n\r\n")
    assert body.startswith(b"<head><style>")
    assert body.endswith("</script>\n</head><body>ä</body>".encode())
    assert f"content-length: {len(body)}".encode() in head.split(b"\r\n")
    assert head.lower().count(b"content-length") == 1


def test_other_responses_only_get_connection_close() -> None:
    assert page.completed(b"HTTP/1.1 404 Not Found\r\nA: b\r\n\r\nnothing") == (
        b"HTTP/1.1 404 Not Found\r\nA: b\r\nconnection: close\r\n\r\nnothing"
    )


def test_upgrade_response_is_passed_back_unchanged() -> None:
    head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"
    assert page.passed_back(head) == head


def test_redirect_has_the_location() -> None:
    assert b"\r\nlocation: /archives/C1/p1\r\n" in page.redirect("/archives/C1/p1\n")
