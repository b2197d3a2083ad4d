"""Scoring in several processes under faults while thousands fall silent: who crossed, and when that was told."""

import asyncio
import os
import shutil
import signal
import tempfile
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import NamedTuple

import asyncpg
import httpx

from jornada.bus.carrier import BusUnavailable, Record
from jornada.bus.kafka import KafkaBus, KafkaConnection
from jornada.bus.local_kafka import LocalKafka
from jornada.clock import SystemClock
from jornada.events import (
    CROSSINGS,
    JOURNEYS,
    Crossing,
    JourneyEvent,
    SubjectId,
    WorkspaceId,
    decode,
    derived_id,
    encode,
    new_id,
    topic_key,
)
from tests.flows.system import take_ports
from tests.live.falling import Falling, drawn
from tests.live.fragile import Fragile
from tests.live.log import ends_of, records_of
from tests.live.processes import Running, Supervised, services_on

_PILOTS = 500
TOUCHED = 0.05
"""The share of those whom a next journey puts off, up to four seconds before they would fall."""

APPENDED_BEFORE = timedelta(milliseconds=50)
"""A touch appended so long before the instant holds; of one that is later nobody can say what was first."""

_REPLICAS = 3
_PATIENCE = 1_200.0


@dataclass
class Ground:
    """Replicas of scoring and a journey service, each a process, on a Postgres and a Kafka of their own."""

    system: Running
    replicas: dict[str, Supervised]
    postgres: Fragile
    kafka: LocalKafka
    workspaces: Sequence[WorkspaceId]
    random: Random
    http: httpx.AsyncClient
    running: list[str] = field(default_factory=list)

    async def scale(self, count: int) -> None:
        """Has so many replicas run."""
        for url in list(self.replicas)[count:]:
            if url in self.running:
                await self.replicas[url].stop()
        for url in list(self.replicas)[:count]:
            if url not in self.running:
                self.replicas[url].start()
        self.running = list(self.replicas)[:count]

    async def recovered(self) -> None:
        """Returns once every replica has been ready, and no timer overdue by two seconds, for five seconds: so long it
        may take until a record falls into a partition that nobody has."""
        looks = 0
        while looks < 10:
            looks = looks + 1 if await self._ready() and not await self._overdue() else 0
            await asyncio.sleep(0.5)

    async def caught_up(self) -> None:
        """Returns once scoring says that all is folded, fired and told."""
        async with asyncio.timeout(_PATIENCE):
            while not await self._says_caught_up():  # noqa: ASYNC110 - it is asked
                await asyncio.sleep(0.2)

    async def rows(self, query: str) -> list[asyncpg.Record]:
        """What is stored, as a superuser sees it."""
        connection = await asyncpg.connect(self.postgres.server.url(self.system.database_url.rpartition("/")[2]))
        try:
            rows: list[asyncpg.Record] = await connection.fetch(query)
            return rows
        finally:
            await connection.close()

    async def _ready(self) -> bool:
        try:
            answers = [await self.http.get(f"{url}/readyz") for url in self.running]
        except httpx.TransportError:
            return False
        return {each.status_code for each in answers} == {200}

    async def _says_caught_up(self) -> bool:
        try:
            answer = await self.http.get(f"{self.running[0]}/v1/lag")
        except httpx.TransportError:
            return False
        return answer.status_code == 200 and answer.json()["caught_up"] is True

    async def _overdue(self) -> bool:
        late = "select exists (select from scoring.timers where due_at < now() - interval '2 seconds') as late"
        return bool((await self.rows(late))[0]["late"])


class Fault(NamedTuple):
    """What befalls scoring, from a share of the whole time on."""

    name: str
    from_: float
    act: Callable[[Ground, float], Awaitable[None]]
    until: float = 0.0
    """Of what goes on: the share at which it ends."""


async def kill(ground: Ground, seconds: float) -> None:
    """Kill -9 of a random replica every few seconds; each is started again at once."""
    ends_at = SystemClock().monotonic() + seconds
    while SystemClock().monotonic() < ends_at:
        ground.replicas[ground.random.choice(ground.running)].signal(signal.SIGKILL)
        await asyncio.sleep(ground.random.uniform(3, 6))


async def to_three(ground: Ground, _: float) -> None:
    """Another replica comes."""
    await ground.scale(3)


async def to_one(ground: Ground, _: float) -> None:
    """All but one go."""
    await ground.scale(1)


