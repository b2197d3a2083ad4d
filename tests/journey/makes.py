"""Touchpoints for tests, and a journey that folds them as its worker does."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, cast

import msgspec

from jornada.bus import offsets
from jornada.bus.carrier import Bus, Received, Record, Tombstone
from jornada.bus.publisher import Publisher, Subject
from jornada.bus.timers import Ticker
from jornada.clock import SetClock
from jornada.db import Conflict, Database
from jornada.events import (
    JOURNEYS,
    TOUCHPOINTS,
    Identifier,
    JourneyEvent,
    JourneySnapshot,
    MessageId,
    SubjectId,
    Touchpoint,
    WorkspaceId,
    decode,
    encode,
    new_id,
    topic_key,
)
from jornada.pseudonyms import Pseudonyms
from jornada.web import Reference
from services.journey.api import documents
from services.journey.domain.identity import Refusal
from services.journey.store import identifiers, paths, portraits, refusals, subjects
from services.journey.store.snapshots import PostgresSnapshots
from services.journey.worker.erasing import Eraser
from services.journey.worker.fold import TouchpointFold
from services.journey.worker.merging import Merger
from services.journey.worker.refolding import Refolder
from services.journey.worker.silence import fire

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
SOMEWHERE = WorkspaceId(new_id())
PSEUDONYMS = Pseudonyms(b"a secret of tests that is long enough")


def at(days: float) -> datetime:
    """An instant so many days after the beginning."""
    return BEGIN + timedelta(days=days)


def day_of(days: float) -> int:
    """The UTC day, since 1970, so many days after the beginning."""
    return (at(days) - datetime(1970, 1, 1, tzinfo=UTC)).days


def touchpoint(message_id: str, days: float = 0, *, event: str | None = None, **given: Any) -> Touchpoint:
    """A touchpoint; what is no field of it becomes a part of its body (`properties`, `traits`, `context`)."""
    body = {name: given.pop(name) for name in ("properties", "traits", "context") if name in given}
    fields: dict[str, Any] = {
        "workspace": SOMEWHERE,
        "source": "app",
        "role": "product",
        "type": "track" if event is not None else "page",
        "received_at": at(days),
        "occurred_at": at(days),
        "body": msgspec.Raw(encode(body)),
        **given,
    }
    hashed = sha256(repr(sorted((name, str(value)) for name, value in fields.items() if name != "workspace")).encode())
    return Touchpoint(message_id=MessageId(message_id), event=event, payload_hash=hashed.hexdigest(), **fields)


def received(touchpoint: Touchpoint, offset: int = 0) -> Received:
    """A touchpoint as its record is read."""
    key = topic_key(touchpoint.workspace, touchpoint.user_id or touchpoint.anonymous_id or touchpoint.group_id)
    return Received(TOUCHPOINTS.name, 0, offset, key, encode(touchpoint), (), touchpoint.received_at)


class Topic:
    """The records published, in the order of their acknowledgement; `delays` are waited for, one a call, before it."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.forgotten: list[Tombstone] = []
        self.delays: list[float] = []

    async def publish(self, records: Sequence[Record], deadline: float = 8.5) -> None:
        await asyncio.sleep(self.delays.pop(0) if self.delays else 0)
        self.records += records

    async def forget(self, tombstones: Sequence[Tombstone], deadline: float = 8.5) -> None:
        self.forgotten += tombstones

    def last(self, subject: SubjectId) -> JourneyEvent:
        """The newest record of a subject's key."""
        mine = [
            record
            for record in self.records
            if record.topic == JOURNEYS.name and record.key.endswith(str(subject).encode())
        ]
        event: JourneyEvent = decode(mine[-1].value, JourneyEvent)
        return event


