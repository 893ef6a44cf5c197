"""The doctor's checks of the search back end and the public address, while a bot may be running."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from bot.cli.doctor import public_address
from bot.cli.terminal.exit_codes import ExitCode
from tests.fixtures.command_line import Outcome, Vsearch, indexed, pictures, stocked, vsearch

__all__ = ["indexed", "pictures", "stocked", "vsearch"]

HOSTED = {"VSEARCH_BACKEND": "showapi", "SHOWAPI_APP_KEY": "0123456789abcdef", "SHOWAPI_DS_ID": "7"}
GONE = (HTTPStatus.NOT_FOUND, "text/plain", b"There is no picture here.")
PICTURE = (HTTPStatus.OK, "image/jpeg", b"\xff\xd8\xff")

Answer = tuple[int, str, bytes]


class FakeServer(HTTPServer):
    """A server at the public address. It always gives the same answer, and records the requested paths."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = answer
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: FakeServer

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        status, kind, body = self.server.answer
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if status == HTTPStatus.MOVED_PERMANENTLY:
            self.send_header("Location", f"{self.server.url}/elsewhere")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Print nothing."""


@contextmanager
def fake_server(answer: Answer) -> Iterator[FakeServer]:
    with FakeServer(answer) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def settings(**values: str) -> None:
        for name, value in values.items():
            monkeypatch.setenv(name, value)

    return settings


def found(outcome: Outcome, check: str) -> tuple[str, str]:
    """Return the status and the text of a check."""
    [finding] = [one for one in outcome.document["checks"] if one["check"] == check]
    return finding["state"], finding["found"] + " " + finding.get("remedy", "")


def test_complete_back_end_passes(stocked: Vsearch) -> None:
    assert found(stocked("doctor", "--json"), "Databases") == ("ok", "the embedded back end has all 1 ")


def test_databases_of_another_back_end_are_reported(stocked: Vsearch, at: Callable[..., None]) -> None:
    stocked("db", "create", "logos")
    with fake_server(GONE) as there:
        at(**HOSTED, PUBLIC_BASE_URL=there.url, SHOWAPI_BASE_URL="http://127.0.0.1:9")
        outcome = stocked("doctor", "--json")
    assert outcome.code == ExitCode.FAILED
    state, words = found(outcome, "Databases")
    assert state == "wrong"
    assert "the showapi back end lacks 2 databases of local: logos, parts" in words
    assert "vsearch migrate --to showapi" in words


def test_missing_upstream_database_is_reported_and_not_repaired(stocked: Vsearch, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "data" / "vsearch.db") as connection:
        connection.execute("DELETE FROM embedded_databases")
    connection.close()
    for _ in range(2):
        state, words = found(stocked("doctor", "--json"), "Databases")
        assert state == "wrong"
        assert "lacks 1 database of local: parts" in words


def test_tables_of_another_version_are_not_opened(stocked: Vsearch, tmp_path: Path, at: Callable[..., None]) -> None:
    with sqlite3.connect(tmp_path / "data" / "vsearch.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with fake_server(GONE) as there:
        at(PUBLIC_BASE_URL=there.url)
        outcome = stocked("doctor", "--json")
        assert there.asked == ["/media/doctor"]
    assert "Databases" not in {check["check"] for check in outcome.document["checks"]}


def test_without_a_public_address_nothing_is_requested(stocked: Vsearch) -> None:
    assert public_address.NAME not in {check["check"] for check in stocked("doctor", "--json").document["checks"]}


def test_picture_is_requested_by_a_signed_link(indexed: Vsearch, at: Callable[..., None]) -> None:
    with fake_server(PICTURE) as there:
        at(PUBLIC_BASE_URL=f"{there.url}/under/here")
        outcome = indexed("doctor", "--json")
        [path] = there.asked
    assert outcome.code == ExitCode.OK
    assert found(outcome, public_address.NAME) == ("ok", f"{there.url}/under/here serves our pictures ")
    assert path.startswith("/under/here/media/gAAA")
    assert path.rpartition("/")[2] not in outcome.out


def test_without_a_picture_only_the_bots_presence_is_checked(vsearch: Vsearch, at: Callable[..., None]) -> None:
    with fake_server(GONE) as there:
        at(PUBLIC_BASE_URL=there.url)
        outcome = vsearch("doctor", "--json")
    assert outcome.code == ExitCode.OK
    assert "no picture to request yet" in found(outcome, public_address.NAME)[1]


def test_stopped_bot_is_a_remark(indexed: Vsearch, at: Callable[..., None]) -> None:
    with fake_server(PICTURE) as there:
        at(PUBLIC_BASE_URL=there.url)
    outcome = indexed("doctor", "--json")
    assert outcome.code == ExitCode.OK
    state, words = found(outcome, public_address.NAME)
    assert (state, "nothing listens" in words) == ("note", True)


@pytest.mark.parametrize(
    ("answer", "state", "says"),
    [
        ((HTTPStatus.BAD_GATEWAY, "text/html", b"<h1>Bad gateway</h1>"), "note", "a proxy at"),
        ((HTTPStatus.MOVED_PERMANENTLY, "text/html", b""), "wrong", "redirects elsewhere"),
        (GONE, "wrong", "doesn't have our pictures"),
        ((HTTPStatus.NOT_FOUND, "text/html", b"<h1>Not found</h1>"), "wrong", "answers 404 instead of a picture"),
        ((HTTPStatus.OK, "text/html", b"<h1>Welcome</h1>"), "wrong", "answers 200 instead of a picture"),
    ],
    ids=["a proxy", "another address", "another bot", "another server", "a page"],
)
def test_other_servers_at_the_address_are_reported(
    indexed: Vsearch, at: Callable[..., None], answer: Answer, state: str, says: str
) -> None:
    with fake_server(answer) as there:
        at(PUBLIC_BASE_URL=there.url)
        outcome = indexed("doctor", "--json")
        assert len(there.asked) == 1
    assert outcome.code == (ExitCode.OK if state == "note" else ExitCode.FAILED)
    told, words = found(outcome, public_address.NAME)
    assert (told, says in words) == (state, True)


def test_server_that_never_answers_times_out(
    stocked: Vsearch, at: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(public_address, "TIMEOUT_S", 0.1)
    with HTTPServer(("127.0.0.1", 0), _Handler) as silent:
        at(PUBLIC_BASE_URL=f"http://127.0.0.1:{silent.server_port}")
        outcome = stocked("doctor", "--json")
    state, words = found(outcome, public_address.NAME)
    assert (state, "can't be reached from here" in words) == ("wrong", True)


def test_unknown_host_and_missing_tls_are_reported(stocked: Vsearch, at: Callable[..., None]) -> None:
    at(PUBLIC_BASE_URL="https://vsearch.invalid")
    assert "is unknown" in found(stocked("doctor", "--json"), public_address.NAME)[1]
    with fake_server(PICTURE) as there:
        at(PUBLIC_BASE_URL=there.url.replace("http", "https"))
        assert "has no valid certificate" in found(stocked("doctor", "--json"), public_address.NAME)[1]
