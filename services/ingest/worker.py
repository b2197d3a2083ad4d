"""Brings what was refused from the stream to rest, where its sender can see it."""

from collections.abc import Collection, Sequence

from jornada.bus.carrier import Bus, Received
from jornada.bus.publisher import Publisher, Subject
from jornada.bus.worker import Worker
from jornada.clock import Clock
from jornada.db import Connection, Database
from jornada.events import REJECTIONS, Rejection, decode
from services.ingest import store

GROUP = "ingest"
TOPICS = (REJECTIONS.name,)


async def fold(connection: Connection, records: Sequence[Received]) -> Collection[Subject]:
    """Stores the rejections of a batch; they name no subject."""
    await store.keep(connection, [decode(record.value, Rejection) for record in records])
    return ()


def worker(bus: Bus, database: Database, clock: Clock) -> Worker:
    """The worker, wired."""
    publisher = Publisher(database, bus)
    return Worker(GROUP, TOPICS, bus=bus, database=database, publisher=publisher, fold=fold, clock=clock)