async def to_two(ground: Ground, _: float) -> None:
    """One comes back."""
    await ground.scale(2)


async def stop_postgres(ground: Ground, _: float) -> None:
    """Stopped as by a crash, and started after two seconds."""
    await asyncio.to_thread(ground.postgres.crash)
    await asyncio.sleep(2)
    await asyncio.to_thread(ground.postgres.server.start)


async def freeze_kafka(ground: Ground, _: float) -> None:
    """The broker answers nothing for three seconds."""
    ground.kafka.freeze()
    await asyncio.sleep(3)
    ground.kafka.thaw()


ALL = (
    Fault("kill -9 of replicas", 0.06, kill, 0.20),
    Fault("2 → 3 replicas", 0.32, to_three),
    Fault("3 → 1 replicas", 0.42, to_one),
    Fault("1 → 2 replicas", 0.50, to_two),
    Fault("kill -9 of replicas again", 0.58, kill, 0.68),
    Fault("Postgres stopped for 2 s", 0.76, stop_postgres),
    Fault("Kafka frozen for 3 s", 0.86, freeze_kafka),
)
KILLS = (Fault("kill -9 of replicas", 0.0, kill, 0.9),)


@dataclass
class Found:
    """What became of those who fell silent. Identifiers are subjects' ids."""

    expected: int = 0
    put_off: int = 0
    undecided: int = 0
    unknown: int = 0
    """Who would have fallen before all were known, on a machine too busy."""

    known: float = 0.0
    """In how many seconds all were known."""

    kills: int = 0
    missed: list[object] = field(default_factory=list)
    untold: list[object] = field(default_factory=list)
    doubled: list[object] = field(default_factory=list)
    beyond: list[object] = field(default_factory=list)
    told_again: int = 0
    left: int = 0
    late: list[float] = field(default_factory=list)
    late_in_calm: list[float] = field(default_factory=list)
    recoveries: dict[str, float] = field(default_factory=dict)
    load: float = 0.0

    @property
    def sound(self) -> bool:
        """Whether nothing at all is amiss."""
        return not (self.missed or self.untold or self.doubled or self.beyond or self.left)

    def told(self, seed: int) -> str:
        """The figures."""
        recoveries = ", ".join(f"{name} {seconds:.1f}" for name, seconds in self.recoveries.items())
        return (
            f"{self.expected} subjects fell silent, {self.put_off} were put off in time ({self.undecided} undecided,"
            f" {self.unknown} known too late), all known in {self.known:.0f} s, {self.kills} kills, seed {seed}:"
            f" missed {len(self.missed)}, untold {len(self.untold)},"
            f" doubled {len(self.doubled)}, beyond {len(self.beyond)}, left {self.left};"
            f" records told again under their id {self.told_again};"
            f" seconds late: all {_quantiles(self.late)}; with no fault under way {_quantiles(self.late_in_calm)};"
            f" seconds until recovered, five of them to be sure: {recoveries};"
            f" load of the machine at most {self.load:.1f}"
        )


def _quantiles(late: Sequence[float]) -> str:
    ordered = sorted(late) or [float("nan")]
    p50, p99 = (ordered[int(len(ordered) * share)] for share in (0.5, 0.99))
    return f"p50 {p50:.2f}, p99 {p99:.2f}, at most {ordered[-1]:.2f} of {len(late)}"


async def endure(ground: Ground, faults: Sequence[Fault], count: int, seed: int, touched: float = TOUCHED) -> Found:
    """Has so many subjects fall silent at instants spread over some time, in which faults befall scoring.

    `touched`: the share of those who are put off.
    """
    bus = KafkaBus(KafkaConnection(brokers=ground.system.brokers), client_id="falling")
    found = Found()
    try:
        each_takes = await _each_takes(ground, bus)
        within = max(timedelta(seconds=30), 2 * count * each_takes)
        ahead = timedelta(seconds=10) + 2 * count * each_takes
        falling = drawn(ground.workspaces, count, SystemClock().now() + ahead, within, seed)
        begin = min(each.at for each in falling)
        found.known = await _known(ground, bus, falling)
        known_at = SystemClock().now()
        loaded = await ends_of(ground.system.brokers, JOURNEYS.name)
        touching = asyncio.create_task(_touch(bus, falling, touched, ground.random))
        faulty = await _befall(ground, faults, begin, within, found)
        await touching
    finally:
        await bus.stop()
    await asyncio.sleep(max(0.0, (begin + within - SystemClock().now()).total_seconds()) + 1)
    await ground.caught_up()
    await ground.caught_up()
    put_off = await _put_off(ground.system.brokers, loaded)
    await _look(ground, falling, known_at, put_off, faulty, found)
    return found


