"""One person's touch told by their account, of few people and of many, beside the join of every share."""

import asyncio
import shutil
import statistics
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple, cast

import msgspec
from rich.console import Console

from bench.measuring import ratio
from bench.replay.sides import Nowhere
from jornada.bus.carrier import Bus, Received
from jornada.bus.publisher import Publisher
from jornada.clock import SystemClock
from jornada.db import Database
from jornada.db.local import LocalPostgres
from jornada.db.migrations import migrated
from jornada.events import TOUCHPOINTS, MessageId, SubjectId, Touchpoint, WorkspaceId, decode, encode, new_id, topic_key
from jornada.pseudonyms import Pseudonyms
from services.journey.domain import folding, state
from services.journey.domain.identity import Named
from services.journey.domain.reading import read
from services.journey.domain.state import State
from services.journey.store import accounts, identifiers
from services.journey.store.snapshots import PostgresSnapshots
from services.journey.worker.fold import TouchpointFold
from services.journey.worker.refolding import Refolder

FEW, MANY = 1_000, 30_000
EACH = 12
DRAWN = 1_000
"""So many people differ; the others do as one of them."""

TOUCHED = 100
_ACCOUNT = "acme"
_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
_EVENTS = ("Report Exported", "Signed In", "Dashboard Shared", "Search Run")


class Measured(NamedTuple):
    """CPU seconds of the process, and seconds, for each touch."""

    cpu: list[float]
    seconds: list[float]


class Ground:
    """One account of many people, of whom a hundred are touched."""

    def __init__(self, database: Database) -> None:
        publisher = Publisher(database, cast(Bus, Nowhere()), PostgresSnapshots())
        self._database, self._workspace = database, WorkspaceId(new_id())
        self._fold = TouchpointFold(publisher, Pseudonyms(b"bench"), SystemClock())
        self._refolder = Refolder(database, publisher, SystemClock())

    async def fill(self, people: int) -> float:
        """Stores the shares; returns the seconds until the account is told the first time."""
        await self.fold([_touch(number, 0, None) for number in range(TOUCHED)])
        shares = [_share(number) for number in range(DRAWN)]
        async with self._database.transaction([self._workspace]) as connection:
            named = Named("account", _ACCOUNT)
            known = await identifiers.read(connection, self._workspace, [named])
            account = SubjectId(known[named].node.id)
            for start in range(TOUCHED, people, DRAWN):
                some = shares[: people - start]
                await accounts.save(connection, self._workspace, {(account, _new()): each for each in some}, 0)
        began = time.monotonic()
        await self.told()
        return time.monotonic() - began

    async def fold(self, touchpoints: Sequence[Touchpoint]) -> None:
        """Folds them as the worker does."""
        key = topic_key(self._workspace, "")
        told = [msgspec.structs.replace(each, workspace=self._workspace) for each in touchpoints]
        records = [Received(TOUCHPOINTS.name, 0, 0, key, encode(each), (), each.received_at) for each in told]
        async with self._database.transaction([self._workspace]) as connection:
            await self._fold(connection, records)

    async def told(self) -> None:
        """Tells whoever waits."""
        while await self._refolder.work():
            pass


async def run(rounds: int, seconds: float) -> None:
    """Prints what a touch takes in both, and how that grows; a round is as long as it takes."""
    console, folder = Console(), Path(tempfile.mkdtemp(prefix="jornada-bench-"))
    postgres = LocalPostgres(folder)
    await asyncio.to_thread(postgres.start)
    try:
        await migrated(postgres.url())
        database = Database(postgres.url(), "journey", statement_timeout=300)
        few, many = [await _measured(console, database, people, rounds) for people in (FEW, MANY)]
        await database.stop()
    finally:
        await asyncio.to_thread(postgres.stop)
        shutil.rmtree(folder, ignore_errors=True)
    console.print(f"  growth from {FEW} to {MANY} people {ratio(few.cpu, many.cpu)}   (at most 3)")


async def _measured(console: Console, database: Database, people: int, rounds: int) -> Measured:
    ground = Ground(database)
    filled = await ground.fill(people)
    measured = Measured([], [])
    for number in range(1, rounds + 1):
        await ground.fold([_touch(number % TOUCHED, number)])
        cpu, began = time.process_time(), time.monotonic()
        await ground.told()
        measured.cpu.append(time.process_time() - cpu)
        measured.seconds.append(time.monotonic() - began)
    shares = [encode(_share(number)) for number in range(DRAWN)]
    cpu = time.process_time()
    state.joined(decode(shares[number % DRAWN], State) for number in range(people))
    plain = time.process_time() - cpu
    console.print(
        f"  {people} people: first told in {filled:.0f} s; one touch takes {statistics.median(measured.seconds):.3f} s,"
        f" {statistics.median(measured.cpu) * 1e3:.0f} ms of CPU; every share read and joined {plain * 1e3:.0f}"
    )
    return measured


def _new() -> SubjectId:
    return SubjectId(new_id())


def _share(number: int) -> State:
    """What a person's year adds to the account."""
    told = [_touch(number, step, _EVENTS[(number + step) % len(_EVENTS)]) for step in range(EACH)]
    return state.share(folding.fold(read(each) for each in told), _ACCOUNT)


def _touch(number: int, step: int, event: str | None = "Report Exported") -> Touchpoint:
    """An act of use; without an event that the person belongs to the account."""
    at = _BEGIN + timedelta(days=(number * 7 + step * 31) % 365, seconds=number)
    return Touchpoint(
        workspace=WorkspaceId(new_id()),
        source="app",
        role="product",
        message_id=MessageId(f"ajs-next-{number:010}-{step:010}"),
        type="group" if event is None else "track",
        event=event,
        user_id=f"user-{number}",
        group_id=_ACCOUNT if event is None else None,
        received_at=at,
        occurred_at=at,
        payload_hash=f"{number:016x}{step:016x}",
        body=msgspec.Raw(b"{}"),
    )
