"""All services, each a process of its own, on a Postgres and a broker of their own: what a person leaves anywhere."""

import asyncio
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from jornada.bus.kafka import KafkaBus, KafkaConnection
from jornada.bus.local_kafka import LocalKafka
from jornada.db.local import LocalPostgres
from tests.flows.system import System, ready
from tests.live.processes import Running, Supervised, armed, services_on, struck

SERVICES = ("ingest", "journey", "scoring", "notify")
_PATIENCE = 60.0


@dataclass
class Whole:
    """The system, and everything that any of it writes, in one folder."""

    system: System
    brokers: str
    services: Mapping[str, Supervised]
    folder: Path

    async def doom(self, point: str, *names: str) -> None:
        """Has services be killed, once, when they come to a crash point; returns when they are up and idle."""
        for name in names:
            await self.services[name].rearm(**self.arms(name, point))
            # What it says at its start must not be what kills the next one.
            await asyncio.sleep(1)
            await self.up()
        self.spare(*names)

    def spare(self, *names: str) -> None:
        """Has services live from their next start on."""
        for name in names:
            self.services[name].change(JORNADA_CRASHPOINTS="")

    async def up(self) -> None:
        """Returns once all are ready and caught up."""
        await ready(self.system.urls, self.system.http, _PATIENCE)
        await self.system.settled()

    def deaths(self, name: str, point: str) -> int:
        """How often a crash point killed a service."""
        return struck(self.points(name))[point]

    async def kill(self, name: str, **environment: str) -> None:
        """Kill -9; it comes back with these settings changed."""
        before, service = sum(self.services[name].deaths.values()), self.services[name]
        service.change(**environment)
        service.signal(signal.SIGKILL)
        await until(lambda: sum(service.deaths.values()) > before)

    def arms(self, name: str, point: str) -> dict[str, str]:
        """Settings under which a service dies at a crash point."""
        return armed(1, self.points(name), [point])

    def points(self, name: str) -> Path:
        """Where a service writes which crash points killed it."""
        return self.folder / f"{name}.points"


@asynccontextmanager
async def whole(
    libs: Path, *, modules: Mapping[str, str] | None = None, broker: Mapping[str, str] | None = None
) -> AsyncIterator[Whole]:
    """Everything, up. `modules` replaces services' modules, `broker` adds to the broker's settings."""
    folder = Path(tempfile.mkdtemp(prefix="jornada-whole-"))
    postgres, kafka = LocalPostgres(folder, durable=False), LocalKafka(folder / "kafka", libs=libs, settings=broker)
    extra = {name: {"JORNADA_TEST_SERVICE": name, "JORNADA_OUTGOING_ALLOW": "127.0.0.1"} for name in SERVICES}
    try:
        await asyncio.to_thread(postgres.start)
        await asyncio.to_thread(kafka.start)
        async with services_on(
            postgres.url(), kafka.brokers, folder, SERVICES, modules=modules, extra=extra
        ) as running:
            system = _system(running, folder)
            try:
                yield Whole(system, running.brokers, running.services, folder)
            finally:
                await system.http.aclose()
                await system.bus.stop()
    finally:
        await asyncio.to_thread(kafka.kill)
        await asyncio.to_thread(postgres.stop)
        shutil.rmtree(folder, ignore_errors=True)


async def until(holds: Callable[[], bool]) -> None:
    """Returns once it holds; fails after a minute."""
    async with asyncio.timeout(_PATIENCE):
        while not holds():  # noqa: ASYNC110 - files and processes tell nobody
            await asyncio.sleep(0.05)


def _system(running: Running, folder: Path) -> System:
    bus = KafkaBus(KafkaConnection(brokers=running.brokers), client_id="searching")
    secrets = running.write_key, running.api_token
    return System(running.database_url, running.workspace, secrets, folder, bus, running.urls)
