"""Touchpoints' months: made before the first touchpoint of one comes, and dropped once nothing is left in them."""

from datetime import datetime, timedelta

from jornada.clock import Clock
from jornada.db import Database
from jornada.observe import logs
from jornada.runtime.rounds import every
from services.journey.store import months

_log = logs.get(__name__)

_EVERY_SECONDS = 3_600.0
_AHEAD = (timedelta(0), timedelta(days=31), timedelta(days=62))


class Months:
    """Keeps the months of touchpoints. A worker makes one for itself where none is, so it may be away for long."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def run(self) -> None:
        """Looks once an hour, for ever."""
        await every(_EVERY_SECONDS, self.work, _log, "months.waiting")

    async def work(self) -> list[datetime]:
        """Makes the next months and drops empty ones; returns those dropped. Raises Unavailable, Conflict."""
        now = self._clock.now()
        async with self._database.transaction() as connection:
            await months.cover(connection, [months.begin(now) + ahead for ahead in _AHEAD])
        async with self._database.transaction(role=f"jornada_{self._database.service}_clock") as connection:
            empty = await months.empty(connection, now)
        return [month for month in empty if await self._dropped(month)]

    async def _dropped(self, month: datetime) -> bool:
        async with self._database.transaction() as connection:
            return await months.drop(connection, month)
