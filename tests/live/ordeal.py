"""A journey service under faults: who befalls what, the load meanwhile, and what became of every event."""

import asyncio
import json
import shutil
import signal
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, cast

import asyncpg
import httpx

from jornada import crashpoints
from jornada.access.grants import SourceRole
from jornada.access.store import PostgresAccess
from jornada.bus.local_kafka import LocalKafka
from jornada.db import Database
from jornada.events import Identifier, Touchpoint, WorkspaceId
from tests.flows.system import ready, take_ports
from tests.journey.lives import SOURCES, Lives, shuffled
from tests.journey.makes import Folding, at
from tests.journey.oracle import expected
from tests.journey.plain import in_plain_words
from tests.live.fragile import Commits, Fragile
from tests.live.log import stale_journeys
from tests.live.processes import Running, Supervised, services_on, struck

AS_OF = at(365)
_BATCH = 20
_PATIENCE = 60.0


@dataclass
class Ground:
    """What faults befall: processes, a Postgres and a broker, all our own."""

    system: Running
    workspace: WorkspaceId
    keys: Mapping[str, str]
    postgres: Fragile
    commits: Commits
    kafka: LocalKafka
    second: Supervised
    second_url: str
    points: Path

    @property
    def journey(self) -> Supervised:
        """The first worker."""
        return self.system.services["journey"]

    async def ready(self) -> float:
        """Waits until ingest and journey say that they are ready and all is folded; the seconds that took."""
        began = time.monotonic()
        urls = self.system.urls
        async with httpx.AsyncClient(trust_env=False, timeout=5) as http, asyncio.timeout(_PATIENCE):
            while True:
                try:
                    answers = [await http.get(f"{url}/readyz") for url in urls.values()]
                    lag = await http.get(f"{urls['journey']}/v1/lag")
                    if {each.status_code for each in (*answers, lag)} == {200} and lag.json()["caught_up"]:
                        return time.monotonic() - began
                except httpx.TransportError:
                    pass
                await asyncio.sleep(0.1)


Fault = Callable[[Ground], Awaitable[None]]


def crash(point: str) -> Fault:
    """The worker dies at a named point, once."""

    async def crash_at(ground: Ground) -> None:
        before = struck(ground.points)[point]
        await ground.journey.rearm(JORNADA_CRASHPOINTS=f"{point}=1", JORNADA_CRASHPOINTS_LOG=str(ground.points))
        await _until(lambda: ground.journey.alive)
        ground.journey.change(JORNADA_CRASHPOINTS="")
        await _until(lambda: struck(ground.points)[point] > before)

    return crash_at


async def kill_journey(ground: Ground) -> None:
    """Kill -9, wherever it is."""
    ground.journey.signal(signal.SIGKILL)


async def kill_ingest(ground: Ground) -> None:
    """Kill -9, wherever it is."""
    ground.system.services["ingest"].signal(signal.SIGKILL)


async def stop_postgres(ground: Ground) -> None:
    """Stopped as by a crash, and started after two seconds."""
    await asyncio.to_thread(ground.postgres.crash)
    await asyncio.sleep(2)
    await asyncio.to_thread(ground.postgres.server.start)


async def cut_commits(ground: Ground) -> None:
    """Four connections are cut at their COMMIT."""
    ground.commits.armed += 4
    await _until(lambda: ground.commits.armed == 0)


async def restore_postgres(ground: Ground) -> None:
    """Put back to where it was ten seconds ago."""
    await ground.postgres.keep()
    await asyncio.sleep(10)
    await asyncio.to_thread(ground.postgres.put_back)


async def rebalance(ground: Ground) -> None:
    """A second worker comes and goes."""
    await _with_second(ground, lambda: asyncio.sleep(3))


async def zombie(ground: Ground) -> None:
    """The first worker stands still for longer than its session while a second takes over, and goes on."""

    async def stand_still() -> None:
        ground.journey.signal(signal.SIGSTOP)
        await asyncio.sleep(20)
        ground.journey.signal(signal.SIGCONT)
        await asyncio.sleep(2)

    await _with_second(ground, stand_still)


async def kill_broker(ground: Ground) -> None:
    """Kill -9, and started after three seconds."""
    await asyncio.to_thread(ground.kafka.kill)
    await asyncio.sleep(3)
    await asyncio.to_thread(ground.kafka.start)