async def _each_takes(ground: Ground, bus: KafkaBus) -> timedelta:
    """How long this machine takes until one more subject is known, once all is warm."""
    later = SystemClock().now() + timedelta(days=9)
    for seed in range(2):
        took = await _known(ground, bus, drawn([WorkspaceId(new_id())], _PILOTS, later, timedelta(days=1), seed))
    return timedelta(seconds=took / _PILOTS)


async def _known(ground: Ground, bus: KafkaBus, falling: Sequence[Falling]) -> float:
    """Tells their journeys, and returns once all are scored; the seconds that took."""
    began = SystemClock().monotonic()
    for start in range(0, len(falling), 2_000):
        await bus.publish([_record(each) for each in falling[start : start + 2_000]])
    await ground.caught_up()
    return SystemClock().monotonic() - began


async def _befall(
    ground: Ground, faults: Sequence[Fault], begin: datetime, within: timedelta, found: Found
) -> list[tuple[datetime, datetime]]:
    """Lets the faults come in their turn; from when to when each was under way, recovery included."""
    clock, spans = SystemClock(), []
    starts = [begin + fault.from_ * within for fault in faults]
    for fault, starts_at, next_at in zip(faults, starts, [*starts[1:], begin + within], strict=True):
        await asyncio.sleep(max(0.0, (starts_at - clock.now()).total_seconds()))
        began = clock.now()
        await fault.act(ground, (fault.until - fault.from_) * within.total_seconds())
        healed = clock.now()
        with suppress(TimeoutError):
            # The next one waits for nobody.
            async with asyncio.timeout(max(0.0, (next_at - healed).total_seconds())):
                await ground.recovered()
        spans.append((began, clock.now()))
        found.recoveries[fault.name] = (clock.now() - healed).total_seconds()
        found.load = max(found.load, os.getloadavg()[0])
    found.kills = sum(each.deaths.total() for each in ground.replicas.values())
    return spans


async def _touch(bus: KafkaBus, falling: Sequence[Falling], share: float, random: Random) -> None:
    """Tells the next journey of some, shortly before they fall."""
    some = [each for each in falling if random.random() < share]
    waiting = sorted((each.at - timedelta(seconds=random.uniform(0.3, 4)), each) for each in some)
    while waiting:
        now = SystemClock().now()
        due = [each for at, each in waiting if at <= now]
        while due:
            try:
                await bus.publish([_record(each, touched=True) for each in due])
                break
            except BusUnavailable:
                await asyncio.sleep(0.1)
        waiting = waiting[len(due) :]
        await asyncio.sleep(0.1)


async def _put_off(brokers: str, since: object) -> dict[tuple[WorkspaceId, SubjectId], datetime]:
    """When the next journey of each was first appended, by the broker."""
    found: dict[tuple[WorkspaceId, SubjectId], datetime] = {}
    for record in await records_of(brokers, JOURNEYS.name, since):  # type: ignore[arg-type]
        if record.value is not None:
            event: JourneyEvent = decode(record.value, JourneyEvent)
            found.setdefault((event.workspace, event.subject_id), record.appended_at)
    return found


class _Told(NamedTuple):
    """A crossing as it is kept, or told."""

    score: str
    from_: str
    to: str
    at: datetime
    id: object


