"""A Postgres that is ended as a crash would end it, put back to where it was, and cut off at a commit."""

import asyncio
import os
import shutil
import signal
import time
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg

from jornada.db.local import LocalPostgres

_READ = 65_536


class Fragile:
    """A server of our own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._data = folder / "postgres"
        self._kept = folder / "postgres.kept"
        self.server = LocalPostgres(folder, durable=False)

    def crash(self) -> None:
        """What `pg_ctl stop -m immediate` does."""
        file = self._data / "postmaster.pid"
        os.kill(int(file.read_text().split()[0]), signal.SIGQUIT)
        while self.server.running() or file.exists():
            time.sleep(0.02)

    async def keep(self) -> None:
        """Copies its files while it runs, to be put back."""
        connection = await asyncpg.connect(self.server.url())
        try:
            await connection.execute("select pg_backup_start('kept', true)")
            await asyncio.to_thread(self._copy)
            label = await connection.fetchval("select labelfile from pg_backup_stop(false)")
        finally:
            await connection.close()
        # What was written while it was copied is replayed from the log, whose last part is needed too.
        shutil.copytree(self._data / "pg_wal", self._kept / "pg_wal", dirs_exist_ok=True)
        (self._kept / "backup_label").write_text(label)

    def put_back(self) -> None:
        """Ends it and starts it with the files that were kept."""
        self.crash()
        owner = self._data.stat()
        shutil.rmtree(self._data)
        self._kept.rename(self._data)
        for path in (self._data, *self._data.rglob("*")):
            os.chown(path, owner.st_uid, owner.st_gid)
        self.server.start()

    def _copy(self) -> None:
        shutil.rmtree(self._kept, ignore_errors=True)
        shutil.copytree(self._data, self._kept, ignore=shutil.ignore_patterns("postmaster.*"), copy_function=_copy_one)


def _copy_one(source: str, target: str) -> None:
    """A file may go while all are copied."""
    try:
        shutil.copy2(source, target)
    except FileNotFoundError:
        return


class Commits:
    """A relay before a Postgres that cuts connections at their COMMIT: in turn before it arrives, and after it held
    but before that is answered."""

    def __init__(self, url: str) -> None:
        self._target = urlsplit(url)
        self._server: asyncio.Server | None = None
        self.armed = 0
        self.cuts = 0

    @property
    def url(self) -> str:
        """The database's, through the relay."""
        assert self._server is not None
        port = self._server.sockets[0].getsockname()[1]
        login = self._target.netloc.rpartition("@")[0]
        return self._target._replace(netloc=f"{login}@127.0.0.1:{port}").geturl()

    async def __aenter__(self) -> "Commits":
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._target.port)
        except OSError:
            writer.close()
            return
        committing = asyncio.Event()
        ways = [
            asyncio.create_task(self._asked(reader, back, committing)),
            asyncio.create_task(self._answered(there, writer, committing)),
        ]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        for end in (writer, back):
            end.close()

    async def _asked(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, committing: asyncio.Event) -> None:
        try:
            while part := await source.read(_READ):
                if self.armed and b"COMMIT;" in part:
                    self.armed -= 1
                    self.cuts += 1
                    if self.cuts % 2:
                        return
                    committing.set()
                sink.write(part)
                await sink.drain()
        except OSError:
            return

    async def _answered(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, committing: asyncio.Event
    ) -> None:
        try:
            while part := await source.read(_READ):
                if committing.is_set():
                    return
                sink.write(part)
                await sink.drain()
        except OSError:
            return