CRASHES: Mapping[str, Fault] = {f"crash at {point}": crash(point) for point in crashpoints.CRASHPOINTS}
FAULTS: Mapping[str, Fault] = {
    **CRASHES,
    "kill -9 of journey": kill_journey,
    "kill -9 of ingest": kill_ingest,
    "Postgres stopped at once": stop_postgres,
    "cut at COMMIT": cut_commits,
    "Postgres put back ten seconds": restore_postgres,
    "a worker comes and goes": rebalance,
    "a zombie": zombie,
    "kill -9 of the broker": kill_broker,
}


@dataclass
class Found:
    """What became of the events of a run."""

    events: int = 0
    identifiers: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    lost: int = 0
    doubled: int = 0
    dead: int = 0
    wrong: list[str] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    readied: list[tuple[str, float]] = field(default_factory=list)

    @property
    def slowest(self) -> tuple[str, float]:
        """After which fault it took longest to be ready and caught up, and how many seconds."""
        return max(self.readied, key=lambda each: each[1])

    @property
    def sound(self) -> bool:
        """Whether nothing at all is amiss."""
        return not (self.lost or self.doubled or self.dead or self.wrong or self.stale)

    def told(self, seed: int) -> str:
        """The figures."""
        return (
            f"{self.events} events, {self.faults.total()} faults of {len(self.faults)} kinds, seed {seed}:"
            f" lost {self.lost}, doubled {self.doubled}, dead-lettered {self.dead}; of {self.identifiers} identifiers"
            f" {len(self.wrong)} differ from the oracle, {len(self.stale)} stale on the topic {self.stale[:5]};"
            f" ready {self.slowest[1]:.1f} s after {self.slowest[0]} and sooner after all else; {dict(self.faults)}"
        )


async def endure(ground: Ground, faults: Sequence[str], events: int, seed: int) -> Found:
    """Sends drawn lives, a fifth of them twice, in any order, while the faults befall one after the other."""
    story = Lives(seed, ours=False).draw(events)
    load = _Load(ground, shuffled(story, seed), len(faults))
    sending = asyncio.create_task(load.run())
    found = Found(events=len(story), faults=Counter(faults))
    try:
        for number, name in enumerate(faults, 1):
            await FAULTS[name](ground)
            found.readied.append((name, await ground.ready()))
            load.done = number
        await sending
    finally:
        sending.cancel()
        await load.close()
    await ground.ready()
    await _look(ground, story, found)
    return found


class _Load:
    """Keeps pace with the faults: after so many of them so much of the story is sent."""

    def __init__(self, ground: Ground, told: Sequence[Touchpoint], faults: int) -> None:
        self.done = 0
        self._ground = ground
        self._told = told
        self._share = len(told) / (faults + 1)
        self._last = faults
        self._http = httpx.AsyncClient(trust_env=False, timeout=20)

    async def run(self) -> None:
        sent = 0
        while sent < len(self._told):
            behind = self.done >= self._last or sent < self._share * (self.done + 1)
            batch = self._told[sent : sent + (_BATCH if behind else 2)]
            await self._send(batch)
            sent += len(batch)
            await asyncio.sleep(0.02 if behind else 0.3)

    async def close(self) -> None:
        await self._http.aclose()

    async def _send(self, batch: Sequence[Touchpoint]) -> None:
        by_source: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for each in batch:
            by_source[each.source].append(_wire(each))
        for source, events in by_source.items():
            while not await self._acked(source, events):  # noqa: ASYNC110 - it asks
                await asyncio.sleep(0.3)

    async def _acked(self, source: str, events: Sequence[dict[str, Any]]) -> bool:
        url, key = self._ground.system.urls["ingest"], self._ground.keys[source]
        try:
            answer = await self._http.post(f"{url}/v1/batch", json={"batch": events}, auth=(key, ""))
        except httpx.TransportError:
            return False
        if answer.status_code in (429, 503):
            return False
        assert answer.status_code == 200, answer.text
        assert {each["status"] for each in answer.json()["results"]} <= {"accepted", "duplicate"}, answer.text
        return True


