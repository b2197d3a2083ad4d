"""The whole service on a real Postgres, the embedded stream and a real port."""

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

import httpx
import pytest

from jornada.access.store import PostgresAccess
from jornada.bus.carrier import Assigned, Bus, Partition, Received
from jornada.bus.embedded import EmbeddedBus
from jornada.clock import SystemClock
from jornada.db import Database
from jornada.events import TOUCHPOINTS, Touchpoint, WorkspaceId, decode, new_id, workspace_of
from jornada.runtime.running import serving
from jornada.runtime.service import Service
from services.ingest.app import build
from services.ingest.settings import Settings
from tests.conftest import DatabaseFactory
from tests.ingest.makes import Breakable


@dataclass
class Running:
    """The service, running."""

    url: str
    service: Service
    bus: Bus
    access: PostgresAccess
    database: Database

    async def touchpoints(self, workspace: UUID) -> list[Touchpoint]:
        """All that is on the stream of one workspace."""

        async def from_the_start(assigned: Mapping[Partition, Assigned]) -> Mapping[Partition, int]:
            return {partition: each.beginning for partition, each in assigned.items()}

        ends = {each: end for each, end in (await self.bus.ends([TOUCHPOINTS.name])).items() if end}
        consumer = self.bus.consumer(f"test-{new_id()}", [TOUCHPOINTS.name], from_the_start)
        await consumer.start()
        found: list[Received] = []
        try:
            async with asyncio.timeout(30):
                while ends:
                    for each in await consumer.poll(1_000, 0.5):
                        found.append(each)
                        if ends.get(partition := Partition(each.topic, each.partition), 0) <= each.offset + 1:
                            ends.pop(partition, None)
        finally:
            await consumer.stop()
        return [decode(each.value, Touchpoint) for each in found if workspace_of(each.key) == workspace]


@dataclass
class Tenant:
    """A workspace with a source `app`, its key, and a token of each kind."""

    workspace: WorkspaceId
    write_key: str
    token: str
    reader: str

    def bearer(self, token: str | None = None) -> dict[str, str]:
        return {"authorization": f"Bearer {token or self.token}"}


@asynccontextmanager
async def running_on(bus: Bus, database: Database, patience: float = 8.0) -> AsyncIterator[Running]:
    """The service on a carrier of its own, until the end of the block."""
    with TemporaryDirectory() as folder:
        settings = Settings(mode="local", data_dir=Path(folder), ingest_patience=patience)
        service = build(settings, bus, database, SystemClock())
    with socket.create_server(("127.0.0.1", 0)) as free:
        service.port = free.getsockname()[1]
    async with serving([service], host="127.0.0.1", shared=[bus]):
        yield Running(f"http://127.0.0.1:{service.port}", service, bus, PostgresAccess(database), database)


@pytest.fixture(scope="package")
async def running(postgres_url: str, database_for: DatabaseFactory) -> AsyncIterator[Running]:
    bus = EmbeddedBus(await database_for("bus"))
    async with running_on(bus, Breakable(postgres_url, "ingest"), patience=1.0) as running:
        yield running


async def tenant_of(running: Running) -> Tenant:
    """A new workspace."""
    access = running.access
    workspace = await access.create_workspace(f"w{new_id().hex}")
    await access.create_source(workspace.id, "app", "product")
    key = await access.create_key(workspace.id, "app")
    token = await access.create_token(workspace.id, "all", ["read", "write", "admin", "payloads"])
    reader = await access.create_token(workspace.id, "read", ["read"])
    return Tenant(workspace.id, key.secret, token.secret, reader.secret)


@pytest.fixture
async def tenant(running: Running) -> Tenant:
    return await tenant_of(running)


@pytest.fixture
async def http(running: Running) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=running.url, timeout=15) as client:
        for _ in range(100):
            try:
                if (await client.get("/readyz")).is_success:
                    break
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.05)
        yield client
