"""B4 to B6: what a touchpoint costs in journey, all processes of a side counted, beside loops and peers in one run."""

import asyncio
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from rich.console import Console

from bench.environments import python_of
from bench.journey.events import Events, Told
from bench.journey.job import SCHEMA
from bench.journey.sides import OUT, PARTITIONS, SIDES
from bench.measuring import Sample, Steal, children_of, cpu_seconds, medians, ratio
from jornada.bus.kafka import KafkaBus, KafkaConnection
from jornada.bus.local_kafka import LocalKafka
from jornada.db.local import LocalPostgres
from jornada.db.migrations import migrated
from jornada.events import TOUCHPOINTS, JourneySnapshot, decode

CUSTOMERS = 5_000
LOOPS = ("ours", "same_sql", "upsert_copy")
PEERS = ("quix", "bytewax", "faststream_batch", "faststream_single", "faust_batch", "faust_table")
EVENTS_A_SECOND = 4_000
FEW, MANY = 10_000, int(os.environ.get("JORNADA_BENCH_CUSTOMERS", "100000"))
_CORE = 0


@dataclass
class Ground:
    """A Postgres, in `folder`, and a Kafka of their own."""

    folder: Path
    postgres: LocalPostgres
    kafka: LocalKafka
    processes: list[asyncio.subprocess.Process] = field(default_factory=list)

    def postgres_cpu(self) -> float:
        """CPU seconds of the server and of all its processes, those that ended included."""
        pid = int((self.folder / "postgres" / "postmaster.pid").read_text().split()[0])
        return cpu_seconds(pid) + sum(cpu_seconds(child) for child in children_of(pid))

    def broker_cpu(self) -> float:
        """CPU seconds of the broker."""
        return cpu_seconds(self.kafka.pid or 0)


