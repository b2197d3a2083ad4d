"""After changes of people's bands: their accounts are to be scored again, each at most once a second."""

from itertools import groupby

from jornada.clock import Clock
from jornada.db import Database
from jornada.observe import logs
from jornada.runtime.rounds import every
from services.scoring.store import facts, people

_log = logs.get(__name__)


class Accounting:
    """Sets a timer for each account with changes that are not added up, due at the instant of the first.

    So whoever scores people touches nothing of their account, and the account waits, like all that silence changes,
    until everything before that instant is scored.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def run(self) -> None:
        """Looks once a second, for ever."""
        await every(1, self.ask, _log, "accounting.waiting")

    async def ask(self) -> int:
        """Sets timers, at most 2,000; returns how many. Raises Unavailable, Conflict."""
        async with self._database.transaction(role=f"jornada_{self._database.service}_clock") as connection:
            wanted = await people.unheard(connection)
        for workspace, timers in groupby(wanted, key=lambda each: each.workspace):
            async with self._database.transaction([workspace]) as connection:
                await facts.put_missing(connection, list(timers))
        return len(wanted)
