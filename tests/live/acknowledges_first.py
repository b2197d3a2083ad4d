"""A journey service whose worker acknowledges before it folds: what the crash test must catch."""

from collections.abc import Sequence

from jornada.bus import offsets
from jornada.bus.carrier import Consumer, Received
from jornada.bus.worker import Worker
from jornada.runtime.main import main
from services.journey.app import build
from services.journey.settings import Settings

_work = Worker._work


async def _acknowledge_first(worker: Worker, consumer: Consumer, records: Sequence[Received]) -> None:
    async with worker._database.transaction() as connection:
        await offsets.store(connection, worker._bus.carrier, offsets.following(records))
    await consumer.commit(offsets.following(records))
    await _work(worker, consumer, records)


Worker._work = _acknowledge_first  # type: ignore[assignment, method-assign]
main("journey", Settings, build)
