"""A toy service that counts records by subject, and a scripted stream for it: enough to hold the worker to its laws."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from jornada.bus.carrier import (
    Assigned,
    BusUnavailable,
    Consumer,
    LogTruncated,
    Partition,
    Positions,
    Received,
    Record,
    Then,
    Tombstone,
)
from jornada.bus.offsets import NEXT_VERSION
from jornada.bus.publisher import Stored, Subject
from jornada.db import Connection
from jornada.db.schema import isolated, roles, worker_tables_v1
from jornada.events import SubjectId, WorkspaceId, derived_id, topic_key

AT = datetime(2026, 3, 2, 14, 5, tzinfo=UTC)
WORKSPACE = WorkspaceId(UUID("0198f3a2-7c11-7d2e-9c55-1f0a4b6d8e21"))
TOPIC = "toy"

SCHEMA = [
    "create schema toy",
    *roles("toy"),
    *worker_tables_v1("toy"),
    """create table toy.counts (workspace uuid, subject uuid, count int not null, version bigint not null,
       primary key (workspace, subject))""",
    "create table toy.seen (workspace uuid, id bigint, primary key (workspace, id))",
    *isolated("toy", "counts"),
    *isolated("toy", "seen"),
]


def subject(name: str) -> Subject:
    """The subject of that name."""
    return Subject(WORKSPACE, SubjectId(derived_id(name)))


def received(offset: int, name: str, *, partition: int = 0) -> Received:
    """A record that names a subject; `poison…` cannot be folded."""
    return Received(TOPIC, partition, offset, topic_key(WORKSPACE, name), name.encode(), (), AT)


class Counts:
    """Counts each record once (by offset) on its subject, and keeps the count as the snapshot."""

    def __init__(self) -> None:
        self.failing: dict[bytes, list[Exception]] = {}
        self.folded: list[bytes] = []

    async def fold(self, connection: Connection, records: Sequence[Received]) -> Collection[Subject]:
        named = []
        for record in records:
            value = record.value or b""
            for error in self.failing.get(value, [])[:1]:
                self.failing[value].pop(0)
                raise error
            if value.startswith(b"poison"):
                raise ValueError("poison")
            await self._count(connection, record)
            named.append(subject(value.decode()))
        self.folded += [record.value for record in records if record.value is not None]
        return named

    async def _count(self, connection: Connection, record: Received) -> None:
        new = await connection.fetchval(
            "insert into seen values ($1, $2) on conflict do nothing returning id", WORKSPACE, record.offset
        )
        if new is not None:
            await self.raise_count(connection, subject((record.value or b"").decode()))

    async def raise_count(self, connection: Connection, whom: Subject) -> int:
        version: int = await connection.fetchval(
            f"""insert into counts values ($1, $2, 1, {NEXT_VERSION})
                on conflict (workspace, subject) do update set count = counts.count + 1, version = {NEXT_VERSION}
                returning version""",
            *whom,
        )
        return version

    async def stored(self, connection: Connection, subjects: Sequence[Subject]) -> Sequence[Stored]:
        rows = await self._rows(connection, subjects)
        return [
            Stored(
                Subject(row["workspace"], row["subject"]),
                row["version"],
                Record(TOPIC, topic_key(WORKSPACE, row["subject"]), str(row["count"]).encode()),
            )
            for row in rows
        ]

    async def versions(self, connection: Connection, subjects: Sequence[Subject]) -> Mapping[Subject, int]:
        return {
            Subject(row["workspace"], row["subject"]): row["version"] for row in await self._rows(connection, subjects)
        }

    async def _rows(self, connection: Connection, subjects: Sequence[Subject]) -> Any:
        return await connection.fetch(
            "select * from counts where subject = any($1) order by subject", [each.id for each in subjects]
        )


class Script:
    """A stream whose one consumer is handed the batches given; it keeps what is published and committed.

    `meanwhile` is done before the poll of that number.
    """

    carrier = "script"

    def __init__(self, *batches: Sequence[Received], known: Assigned | None = None) -> None:
        self.batches = list(batches)
        self.published: list[Record] = []
        self.forgotten: list[Tombstone] = []
        self.commits: list[Mapping[Partition, int]] = []
        self.sought: list[tuple[Partition, int]] = []
        self.starts: Mapping[Partition, int] = {}
        self.known = known or Assigned(None, 0, 1_000_000)
        self.down = 0
        self.gaps = 0
        self.keep_commits = True
        self.meanwhile: dict[int, Callable[[], Awaitable[None]]] = {}
        self.polls = 0

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def publish(self, records: Sequence[Record], deadline: float = 8.5) -> None:
        if self.down:
            self.down -= 1
            raise BusUnavailable("scripted")
        self.published += records

    def submit(self, records: Sequence[Record], deadline: float, then: Then) -> bool:
        return False

    async def forget(self, tombstones: Sequence[Tombstone], deadline: float = 8.5) -> None:
        self.forgotten += tombstones

    def consumer(self, group: str, topics: Sequence[str], positions: Positions) -> Consumer:
        return _Scripted(self, positions)

    async def ends(self, topics: Sequence[str]) -> Mapping[Partition, int]:
        return {}

    async def committed(self, group: str, topics: Sequence[str]) -> Mapping[Partition, int]:
        return {}

    async def oldest(self, positions: Mapping[Partition, int]) -> datetime | None:
        return None


class _Scripted:
    def __init__(self, script: Script, positions: Positions) -> None:
        self._script = script
        self._positions = positions

    async def start(self) -> None:
        self._script.starts = await self._positions({Partition(TOPIC, 0): self._script.known})

    async def stop(self) -> None: ...

    async def poll(self, max_records: int, timeout: float) -> Sequence[Received]:
        if (act := self._script.meanwhile.get(self._script.polls)) is not None:
            await act()
        self._script.polls += 1
        if self._script.gaps:
            self._script.gaps -= 1
            raise LogTruncated("scripted")
        if not self._script.batches:
            raise Finished
        return self._script.batches.pop(0)

    async def commit(self, offsets: Mapping[Partition, int]) -> bool:
        self._script.commits.append(offsets)
        return self._script.keep_commits

    def seek(self, partition: Partition, offset: int) -> None:
        self._script.sought.append((partition, offset))

    def assignment(self) -> frozenset[Partition]:
        return frozenset({Partition(TOPIC, 0)})


class Finished(Exception):
    """The script is over."""
