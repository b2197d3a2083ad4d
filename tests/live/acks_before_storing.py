"""An ingest that answers before the stream did: what the checker must catch losing."""

import asyncio
from collections.abc import Sequence

from jornada.bus.carrier import Record
from jornada.bus.kafka import KafkaBus
from jornada.runtime.main import main
from services.ingest.app import build
from services.ingest.settings import Settings

_publish = KafkaBus.publish
_behind: set[asyncio.Task[None]] = set()


async def _publish_behind_the_back(bus: KafkaBus, records: Sequence[Record], deadline: float = 8.5) -> None:
    task = asyncio.create_task(_publish(bus, records, deadline))
    _behind.add(task)
    task.add_done_callback(_end)


def _end(task: asyncio.Task[None]) -> None:
    _behind.discard(task)
    task.exception()


KafkaBus.publish = _publish_behind_the_back  # type: ignore[assignment, method-assign]
main("ingest", Settings, build)