class Folding:
    """One workspace of a journey service, folded batch by batch."""

    def __init__(self, database: Database, now: datetime | None = None, workspace: WorkspaceId | None = None) -> None:
        self.database = database
        self.workspace = workspace or WorkspaceId(new_id())
        self.topic = Topic()
        self.clock = SetClock(now or at(365))
        self.publisher = Publisher(database, cast(Bus, self.topic), PostgresSnapshots())
        self.refolder = Refolder(database, self.publisher, self.clock)
        self.merger = Merger(database, self.publisher, self.clock)
        self.eraser = Eraser(database, self.publisher, PSEUDONYMS, self.clock)
        self._fold = TouchpointFold(self.publisher, PSEUDONYMS, self.clock)

    def ticker(self, folded_until: Callable[[], Awaitable[datetime]] | None = None) -> Ticker:
        """Fires the timers; everything is folded until now unless told otherwise."""

        async def now() -> datetime:
            return self.clock.now()

        return Ticker(
            database=self.database,
            publisher=self.publisher,
            clock=self.clock,
            hold=subjects.held,
            fire=fire,
            folded_until=folded_until or now,
        )

    async def fold(self, *batch: Touchpoint) -> set[Subject]:
        """Folds one batch and publishes what it changed."""
        subjects = await self.commit(*batch)
        await self.publisher.publish(subjects)
        await self.publisher.drain([self.workspace])
        return subjects

    async def commit(self, *batch: Touchpoint) -> set[Subject]:
        """Folds one batch, as a process does that dies before it has published; returns whom it would have."""
        records = [received(msgspec.structs.replace(each, workspace=self.workspace)) for each in batch]
        while True:
            try:
                async with self.database.transaction([self.workspace]) as connection:
                    subjects = set(await self._fold(connection, records))
                    await offsets.store(connection, "", {})
                return subjects
            except Conflict:
                await asyncio.sleep(0.01)

    async def id_of(self, type_: str, value: str) -> SubjectId | None:
        """Whom an identifier names."""
        async with self.database.transaction([self.workspace]) as connection:
            return await portraits.find(connection, self.workspace, Reference(None, type_, value))

    async def told(self, type_: str, value: str, as_of: datetime | None = None) -> JourneySnapshot | None:
        """The document's snapshot of whom an identifier names."""
        id_ = await self.id_of(type_, value)
        if id_ is None:
            return None
        tell = portraits.account if type_ == "account" else portraits.customer
        async with self.database.transaction([self.workspace]) as connection:
            return await tell(connection, self.workspace, id_, as_of or self.clock.now(), past=as_of is not None)

    async def refused(self) -> list[Refusal]:
        """The facts that link nothing."""
        async with self.database.transaction([self.workspace]) as connection:
            return await refusals.listed(connection, self.workspace, 1_000, None)

    async def everything(self, named: Sequence[Identifier]) -> dict[str, Any]:
        """All that must be equal whatever the order: every identifier's document and path, without what was drawn."""
        while await self.refolder.work():
            pass
        return await self.documents(named)

    async def documents(self, named: Sequence[Identifier]) -> dict[str, Any]:
        """Of every identifier its document, the account that this names, and its path: without what was drawn."""
        told = {f"{each.type}:{each.value}": await self._equal_part(each) for each in named}
        return {**told, "refusals": await self.refused()}

    async def _equal_part(self, named: Identifier) -> Any:
        try:
            snapshot = await self.told(named.type, named.value)
        except portraits.Ambiguous as error:
            return len(error.customers)
        if snapshot is None:
            return None
        document = documents.journey(snapshot)
        account = document.get("account_id")
        left = {name: value for name, value in document.items() if name not in {"customer_id", "account_id", "version"}}
        async with self.database.transaction([self.workspace]) as connection:
            path = await paths.page(connection, self.workspace, snapshot.subject_id, paths.Path(1_000))
            owner = (await identifiers.by_id(connection, self.workspace, [account] if account else [])).values()
        steps = [{**documents.touchpoint(*each), "received_at": None} for each in path.steps]
        belongs = next((each.node.named.value for each in owner), None)
        return msgspec.json.decode(msgspec.json.encode([left, belongs, steps], order="deterministic"))
