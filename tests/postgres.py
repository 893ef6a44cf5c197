"""A PostgreSQL with pgvector of the tests' own, from the package that the development requirements install."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
from psycopg import sql

from tests.postgres_files import PACKAGE, programs, readable_programs
from tests.temporary import socket_folder

SUPERUSER = "vsearch"
NOBODY = "nobody"
SOCKET = ".s.PGSQL.65535"
STARTS_WITHIN_S = 30.0

QUICK = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
"""For tests that survive no crash of the server."""

_SETTINGS = ("shared_buffers=64MB", "max_connections=100", "log_min_messages=error", "autovacuum=off")


class Cluster:
    """One server in a folder. It listens on a socket there, and on nothing else."""

    def __init__(self, folder: Path, settings: tuple[str, ...] = QUICK) -> None:
        self._folder = folder
        self._data = folder / "data"
        self._settings = (*_SETTINGS, *settings)
        self._process: subprocess.Popen[bytes] | None = None
        self._watch: subprocess.Popen[bytes] | None = None
        self._as_nobody: dict[str, Any] = {}
        self._binaries = programs(_site_packages())
        self._number = 0
        if _is_root():
            self._as_nobody = {"user": NOBODY, "group": _group(), "extra_groups": []}
            self._binaries = readable_programs(_site_packages(), folder)
            shutil.chown(folder, NOBODY)
        folder.chmod(0o755)

    @property
    def pid(self) -> int:
        """Of the server's first process."""
        assert self._process is not None
        return self._process.pid

    def address(self, database: str, user: str = SUPERUSER) -> str:
        """For ``DATABASE_URL``."""
        return f"postgresql://{user}@/{database}?host={quote(os.fsencode(self._folder))}"

    def make(self) -> None:
        """Make the cluster."""
        command = ("--auth=trust", f"--username={SUPERUSER}", "--encoding=utf8", "--no-sync", "--locale=C")
        self._run("initdb", f"--pgdata={self._data}", *command)

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        settings = [word for setting in self._settings for word in ("-c", setting)]
        listening = ("-c", "listen_addresses=", "-c", f"unix_socket_directories={self._folder}")
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._binaries / "postgres", "-D", self._data, *listening, *settings],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._folder,
                # Ctrl-C in a terminal is for the tests.
                start_new_session=True,
                **self._as_nobody,
            )
        self._watch = _ended_with_the_tests(self._process.pid)
        deadline = time.monotonic() + STARTS_WITHIN_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start: {(self._folder / 'log').read_text()}")
            time.sleep(0.02)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End it: SIGINT cuts connections off in order, SIGQUIT is a crash."""
        if self._process is not None and self._watch is not None:
            self._watch.kill()
            self._watch.communicate()
            self._process.send_signal(how)
            self._process.wait(STARTS_WITHIN_S)
            self._process = None

    def database(self, template: str = "template1") -> str:
        """Make a database like another one; its name."""
        self._number += 1
        name = f"test_{os.getpid()}_{self._number}"
        make = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        self.tell(make.format(sql.Identifier(name), sql.Identifier(template)))
        return name

    def drop(self, name: str) -> None:
        """Delete a database, whoever still uses it."""
        self.tell(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def tell(self, command: sql.Composed | sql.SQL) -> None:
        """Run a command of the superuser's."""
        with psycopg.connect(self.address("postgres"), autocommit=True) as connection:
            connection.execute(command)

    def _answers(self) -> bool:
        with suppress(psycopg.OperationalError), psycopg.connect(self.address("postgres")):
            return True
        return False

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._binaries / program), *arguments]
        done: subprocess.CompletedProcess[bytes] = subprocess.run(
            command, capture_output=True, cwd=self._folder, check=False, **self._as_nobody
        )
        if done.returncode:
            raise RuntimeError(f"{program} failed: {done.stderr.decode()}")


@contextmanager
def running(settings: tuple[str, ...] = QUICK) -> Iterator[Cluster]:
    """A server in a folder of its own, which goes with it."""
    # Not in pytest's own folders: their paths are too long for a socket, and no other account can read them.
    with socket_folder(SOCKET, for_others=_is_root()) as folder:
        cluster = Cluster(folder, settings)
        cluster.make()
        cluster.start()
        try:
            yield cluster
        finally:
            cluster.stop()


def _ended_with_the_tests(pid: int) -> subprocess.Popen[bytes]:
    """However the tests end, the server does too: this waits for the end of its input."""
    command = ["sh", "-c", 'read -r _; kill -INT "$0"', str(pid)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)


def _is_root() -> bool:
    """Whether another account has to run the server: PostgreSQL refuses to run as root."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


def _site_packages() -> Path:
    found = importlib.util.find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise RuntimeError(f"The tests need {PACKAGE}, of the development requirements.")
    return Path(found.submodule_search_locations[0]).parent


def _group() -> int:
    import pwd  # noqa: PLC0415 - there is none on Windows

    return pwd.getpwnam(NOBODY).pw_gid