async def _look(
    ground: Ground,
    falling: Sequence[Falling],
    known_at: datetime,
    put_off: dict[tuple[WorkspaceId, SubjectId], datetime],
    faulty: Sequence[tuple[datetime, datetime]],
    found: Found,
) -> None:
    """Holds what is kept and what was told against who had to cross."""
    kept = defaultdict(list)
    for row in await ground.rows("select * from scoring.crossings"):
        told = _Told(row["score"], row["from_band"], row["to_band"], row["at"], row["id"])
        kept[row["workspace"], row["subject"]].append(told)
    said, first, copies = await _said(ground.system.brokers)
    for each in falling:
        whom = each.workspace, each.id
        right = _crossing(each)
        mine, theirs = kept.pop(whom, []), said.pop(whom, [])
        appended = put_off.get(whom)
        if each.at < known_at:
            found.unknown += 1
        elif appended is not None and each.at < appended + APPENDED_BEFORE:
            found.undecided += 1
            found.beyond += [whom] if mine not in ([], [right]) or theirs not in ([], [right]) else []
        elif appended is not None:
            found.put_off += 1
            found.beyond += [whom] if mine or theirs else []
        else:
            found.expected += 1
            found.missed += [whom] if right not in mine else []
            found.untold += [whom] if right not in theirs else []
            found.doubled += [whom] if len(mine) > 1 or len(theirs) > 1 else []
            found.beyond += [whom] if {*mine, *theirs} - {right} else []
            if right in theirs:
                late = (first[right.id] - each.at).total_seconds()
                found.late.append(late)
                if not any(began <= each.at <= ended for began, ended in faulty):
                    found.late_in_calm.append(late)
    found.beyond += [*kept, *said]
    found.told_again = copies
    found.left = await _left(ground)


def _crossing(each: Falling) -> _Told:
    from_, to = each.shape.from_, each.shape.to
    return _Told("health", from_, to, each.at, derived_id(each.workspace, each.id, "health", from_, to, 1))


async def _said(
    brokers: str,
) -> tuple[dict[tuple[WorkspaceId, SubjectId], list[_Told]], dict[object, datetime], int]:
    """What was told of each, once for each id; when each id was first appended; and how many records told one again."""
    said: dict[tuple[WorkspaceId, SubjectId], list[_Told]] = defaultdict(list)
    first: dict[object, datetime] = {}
    copies = 0
    for record in await records_of(brokers, CROSSINGS.name):
        assert record.value is not None
        told: Crossing = decode(record.value, Crossing)
        copies += told.id in first
        if told.id not in first:
            said[told.workspace, told.subject_id].append(_Told(told.score, told.from_, told.to, told.at, told.id))
        first[told.id] = min(first.get(told.id, record.appended_at), record.appended_at)
    return said, first, copies


async def _left(ground: Ground) -> int:
    """What is overdue, undelivered or dead."""
    tables = ("scoring.outbox", "scoring.unpublished", "scoring.dead_letters")
    counts = " + ".join(f"(select count(*) from {table})" for table in tables)
    overdue = "(select count(*) from scoring.timers where due_at < now())"
    return int((await ground.rows(f"select {counts} + {overdue} as left"))[0]["left"])


def _record(each: Falling, *, touched: bool = False) -> Record:
    return Record(JOURNEYS.name, topic_key(each.workspace, each.id), encode(each.journey(touched=touched)))


@asynccontextmanager
async def on_ground(libs: Path, seed: int, module: str = "services.scoring") -> AsyncIterator[Ground]:
    """Two replicas running and a third one not started, and journey's own service to say how far it is."""
    folder = Path(tempfile.mkdtemp(prefix="jornada-silences-"))
    postgres, kafka = Fragile(folder), LocalKafka(folder / "kafka", libs=libs)
    try:
        await asyncio.to_thread(postgres.server.start)
        await asyncio.to_thread(kafka.start)
        async with (
            services_on(
                postgres.server.url(), kafka.brokers, folder, ["journey", "scoring"], modules={"scoring": module}
            ) as system,
            httpx.AsyncClient(trust_env=False, timeout=5) as http,
        ):
            replicas = {system.urls["scoring"]: system.services["scoring"]} | dict(_others(system, folder))
            workspaces = [WorkspaceId(new_id()) for _ in range(4)]
            ground = Ground(system, replicas, postgres, kafka, workspaces, Random(seed), http, [system.urls["scoring"]])
            try:
                await ground.scale(2)
                await ground.caught_up()
                yield ground
            finally:
                await ground.scale(0)
    finally:
        await asyncio.to_thread(kafka.kill)
        await asyncio.to_thread(postgres.server.stop)
        shutil.rmtree(folder, ignore_errors=True)


def _others(system: Running, folder: Path) -> Iterator[tuple[str, Supervised]]:
    for number in range(1, _REPLICAS):
        ports: dict[str, str] = {}
        take_ports(ports)
        port = ports["JORNADA_SCORING_PORT"]
        own = {"JORNADA_SCORING_PORT": port, "JORNADA_GROUP_INSTANCE_ID": f"scoring-{number}"}
        yield f"http://127.0.0.1:{port}", system.services["scoring"].beside(folder / f"scoring-{number}.log", **own)
