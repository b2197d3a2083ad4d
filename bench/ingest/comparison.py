"""B1 to B3: what an event costs in ingest with everything on, beside floors and peers in the same run."""

import asyncio
import os
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
from rich.console import Console
from rich.progress import Progress

from bench.ingest.bodies import Bodies
from bench.ingest.load import Load, OpenLoad
from bench.ingest.sides import LOOP_EVENTS, LOOPS, SERVERS
from bench.measuring import Sample, Steal, cpu_seconds, medians, ratio, resident_bytes
from jornada.access.bootstrap import ensure_default
from jornada.access.secrets import draw_api_token, draw_write_key
from jornada.access.store import PostgresAccess
from jornada.bus.local_kafka import LocalKafka
from jornada.db import Database
from jornada.db.local import LocalPostgres
from jornada.db.migrations import migrated

SIZES = (1, 20, 100)
CONNECTIONS = {1: 256, 20: 64, 100: 32}
PACE_SECONDS = 0.01
_SERVER_CORE, _LOAD_CORE = 0, 1
_OURS = "ours"


class Side:
    """One process on the server's core."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, port: int | None) -> None:
        self.name = name
        self.process = process
        self.port = port

    async def work(self, bodies: Bodies, seconds: float, broker: int, group: int = 1_000) -> Sample:
        """One round; a loop commits `group` events at a time."""
        before, brokers = cpu_seconds(self.process.pid), cpu_seconds(broker)
        events = await self._served(bodies, seconds) if self.port else await self._looped(seconds, group)
        return Sample(cpu_seconds(self.process.pid) - before, cpu_seconds(broker) - brokers, events)

    async def _served(self, bodies: Bodies, seconds: float) -> int:
        load = Load(self.port or 0, bodies, CONNECTIONS[bodies.size])
        events = await load.run(seconds)
        if load.failed:
            raise RuntimeError(f"{self.name}: {load.failed} answers were no 200")
        return events

    async def _looped(self, seconds: float, group: int) -> int:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        until, events = time.monotonic() + seconds, 0
        while time.monotonic() < until:
            self.process.stdin.write(b"%d\n" % group)
            await self.process.stdout.readline()
            events += LOOP_EVENTS
        return events


async def run(rounds: int, seconds: float) -> None:
    """Prints every ratio with its interval."""
    console = Console()
    folder = Path(tempfile.mkdtemp(prefix="jornada-bench-"))
    os.sched_setaffinity(0, {_LOAD_CORE})
    try:
        async with _ground(folder) as (environment, broker, write_key):
            for size in SIZES:
                samples, memory = await _measured(size, rounds, seconds, environment, broker, write_key)
                _tell(console, size, samples, memory, seconds)
                for name in (_OURS, "fastapi"):
                    console.print(await _latency(name, size, seconds, environment, write_key))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _latency(name: str, size: int, seconds: float, environment: Mapping[str, str], write_key: str) -> str:
    """How long an answer takes at half of what the side can do, from when it was due."""
    side, bodies = await _started(name, environment), Bodies(size, write_key)
    try:
        closed = Load(side.port or 0, bodies, CONNECTIONS[size])
        await closed.run(seconds)
        rate = await closed.run(2 * seconds) / size / (2 * seconds)
        load = OpenLoad(side.port or 0, bodies, rate / 2)
        await load.run(4 * seconds)
    finally:
        side.process.kill()
        await side.process.wait()
    ordered = sorted(load.latencies)
    p50, p99 = (ordered[int(len(ordered) * share)] * 1_000 for share in (0.5, 0.99))
    half = rate * size / 2
    return f"  {name} at half load ({half:.0f} events/s): p50 {p50:.0f} ms, p99 {p99:.0f} ms, {load.failed} no 200"


async def _measured(
    size: int, rounds: int, seconds: float, environment: Mapping[str, str], broker: int, write_key: str
) -> tuple[dict[str, list[Sample]], int]:
    bodies = Bodies(size, write_key)
    sides = [await _started(name, environment) for name in (_OURS, *SERVERS, *LOOPS)]
    samples: dict[str, list[Sample]] = {side.name: [] for side in sides}
    group = 1_000
    try:
        with Progress(transient=True) as progress:
            task = progress.add_task(f"{size} events a request", total=(rounds + 1) * len(sides))
            done = -1
            while done < rounds:
                steal = Steal()
                measured = {}
                for side in sides:
                    measured[side.name] = await side.work(bodies, seconds, broker, group)
                    progress.advance(task)
                group = int(measured[_OURS].events / seconds * PACE_SECONDS)
                if done >= 0 and steal.too_much():
                    continue
                if done >= 0:
                    for name, sample in measured.items():
                        samples[name].append(sample)
                done += 1
        return samples, resident_bytes(sides[0].process.pid)
    finally:
        for side in sides:
            side.process.kill()
            await side.process.wait()


def _tell(console: Console, size: int, samples: Mapping[str, list[Sample]], memory: int, seconds: float) -> None:
    each = {name: [sample.each for sample in taken] for name, taken in samples.items()}
    floors = [
        request.own + batch.each  # the former has no broker
        for request, batch in zip(samples["request_floor"], samples["send_batch"], strict=True)
    ]
    costs = ", ".join(f"{name} {own:.1f} + {broker:.1f}" for name, (own, broker) in medians(samples).items())
    group = sum(sample.events for sample in samples[_OURS]) / len(samples[_OURS]) / seconds * PACE_SECONDS
    console.print(f"\n[bold]{size} events a request[/bold]   CPU µs an event, and the broker's: {costs}")
    console.print(
        f"  our memory {memory / 2**20:.0f} MiB; acks=all; 12 partitions; commits every 5 to 10 ms"
        f" of {group:.0f} events for ours and for the floor"
    )
    console.print(f"  B1 ours / sum of floors           {ratio(floors, each[_OURS])}   (at most 1.6)")
    console.print(f"  B2 send() loop / ours             {ratio(each[_OURS], each['send'])}   (at least 1.4)")
    console.print(f"  B2 send_batch loop / ours         {ratio(each[_OURS], each['send_batch'])}   (at least 0.40)")
    goal = {1: 3, 20: 3, 100: 4.5}[size]
    console.print(f"  B3 FastAPI app / ours             {ratio(each[_OURS], each['fastapi'])}   (at least {goal})")


async def _started(name: str, environment: Mapping[str, str]) -> Side:
    module = ["services.ingest"] if name == _OURS else ["bench.ingest.sides", name]
    process = await asyncio.create_subprocess_exec(
        "taskset",
        "-c",
        str(_SERVER_CORE),
        sys.executable,
        "-m",
        *module,
        env={**os.environ, **environment},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    if name == _OURS:
        port = int(environment["JORNADA_INGEST_PORT"])
        await _ready(port)
        return Side(name, process, port)
    said = (await process.stdout.readline()).strip()
    if name in SERVERS:
        return Side(name, process, int(said))
    await process.stdout.readline()
    return Side(name, process, None)


async def _ready(port: int) -> None:
    async with httpx.AsyncClient(trust_env=False) as http, asyncio.timeout(60):
        while True:
            try:
                if (await http.get(f"http://127.0.0.1:{port}/readyz")).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.1)


@asynccontextmanager
async def _ground(folder: Path) -> AsyncIterator[tuple[dict[str, str], int, str]]:
    """A Postgres and a Kafka of their own; the environment of the sides, the broker's process, a write key."""
    postgres = LocalPostgres(folder)
    kafka = LocalKafka(folder / "kafka", libs=Path(".jornada/kafka/libs"))
    (folder / "kafka").mkdir(parents=True)
    await asyncio.to_thread(postgres.start)
    await asyncio.to_thread(kafka.start)
    try:
        await migrated(postgres.url())
        write_key = draw_write_key()
        database = Database(postgres.url(), "access", max_connections=1)
        await ensure_default(PostgresAccess(database), write_key, draw_api_token())
        await database.stop()
        environment = {
            "JORNADA_MODE": "local",
            "JORNADA_DATABASE_URL": postgres.url(),
            "JORNADA_KAFKA_BROKERS": kafka.brokers,
            "JORNADA_DATA_DIR": str(folder),
            "JORNADA_INGEST_PORT": str(_free_port()),
        }
        await _topic(kafka.brokers)
        yield environment, kafka.pid or 0, write_key
    finally:
        kafka.stop()
        postgres.stop()


def _free_port() -> int:
    with socket.socket() as drawn:
        drawn.bind(("127.0.0.1", 0))
        return int(drawn.getsockname()[1])


async def _topic(brokers: str) -> None:
    from aiokafka.admin import AIOKafkaAdminClient, NewTopic  # noqa: PLC0415 - only for the peers' topic

    from bench.ingest.sides import PARTITIONS, TOPIC  # noqa: PLC0415

    admin = AIOKafkaAdminClient(bootstrap_servers=brokers)
    await admin.start()
    await admin.create_topics([NewTopic(TOPIC, PARTITIONS, 1, topic_configs={"max.message.bytes": "1048576"})])
    await admin.close()