class Side:
    """One process with a database of its own."""

    def __init__(self, name: str, url: str, topic: str, process: asyncio.subprocess.Process) -> None:
        self.name = name
        self.url = url
        self.topic = topic
        self.process = process

    async def work(self, told: Sequence[Told], ground: Ground) -> Sample:
        """One round: it stands still until all is published, and works until all is done."""
        assert self.process.stdin is not None
        self.process.send_signal(signal.SIGSTOP)
        await _publish(ground.kafka.brokers, self.topic, told)
        before, broker = self._cpu() + ground.postgres_cpu(), ground.broker_cpu()
        self.process.send_signal(signal.SIGCONT)
        self.process.stdin.write(b"%d\n" % len(told))
        await self.said(b"done")
        cpu = self._cpu() + ground.postgres_cpu() - before
        return Sample(cpu, ground.broker_cpu() - broker, len(told))

    async def fill(self, customers: int) -> None:
        """Has it know so many customers."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"fill %d\n" % customers)
        await self.said(b"done", 3_600)
        connection = await asyncpg.connect(self.url)
        await connection.execute("vacuum (analyze)")
        await connection.close()

    async def said(self, word: bytes, seconds: float = 300) -> None:
        """Waits for a line."""
        assert self.process.stdout is not None
        async with asyncio.timeout(seconds):
            while (line := await self.process.stdout.readline()).strip() != word:
                if not line:
                    raise RuntimeError(f"{self.name} ended")

    def _cpu(self) -> float:
        return cpu_seconds(self.process.pid)


async def run(rounds: int, seconds: float) -> None:
    """B4 and B5: prints every ratio with its interval."""
    console, count = Console(), int(seconds * EVENTS_A_SECOND)
    async with _ground() as ground:
        sides = [await _started(name, ground) for name in (*LOOPS, *_peers(console))]
        events, told = Events(CUSTOMERS), list[Told]()
        samples = await _measured(sides, ground, events, rounds, count, told)
        await _verify(sides, told)
        console.print(f"\n{len(told)} records in all: every side tells the same journeys")
        _tell(console, samples, count)


async def grow(rounds: int, seconds: float) -> None:
    """B6: prints what both cost with few customers and with many, and the ratio of their growth."""
    # CPU is told in hundredths of a second, of which a bare upsert takes few.
    console, count = Console(), int(2 * seconds * EVENTS_A_SECOND)
    grown = [await _grown(customers, rounds, count) for customers in (FEW, MANY)]
    for customers, costs in zip((FEW, MANY), grown, strict=True):
        told_ = ", ".join(f"{name} {own:.1f} + {broker:.1f}" for name, (own, broker) in medians(costs).items())
        console.print(f"{customers} customers, few of whom do much: {told_}")
    relative = [[ours.each / bare.each for ours, bare in zip(*each.values(), strict=True)] for each in grown]
    console.print(f"  B6 growth of ours / of a bare upsert {ratio(relative[0], relative[1])}   (at most 1.15)")


async def _grown(customers: int, rounds: int, count: int) -> dict[str, list[Sample]]:
    """What ours and a bare upsert cost once so many customers are known to both.

    They come to be known past the stream, as what is measured is what comes later.
    """
    async with _ground() as ground:
        sides = [await _started(name, ground) for name in ("ours", "upsert")]
        await asyncio.gather(*(side.fill(customers) for side in sides))
        events = Events(customers, zipf=True)
        for _ in events.each():
            pass
        return await _measured(sides, ground, events, rounds, count, [])


def _peers_python() -> Path | None:
    return python_of("peers", Path(__file__).parent / "peers" / "requirements.txt")


def _peers(console: Console) -> Sequence[str]:
    if _peers_python() is not None:
        return PEERS
    console.print("[yellow]The peers could not be installed: B5 is not measured.[/yellow]")
    return ()


async def _measured(
    sides: Sequence[Side], ground: Ground, events: Events, rounds: int, count: int, told: list[Told]
) -> dict[str, list[Sample]]:
    """The samples of so many rounds after a first one; all that was worked on is added to `told`."""
    samples: dict[str, list[Sample]] = {side.name: [] for side in sides}
    done = -1
    while done < rounds:
        batch = list(events.draw(count))
        told += batch
        steal = Steal()
        measured = {side.name: await side.work(batch, ground) for side in sides}
        if done >= 0 and steal.too_much():
            continue
        if done >= 0:
            for name, sample in measured.items():
                samples[name].append(sample)
        done += 1
    return samples


async def _verify(sides: Sequence[Side], told: Sequence[Told]) -> None:
    """The number is void unless all tell the same of every customer, and have each touchpoint once."""
    once = len({record.value for record in told})
    first: dict[str, Any] | None = None
    for side in sides:
        connection = await asyncpg.connect(side.url)
        own = await connection.fetchval("select to_regclass('states') is null")
        table = "journey.touchpoints" if own else "touchpoints"
        stored = await connection.fetchval(f"select count(*) from {table}")
        snapshots = "select snapshot from " + ("journey.subjects" if own else "states")
        journeys = _in_common(row["snapshot"] for row in await connection.fetch(snapshots))
        await connection.close()
        if stored != once:
            raise RuntimeError(f"{side.name} stored {stored} touchpoints of {once}")
        if first is not None and journeys != first:
            differing = next(name for name in journeys | first if journeys.get(name) != first.get(name))
            raise RuntimeError(f"{side.name}: {differing}: {journeys.get(differing)} is not {first.get(differing)}")
        first = journeys


def _in_common(snapshots: Iterable[bytes]) -> dict[str, Any]:
    found = {}
    for each in snapshots:
        snapshot: JourneySnapshot = decode(each, JourneySnapshot)
        user = next(name.value for name in snapshot.identifiers if name.type == "user_id")
        measures, seen = snapshot.measures, (snapshot.first_seen_at, snapshot.last_seen_at)
        found[user] = (snapshot.touchpoints, *seen, measures.use, measures.counts, snapshot.stages[0])
    return found


def _tell(console: Console, samples: Mapping[str, Sequence[Sample]], count: int) -> None:
    each = {name: [sample.each for sample in taken] for name, taken in samples.items()}
    console.print(f"CPU µs a record (process and Postgres, and the broker's), {count} a round, {CUSTOMERS} customers:")
    for name, (own, broker) in medians(samples).items():
        console.print(f"  {name:18} {own:6.1f} + {broker:.1f}")
    goals = {
        "same_sql": ("B4 ours / same fold and SQL", 1.4),
        "upsert_copy": ("B4 ours / one upsert, one COPY", 2.2),
        "quix": ("B5 ours / Quix Streams", 0.9),
        "bytewax": ("B5 ours / Bytewax", 1.0),
        "faststream_batch": ("B5 ours / FastStream, batches", None),
        "faststream_single": ("B5 ours / FastStream, single", 0.5),
        "faust_batch": ("B5 ours / Faust, batches", None),
        "faust_table": ("B5 ours / Faust, tables", 0.25),
    }
    for name, (what, goal) in goals.items():
        if name in each:
            aim = "" if goal is None else f"   (at most {goal})"
            console.print(f"  {what:32} {ratio(each[name], each['ours'])}{aim}")


async def _started(name: str, ground: Ground) -> Side:
    url = await _database(name, ground)
    topic = TOUCHPOINTS.name if name == "ours" else f"bench.touchpoints.{name}"
    await _topics(ground.kafka.brokers, [] if name == "ours" else [topic])
    mine = name in SIDES
    python = sys.executable if mine else str(_peers_python())
    module = ["bench.journey.sides", name] if mine else [f"bench.journey.peers.{name}"]
    process = await asyncio.create_subprocess_exec(
        "taskset", "-c", str(_CORE), python, "-m", *module,
        env={
            **os.environ,
            "PYTHONPATH": "shared:.",
            "JORNADA_MODE": "local",
            "JORNADA_KAFKA_BROKERS": ground.kafka.brokers,
            "BENCH_DATABASE_URL": url,
            "BENCH_TOPIC": topic,
            "TMPDIR": str(ground.folder),
        },
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    ground.processes.append(process)
    side = Side(name, url, topic, process)
    await side.said(b"ready")
    return side


async def _database(name: str, ground: Ground) -> str:
    """A new one, with our schema for who uses our SQL."""
    connection = await asyncpg.connect(ground.postgres.url())
    await connection.execute(f"create database bench_{name}")
    await connection.close()
    url = urlsplit(ground.postgres.url())._replace(path=f"/bench_{name}").geturl()
    if name in {"ours", "same_sql"}:
        await migrated(url)
    else:
        connection = await asyncpg.connect(url)
        await connection.execute(SCHEMA)
        await connection.close()
    return url


async def _publish(brokers: str, topic: str, told: Sequence[Told]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=brokers, acks="all", compression_type="zstd", linger_ms=5)
    await producer.start()
    acks = [await producer.send(topic, each.value, key=each.key) for each in told]
    await asyncio.gather(*acks)
    await producer.stop()


async def _topics(brokers: str, names: Sequence[str]) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=brokers)
    await admin.start()
    limit = {"max.message.bytes": "1048576"}
    await admin.create_topics([NewTopic(name, PARTITIONS, 1, topic_configs=limit) for name in names])
    await admin.close()


@asynccontextmanager
async def _ground() -> AsyncIterator[Ground]:
    """Everything ends with the block, the sides too."""
    folder = Path(tempfile.mkdtemp(prefix="jornada-bench-"))
    postgres = LocalPostgres(folder)
    kafka = LocalKafka(folder / "kafka", libs=Path(".jornada/kafka/libs"))
    ground = Ground(folder, postgres, kafka)
    try:
        (folder / "kafka").mkdir(parents=True)
        await asyncio.to_thread(postgres.start)
        await asyncio.to_thread(kafka.start)
        bus = KafkaBus(KafkaConnection(kafka.brokers), client_id="bench")
        await bus.start()
        await bus.stop()
        await _topics(kafka.brokers, [OUT])
        yield ground
    finally:
        for process in ground.processes:
            process.kill()
            await process.wait()
        kafka.kill()
        postgres.stop()
        shutil.rmtree(folder, ignore_errors=True)