def _wire(told: Touchpoint) -> dict[str, Any]:
    """An event as an app sends it."""
    body: dict[str, Any] = json.loads(bytes(told.body))
    named = {
        "userId": told.user_id,
        "anonymousId": told.anonymous_id,
        "previousId": told.previous_id,
        "event": told.event,
        "groupId": told.group_id if told.type == "group" else None,
    }
    if told.group_id and told.type != "group":
        body["context"] = {"groupId": told.group_id}
    fixed = {"type": told.type, "messageId": told.message_id, "timestamp": told.occurred_at.isoformat()}
    return {**fixed, **{name: value for name, value in named.items() if value is not None}, **body}


async def _look(ground: Ground, story: Sequence[Touchpoint], found: Found) -> None:
    """Holds what is stored, told and published against what was acked."""
    connection = await asyncpg.connect(ground.system.database_url)
    rows = await connection.fetch(
        "select source, message_id, count(*) as n from journey.touchpoints where workspace = $1 group by 1, 2",
        ground.workspace,
    )
    stored = {(row["source"], row["message_id"]): row["n"] for row in rows}
    found.lost = len({(each.source, each.message_id) for each in story} - stored.keys())
    found.doubled = sum(stored.values()) - len(stored)
    found.dead = await connection.fetchval(
        "select count(*) from journey.dead_letters where workspace = $1", ground.workspace
    )
    found.stale = await stale_journeys(ground.system.brokers, connection, ground.workspace)
    await connection.close()
    wanted = expected(story, AS_OF)
    found.identifiers = len(wanted)
    database = Database(ground.system.database_url, "journey")
    reading = Folding(database, now=AS_OF, workspace=ground.workspace)
    told = in_plain_words(await reading.documents([Identifier(*name.split(":", 1)) for name in sorted(wanted)]))
    await database.stop()
    found.wrong = sorted(name for name in wanted if told[name] != wanted[name])


@asynccontextmanager
async def on_ground(libs: Path, module: str = "services.journey") -> AsyncIterator[Ground]:
    """ingest and a journey service, each its own process, on a Postgres and a Kafka of their own; a second worker not
    started."""
    folder = Path(tempfile.mkdtemp(prefix="jornada-ordeal-"))
    postgres, kafka = Fragile(folder), LocalKafka(folder / "kafka", libs=libs)
    try:
        await asyncio.to_thread(postgres.server.start)
        await asyncio.to_thread(kafka.start)
        async with (
            Commits(postgres.server.url()) as commits,
            services_on(
                commits.url, kafka.brokers, folder, ["ingest", "journey"], modules={"journey": module}
            ) as system,
        ):
            workspace, keys = await _sources(system)
            ports: dict[str, str] = {}
            take_ports(ports)
            port = ports["JORNADA_JOURNEY_PORT"]
            own = {"JORNADA_JOURNEY_PORT": port, "JORNADA_GROUP_INSTANCE_ID": ""}
            second = system.services["journey"].beside(folder / "second.log", **own)
            place = f"http://127.0.0.1:{port}"
            ground = Ground(system, workspace, keys, postgres, commits, kafka, second, place, folder / "points")
            try:
                yield ground
            finally:
                await second.stop()
    finally:
        await asyncio.to_thread(kafka.kill)
        await asyncio.to_thread(postgres.server.stop)
        shutil.rmtree(folder, ignore_errors=True)


def sequence(count: int, seed: int) -> list[str]:
    """So many faults, every kind once before any comes again."""
    random = Random(seed)
    drawn: list[str] = []
    while len(drawn) < count:
        drawn += random.sample(sorted(FAULTS), len(FAULTS))
    return drawn[:count]


async def _sources(system: Running) -> tuple[WorkspaceId, dict[str, str]]:
    database = Database(system.database_url, "access", max_connections=1)
    access = PostgresAccess(database)
    workspace = (await access.workspace("default")).id
    keys = {"app": system.write_key}
    for name, role in SOURCES.items():
        if name not in keys:
            await access.create_source(workspace, name, cast(SourceRole, role))
            keys[name] = (await access.create_key(workspace, name)).secret
    await database.stop()
    return workspace, keys


async def _with_second(ground: Ground, act: Callable[[], Awaitable[None]]) -> None:
    ground.second.start()
    async with httpx.AsyncClient(trust_env=False) as http:
        await ready({"journey": ground.second_url}, http, _PATIENCE)
    await asyncio.sleep(3)
    await act()
    await ground.second.stop()


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(_PATIENCE):
        while not holds():  # noqa: ASYNC110 - files and processes tell nobody
            await asyncio.sleep(0.05)
