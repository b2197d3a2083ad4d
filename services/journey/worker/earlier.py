"""E-mails that touchpoints stated before e-mails linked anybody: stated once more, piece by piece."""

import asyncio

from jornada.bus.carrier import BusUnavailable
from jornada.bus.publisher import Publisher
from jornada.clock import Clock
from jornada.db import Conflict, Database, Unavailable
from jornada.events import WorkspaceId
from jornada.observe import logs
from services.journey.store import earlier, in_force
from services.journey.worker.attribution import state_again
from services.journey.worker.fold import tell

_log = logs.get(__name__)

MOST = 500


class EarlierEmails:
    """Reads stored touchpoints on from where it stopped, and has customers judged anew. Keeps nothing between calls."""

    def __init__(self, database: Database, publisher: Publisher, clock: Clock) -> None:
        self._database = database
        self._publisher = publisher
        self._clock = clock

    async def run(self) -> None:
        """Goes on while there is anything left; looks once a minute, for ever."""
        while True:
            left = 0
            try:
                left = await self.work()
            except (BusUnavailable, Unavailable, Conflict) as error:
                _log.warning("earlier_emails.waiting", error=str(error))
            await asyncio.sleep(1 if left else 60)

    async def work(self) -> int:
        """Reads a piece of every workspace; returns of how many. Raises BusUnavailable, Unavailable, Conflict."""
        async with self._database.transaction(role=f"jornada_{self._database.service}_clock") as connection:
            waiting = await earlier.waiting(connection, self._clock.now())
        for workspace, by_device in waiting:
            await self._work(workspace, by_device)
        return len(waiting)

    async def _work(self, workspace: WorkspaceId, by_device: bool) -> None:
        async with self._database.transaction([workspace]) as connection:
            readings = await earlier.next_piece(connection, workspace, by_device, MOST)
            if not readings:
                return
            force = await in_force.held(connection, workspace)
            attribution = await state_again(connection, workspace, readings)
            changed = await tell(connection, workspace, force, attribution, self._clock.now())
            await self._publisher.mark(connection, changed)
        await self._publisher.publish(list(changed))
