"""The whole service on a real Postgres, the embedded stream and a real port."""

import asyncio
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID

import httpx
import pytest

from jornada.access.store import PostgresAccess
from jornada.bus.carrier import Received
from jornada.bus.embedded import EmbeddedBus
from jornada.clock import SystemClock
from jornada.db import Database
from jornada.events import TOUCHPOINTS, Touchpoint, WorkspaceId, decode, new_id, workspace_of
from jornada.runtime.running import serving
from jornada.runtime.service import Service
from services.ingest.app import build
from services.ingest.settings import Settings
from tests.conftest import DatabaseFactory


@dataclass
class Running:
    """The service, running."""

    url: str
    service: Service
    bus: EmbeddedBus
    access: PostgresAccess
    database: Database

    async def touchpoints(self, workspace: UUID) -> list[Touchpoint]:
        """All that is on the stream of one workspace."""

        async def from_the_start(assigned: object) -> dict[object, int]:
            return dict.fromkeys(assigned, 0)  # type: ignore[call-overload,no-any-return]

        consumer = self.bus.consumer(f"test-{new_id()}", [TOUCHPOINTS.name], from_the_start)  # type: ignore[arg-type]
        await consumer.start()
        found: list[Received] = []
        try:
            while records := await consumer.poll(1_000, 0.5):
                found += records
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


@pytest.fixture(scope="package")
async def running(database_for: DatabaseFactory) -> AsyncIterator[Running]:
    database = await database_for("ingest")
    bus = EmbeddedBus(await database_for("bus"))
    service = build(Settings(ingest_patience=1.0), bus, database, SystemClock())
    with socket.create_server(("127.0.0.1", 0)) as free:
        service.port = free.getsockname()[1]
    async with serving([service], host="127.0.0.1", shared=[bus]):
        yield Running(f"http://127.0.0.1:{service.port}", service, bus, PostgresAccess(database), database)


@pytest.fixture
async def tenant(running: Running) -> Tenant:
    access = running.access
    workspace = await access.create_workspace(f"w{new_id().hex}")
    await access.create_source(workspace.id, "app", "product")
    key = await access.create_key(workspace.id, "app")
    token = await access.create_token(workspace.id, "all", ["read", "write", "admin", "payloads"])
    reader = await access.create_token(workspace.id, "read", ["read"])
    return Tenant(workspace.id, key.secret, token.secret, reader.secret)


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
