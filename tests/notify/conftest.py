"""The whole service on a database and a stream of its own, with a webhook receiver and the local mail sink."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import httpx
import msgspec
import pytest

from jornada.access.store import PostgresAccess
from jornada.bus.carrier import Assigned, Partition, Received
from jornada.bus.embedded import EmbeddedBus
from jornada.clock import SystemClock
from jornada.db import Database
from jornada.db.migrations import chains, migrate
from jornada.events import TOUCHPOINTS, Touchpoint, WorkspaceId, decode, new_id, workspace_of
from jornada.runtime.running import serving
from services.notify.app import build
from services.notify.settings import Settings
from tests.notify.factories import SHIPPED, campaign


@dataclass
class Receiver:
    """A webhook endpoint on a real port: answers as its script says, then 204; keeps what it was sent."""

    port: int
    script: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    hanging: bool = False
    released: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:]) if name}
        body = await reader.readexactly(int(headers["content-length"]))
        self.got.append((headers, body))
        if self.hanging:
            await self.released.wait()
        status, more = self.script.pop(0) if self.script else (204, {})
        lines = [f"HTTP/1.1 {status} X", "content-length: 0", *(f"{name}: {value}" for name, value in more.items())]
        writer.write("\r\n".join([*lines, "", ""]).encode())
        await writer.drain()
        writer.close()


@dataclass
class Notify:
    """The service, running for one workspace."""

    url: str
    bus: EmbeddedBus
    database: Database
    workspace: WorkspaceId
    http: httpx.AsyncClient
    mail: Path

    async def ask(self, path: str, **params: Any) -> Any:
        answer = await self.http.get(path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def act(self, method: str, path: str, document: object = None) -> Any:
        answer = await self.http.request(method, path, json=document)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    async def started(self) -> None:
        """Starts the campaign that ships, as a service message: nobody need have agreed to it."""
        await self.act("PUT", f"/v1/campaigns/{SHIPPED}", msgspec.to_builtins(campaign()))
        await self.act("POST", f"/v1/campaigns/{SHIPPED}/start")

    async def caught_up(self, seconds: float = 20) -> None:
        """Until nothing waits to be read and nothing is due."""

        async def there() -> bool:
            return bool((await self.ask("/v1/lag"))["caught_up"])

        await until(there, seconds)

    async def count(self, table: str) -> int:
        async with self.database.transaction([self.workspace]) as connection:
            found: int = await connection.fetchval(f"select count(*) from {table}")
        return found

    async def touchpoints(self) -> Sequence[Touchpoint]:
        """Ours, as they are on the stream."""

        async def from_the_start(assigned: Mapping[Partition, Assigned]) -> Mapping[Partition, int]:
            return {partition: known.beginning for partition, known in assigned.items()}

        consumer = self.bus.consumer(f"test-{new_id()}", [TOUCHPOINTS.name], from_the_start)
        await consumer.start()
        found: list[Received] = []
        try:
            while records := await consumer.poll(1_000, 0.5):
                found += records
        finally:
            await consumer.stop()
        return [decode(each.value, Touchpoint) for each in found if workspace_of(each.key) == self.workspace]

    def mails_to(self, address: str) -> list[EmailMessage]:
        """What the sink kept for the address."""
        parsed = [message_from_bytes(path.read_bytes(), policy=default) for path in sorted(self.mail.glob("*.eml"))]
        return [each for each in parsed if each["To"] == address]


@dataclass
class Running:
    """The service, running."""

    url: str
    bus: EmbeddedBus
    database: Database
    folder: Path


@pytest.fixture(scope="package")
async def own_database(postgres_url: str) -> AsyncIterator[str]:
    """The URL of a database with the schemas that notify needs: a stream has one owner a database."""
    name = f"notify_{new_id().hex}"
    url = urlsplit(postgres_url)._replace(path=f"/{name}").geturl()
    server = await asyncpg.connect(postgres_url)
    await server.execute(f"create database {name}")
    migrate(url, [chain for chain in chains() if chain.schema in ("access", "bus", "notify")])
    yield url
    await server.execute(f"drop database {name} with (force)")
    await server.close()


@pytest.fixture(scope="package")
async def running(own_database: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    folder = tmp_path_factory.mktemp("notify")
    log, database = Database(own_database, "bus"), Database(own_database, "notify")
    bus = EmbeddedBus(log)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = Settings(mode="local", data_dir=folder, outgoing_allow="127.0.0.1")
    service = build(settings, bus, database, SystemClock())
    service.port = port
    async with serving([service], host="127.0.0.1", shared=[log, bus]):
        await _ready(f"http://127.0.0.1:{port}")
        yield Running(f"http://127.0.0.1:{port}", bus, database, folder)


@pytest.fixture
async def notify(running: Running) -> AsyncIterator[Notify]:
    """The service with a workspace of its own."""
    access = PostgresAccess(running.database)
    workspace = await access.create_workspace(f"w-{new_id().hex}")
    token = await access.create_token(workspace.id, "test", ["read", "write", "admin"])
    headers = {"authorization": f"Bearer {token.secret}"}
    async with httpx.AsyncClient(base_url=running.url, headers=headers, trust_env=False, timeout=20) as http:
        yield Notify(running.url, running.bus, running.database, workspace.id, http, running.folder / "mail")


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async for each in _listening():
        yield each


@pytest.fixture
async def other_receiver() -> AsyncIterator[Receiver]:
    async for each in _listening():
        yield each


async def _listening() -> AsyncIterator[Receiver]:
    receiver = Receiver(0)
    server = await asyncio.start_server(receiver.answer, "127.0.0.1", 0)
    receiver.port = server.sockets[0].getsockname()[1]
    yield receiver
    receiver.released.set()
    server.close()


async def _ready(url: str) -> None:
    async with httpx.AsyncClient(trust_env=False) as http, asyncio.timeout(20):
        while True:
            try:
                if (await http.get(f"{url}/readyz")).is_success:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.02)


async def until(true: Callable[[], Awaitable[bool]], seconds: float = 10) -> None:
    """Waits until it is so; fails after the time."""
    async with asyncio.timeout(seconds):
        while not await true():  # noqa: ASYNC110 - what is waited for is in another process's database
            await asyncio.sleep(0.02)
