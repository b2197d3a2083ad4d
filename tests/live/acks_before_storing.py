"""An ingest that answers before the stream did: what the checker must catch losing."""

import asyncio
from collections.abc import Sequence

from jornada.bus.carrier import Record, Then
from jornada.bus.kafka import KafkaBus
from jornada.runtime.main import main
from services.ingest.app import build
from services.ingest.settings import Settings

_publish, _submit = KafkaBus.publish, KafkaBus.submit
_behind: set[asyncio.Task[None]] = set()


async def _publish_behind_the_back(bus: KafkaBus, records: Sequence[Record], deadline: float = 8.5) -> None:
    task = asyncio.create_task(_publish(bus, records, deadline))
    _behind.add(task)
    task.add_done_callback(_end)


def _end(task: asyncio.Task[None]) -> None:
    _behind.discard(task)
    task.exception()


def _submit_behind_the_back(bus: KafkaBus, records: Sequence[Record], deadline: float, then: Then) -> bool:
    submitted = _submit(bus, records, deadline, lambda _: None)
    if submitted:
        asyncio.get_running_loop().call_soon(then, None)
    return submitted


KafkaBus.submit = _submit_behind_the_back  # type: ignore[assignment, method-assign]
KafkaBus.publish = _publish_behind_the_back  # type: ignore[assignment, method-assign]
main("ingest", Settings, build)
