"""A service with buckets of the tests' own: moto's, which is none of ours and none of the library's."""

from __future__ import annotations

import http.client
import itertools
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from moto.server import ThreadedMotoServer

from bot.storage.bucket import Bucket, BucketKey

KEY = BucketKey("AKIATESTS", "hidden-bucket-secret")


class BucketService:
    """Anybody who has any key may do anything, but where a test says otherwise."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._numbers = itertools.count(1)

    @property
    def address(self) -> str:
        """Of the service."""
        return f"http://{self._host}:{self._port}"

    def bucket(self, prefix: str = "", key: BucketKey | None = KEY) -> Bucket:
        """A new, empty one."""
        name = f"pictures-{next(self._numbers)}"
        assert self.ask("PUT", f"/{name}")[0] == http.client.OK
        return Bucket(name=name, prefix=prefix, endpoint=self.address, key=key)

    def ask(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        """Make a request that nobody signed."""
        connection = http.client.HTTPConnection(self._host, self._port, timeout=10)
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    @contextmanager
    def only_known_keys(self) -> Iterator[None]:
        """Meanwhile it looks at who asks."""
        self.ask("POST", "/moto-api/reset-auth", b"0")
        try:
            yield
        finally:
            self.ask("POST", "/moto-api/reset-auth", b"inf")


@contextmanager
def serving() -> Iterator[BucketService]:
    """The service, on a port of its own."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        yield BucketService(*server.get_host_and_port())
    finally:
        server.stop()
