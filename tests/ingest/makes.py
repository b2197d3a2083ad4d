"""Makes what the tests of ingest need, with overrides by keyword."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx

from jornada.access.grants import Principal, WriteGrant
from jornada.access.keyring import Keyring
from jornada.access.secrets import digest
from jornada.bus.carrier import BusUnavailable, Consumer, Partition, Positions, Record, Then, Tombstone
from jornada.clock import SetClock
from jornada.db import Connection, Database, Unavailable
from jornada.events import TOUCHPOINTS, Touchpoint, WorkspaceId, decode
from jornada.instants import micros
from services.ingest.api.collect import Collect
from services.ingest.api.front import Front
from services.ingest.domain.express import RECENT, Sent
from services.ingest.domain.reading import read_batch
from services.ingest.domain.validation import Arrival, judge
from services.ingest.domain.verdicts import Accept, Reject, Result, Verdict
from services.ingest.intake import Intake
from services.ingest.limits import Limits
from services.ingest.live import Live
from services.ingest.memory import Halves, RecentIds

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
WORKSPACE = WorkspaceId(UUID(int=7))
KEY = "wk_test"
GRANT = WriteGrant(WORKSPACE, "app", "product", UUID(int=8))


class HeldBus:
    """A bus in memory. `away` makes publishing fail; `gate`, where set, is awaited first.

    One that `is_full` takes nothing at once.
    """

    carrier = "held"

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.away = self.is_full = False
        self.attempts = 0
        self.gate: Any = None

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def publish(self, records: Sequence[Record], deadline: float = 8.5) -> None:
        self.attempts += 1
        if self.gate is not None:
            try:
                await asyncio.wait_for(self.gate.wait(), deadline)
            except TimeoutError:
                raise BusUnavailable("no acknowledgement within the deadline") from None
        if self.away:
            raise BusUnavailable("away")
        self.records += records

    def submit(self, records: Sequence[Record], deadline: float, then: Then) -> bool:
        if self.is_full:
            return False
        publishing = asyncio.create_task(self.publish(records, deadline))
        publishing.add_done_callback(lambda done: then(done.exception()))  # type: ignore[arg-type]
        return True

    async def forget(self, tombstones: Sequence[Tombstone], deadline: float = 8.5) -> None:
        raise NotImplementedError

    def consumer(self, group: str, topics: Sequence[str], positions: Positions) -> Consumer:
        raise NotImplementedError

    async def ends(self, topics: Sequence[str]) -> Mapping[Partition, int]:
        return {}

    async def committed(self, group: str, topics: Sequence[str]) -> Mapping[Partition, int]:
        return {}

    async def oldest(self, positions: Mapping[Partition, int]) -> datetime | None:
        return None

    def touchpoints(self) -> list[Touchpoint]:
        return [decode(each.value, Touchpoint) for each in self.records if each.topic == TOUCHPOINTS.name]


class Breakable(Database):
    """A database that can go away, for the service and its worker alike."""

    away = False

    @asynccontextmanager
    async def transaction(
        self, workspaces: Iterable[UUID] = (), *, role: str | None = None
    ) -> AsyncIterator[Connection]:
        if self.away:
            raise Unavailable("Postgres: away")
        async with super().transaction(workspaces, role=role) as connection:
            yield connection


class Keys:
    """Look-ups of one write key, which may be `revoked`; `away` is a Postgres that cannot be reached."""

    def __init__(self) -> None:
        self.away = self.revoked = False

    async def write_grant(self, sha256: bytes) -> WriteGrant | None:
        if self.away:
            raise Unavailable("away")
        return GRANT if sha256 == digest(KEY) and not self.revoked else None

    async def principal(self, sha256: bytes) -> Principal | None:
        return None


class Ingest:
    """The hot routes on a bus in memory."""

    def __init__(
        self,
        *,
        patience: float = 0.0,
        bytes_in_flight: int = 67_108_864,
        events_per_second: int = 1_000_000,
        key_events_per_second: int = 1_000_000,
        customer_events_per_second: int = 1_000,
    ) -> None:
        self.bus = HeldBus()
        self.keys = Keys()
        self.live = Live()
        self.clock = SetClock(NOW)
        self.limits = Limits(
            bytes_in_flight=bytes_in_flight,
            events_per_second=events_per_second,
            key_events_per_second=key_events_per_second,
            customer_events_per_second=customer_events_per_second,
            monotonic=self.clock.monotonic,
        )
        self.intake = Intake(
            self.bus,
            RecentIds(1_000, RECENT or Halves),
            self.live,
            self.limits.customers,
            self.clock,
            patience=patience,
        )
        self.collect = Collect(self.intake, Keyring(self.keys), self.limits)
        self.app = Front(_nothing, self.collect)

    async def take(self, request: Sent, grant: WriteGrant) -> Iterable[Result]:
        """Results, once there are any. Raises BusUnavailable."""
        told: asyncio.Future[Iterable[Result]] = asyncio.get_running_loop().create_future()

        def then(results: Iterable[Result] | Exception) -> None:
            if isinstance(results, Exception):
                told.set_exception(results)
            else:
                told.set_result(results)

        waiting = self.intake.take(request, grant, then)
        if waiting is not None:
            await waiting
        return await told

    async def post(self, path: str, body: bytes, headers: dict[str, str] | None = None) -> httpx.Response:
        """The answer to a body sent with the right key."""
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://ingest") as client:
            return await client.post(path, content=body, headers={"x-write-key": KEY, **(headers or {})})


async def _nothing(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 404, "headers": []})
    await send({"type": "http.response.body", "body": b"{}"})


def event(**fields: Any) -> dict[str, Any]:
    """A good track call; a field given as `...` is left out."""
    whole: dict[str, Any] = {"type": "track", "event": "Report Exported", "userId": "42", "messageId": "m-1"}
    return {name: value for name, value in {**whole, **fields}.items() if value is not ...}


def batch(*events: Any, **top: Any) -> bytes:
    """A batch's body."""
    return json.dumps({"batch": events, **top}).encode()


def judged(*events: Any, role: Any = "product", **top: Any) -> list[Verdict]:
    """The verdicts on a batch of events that arrived at NOW."""
    return judge(read_batch(batch(*events, **top)), Arrival(WORKSPACE, "app", role, micros(NOW), lambda: "r"))


def accepted(*events: Any, role: Any = "product", **top: Any) -> Touchpoint:
    """The touchpoint of the first event, which must be accepted."""
    verdict = judged(*events, role=role, **top)[0]
    assert isinstance(verdict, Accept), verdict
    return verdict.touchpoint


def refusal(each: Any, **top: Any) -> str:
    """The code with which one event is refused; `accepted` where it is not."""
    verdict = judged(each, **top)[0]
    return verdict.rejection.code if isinstance(verdict, Reject) else "accepted"
