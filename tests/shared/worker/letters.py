"""The toy service with dead letters, and what its operator holds."""

import asyncio
import socket
from typing import cast

import pytest

from jornada.access.grants import Principal, Scope
from jornada.access.keyring import Keyring
from jornada.bus.dead_letters import DeadLetters, Limit
from jornada.bus.publisher import Publisher
from jornada.bus.worker import Worker
from jornada.clock import SetClock
from jornada.db import Database
from jornada.events import WorkspaceId, new_id
from jornada.runtime.service import Health, Service
from jornada.web import Gate, application
from jornada.web.app import serve_dead_letters
from tests.shared.worker.toy import AT, TOPIC, WORKSPACE, Counts, Finished, Script, received


class Toy:
    """The toy service, and what its operator holds."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.script = Script()
        self.counts = Counts()
        self.letters = DeadLetters(database)

    def worker(self, limit: Limit | None = None) -> Worker:
        """A new process's."""
        publisher = Publisher(self.database, self.script, self.counts)
        return Worker(
            "toy",
            [TOPIC],
            bus=self.script,
            database=self.database,
            publisher=publisher,
            fold=self.counts.fold,
            clock=SetClock(AT),
            limit=limit,
        )

    async def failed(self, *names: str) -> Worker:
        """Has one record of each name dead-lettered, that would work now."""
        for name in names:
            self.counts.failing[name.encode()] = [ValueError("a bug")] * 100
        self.script.batches = [[received(offset, name) for offset, name in enumerate(names)]]
        worker = self.worker()
        with pytest.raises(Finished):
            await worker.run()
        self.counts.failing.clear()
        return worker

    async def counted(self) -> dict[object, int]:
        async with self.database.transaction([WORKSPACE]) as connection:
            return {row["subject"]: row["count"] for row in await connection.fetch("select subject, count from counts")}

    async def swept(self) -> None:
        """What a process does soon after its start."""
        async with self.database.transaction([WORKSPACE]) as connection:
            await connection.execute("update unpublished set since = since - interval '1 minute'")
        await Publisher(self.database, self.script, self.counts).sweep()

    async def waiting(self) -> int:
        return sum(line.replayed_at is None for line in await self.letters.page(WORKSPACE, 1_000, None))


class Bearers:
    """A keyring whose tokens are their scopes, as `read+admin`; `stranger` is of another workspace."""

    async def principal(self, token: str) -> Principal | None:
        scopes = frozenset(cast(list[Scope], token.removeprefix("stranger+").split("+")))
        workspace = WorkspaceId(new_id()) if token.startswith("stranger") else WORKSPACE
        return Principal(workspace, scopes, new_id())


def served(toy: Toy, worker: Worker, health: Health) -> Service:
    """The toy service with its faces."""
    app = application("toy", "A toy.", checks={"service": health.check})
    serve_dead_letters(app, Gate(cast(Keyring, Bearers())), toy.letters, worker)
    return Service("toy", _free_port(), app, tasks=[("worker", worker.run)], workers=[worker], health=health)


async def until_stopped(health: Health) -> None:
    """Waits until the worker has given up."""
    async with asyncio.timeout(20):
        while health.stopped is None:  # noqa: ASYNC110 - the runtime sets it
            await asyncio.sleep(0.02)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    return port
