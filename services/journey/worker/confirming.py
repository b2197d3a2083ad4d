"""What the services say of erasures: each confirms; when all have, the topics may forget the erased."""

from collections.abc import Collection, Sequence

from jornada.bus.carrier import Received
from jornada.bus.erasures import confirmation, told
from jornada.bus.publisher import Publisher, Subject
from jornada.clock import Clock
from jornada.db import Connection
from jornada.events import ERASURES, ErasureAsked, ErasureConfirmed, ErasureDone, ErasureEvent, decode
from services.journey.store import erasures
from services.journey.store.erasures import Erasure
from services.journey.worker.erasing import Eraser

SERVICE = "journey"


class ErasureFold:
    """Folds what is said of erasures. Keeps nothing between calls."""

    def __init__(self, publisher: Publisher, eraser: Eraser, clock: Clock) -> None:
        self._publisher = publisher
        self._eraser = eraser
        self._clock = clock

    async def __call__(self, connection: Connection, records: Sequence[Received]) -> Collection[Subject]:
        """Applies records; returns the erased, whose ends are published again. Raises Undecodable."""
        named: set[Subject] = set()
        for record in records:
            event: ErasureEvent = decode(record.value, ErasureEvent)
            if isinstance(event, ErasureAsked):
                named |= await self._asked(connection, event)
            elif isinstance(event, ErasureConfirmed):
                await self._confirmed(connection, event)
            ids = await erasures.subjects_of(connection, event.workspace, [event.erasure])
            named |= {Subject(event.workspace, id_) for id_ in ids}
        return named

    async def _asked(self, connection: Connection, event: ErasureAsked) -> set[Subject]:
        """Confirms for ourselves. Where Postgres went back to before the erasure it is done again first."""
        again: set[Subject] = set()
        if await erasures.one(connection, event.workspace, event.erasure) is None:
            ids = [each.id for each in event.subjects]
            erasure = Erasure(event.erasure, ids[0], event.erased_at, event.block)
            again = await self._eraser.act(connection, event.workspace, ids, erasure)
            if not again:
                await erasures.end(connection, event.workspace, event.erasure, ids)
            await erasures.add(connection, event.workspace, erasure, event.names)
        confirmed = confirmation(event, SERVICE, self._clock.now())
        await self._publisher.hold(connection, event.workspace, [confirmed])
        return again

    async def _confirmed(self, connection: Connection, event: ErasureConfirmed) -> None:
        workspace, erasure = event.workspace, event.erasure
        await erasures.confirm(connection, workspace, erasure, event.service, event.at)
        missing = set(ERASURES.consumers) - (await erasures.confirmed(connection, workspace, erasure)).keys()
        if not missing and await erasures.finish(connection, workspace, erasure, self._clock.now()):
            ids = list(await erasures.subjects_of(connection, workspace, [erasure]))
            done = ErasureDone(workspace=workspace, erasure=erasure, subjects=ids)
            await self._publisher.hold(connection, workspace, [told(done, "done")])
