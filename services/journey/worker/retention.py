"""Touchpoints older than their workspace keeps them: removed a part at a time, and what they fed is folded again."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from jornada.bus.carrier import BusUnavailable
from jornada.bus.publisher import Publisher
from jornada.bus.worker import Outdated
from jornada.clock import Clock
from jornada.db import Conflict, Database, Unavailable
from jornada.events import Touchpoint, WorkspaceId
from jornada.observe import logs, metrics
from services.journey.domain.reading import read
from services.journey.domain.retention import horizon, may_go
from services.journey.store import in_force, retention, touchpoints
from services.journey.store.touchpoints import Place
from services.journey.worker.expiring import expire
from services.journey.worker.fold import tell

_log = logs.get(__name__)

MOST = 2_000
MOST_OWNERS = 200


_Stored = tuple[Place, Touchpoint]


class _Walk(NamedTuple):
    """A walk through what is older than an instant: how far it is, and whether it took anything."""

    before: datetime
    after: Place | None = None
    took: bool = False


class Expiry:
    """Walks through what each workspace keeps no longer, until a whole walk finds nothing.

    What it took is gone, and so is whatever it was a reason for: begun anew it finds what is left.
    """

    def __init__(self, database: Database, publisher: Publisher, clock: Clock) -> None:
        self._database = database
        self._publisher = publisher
        self._clock = clock
        self._walks: dict[WorkspaceId, _Walk] = {}

    async def run(self) -> None:
        """Goes on while there is anything left; looks once a minute, for ever."""
        while True:
            behind = 0
            try:
                behind = await self.work()
            except (Unavailable, Conflict) as error:
                _log.warning("retention.waiting", error=str(error))
            await asyncio.sleep(1 if behind else 60)

    async def work(self) -> int:
        """Takes a part from every workspace; returns of how many there may be more. Raises Unavailable, Conflict,
        Outdated.

        Where it cannot, it does the next time; a workspace where something is broken stops nobody else's.
        """
        async with self._database.transaction(role=f"jornada_{self._database.service}_clock") as connection:
            behind = await retention.behind(connection, self._clock.now())
        broken = 0
        for workspace in behind:
            try:
                await self._work(workspace)
            except (BusUnavailable, Unavailable, Conflict) as error:
                _log.warning("retention.waiting", error=str(error))
            except Outdated:
                raise
            except Exception:
                broken += 1
                _log.error("retention.failed", workspace=str(workspace), exc_info=True)
        return len(behind) - broken

    async def _work(self, workspace: WorkspaceId) -> None:
        async with self._database.transaction([workspace]) as connection:
            days = await retention.held(connection, workspace)
            if days is None:
                return
            now = self._clock.now()
            walk = self._walk(workspace, horizon(now, days))
            older = await touchpoints.older(connection, workspace, walk.before, walk.after, MOST)
            found = _of_few(older)
            is_over = len(found) < MOST and len(found) == len(older)
            force = await in_force.held(connection, workspace)
            going = [(place, read(told, force.vocabulary)) for place, told in found if may_go(told, walk.before, now)]
            gone = await expire(connection, workspace, going)
            changed = await tell(connection, workspace, force, gone.attribution, now)
            await self._publisher.mark(connection, changed)
            if is_over and not going and not walk.took:
                await retention.passed(connection, workspace, walk.before)
        on = _Walk(walk.before) if is_over else _Walk(walk.before, found[-1][0], walk.took or bool(going))
        self._walks[workspace] = on
        metrics.EXPIRED.labels("stored").inc(gone.touchpoints)
        await self._publisher.publish(list(changed))

    def _walk(self, workspace: WorkspaceId, before: datetime) -> _Walk:
        """The walk that goes on, or one from the beginning where another instant counts now."""
        walk = self._walks.get(workspace)
        return walk if walk is not None and walk.before == before else _Walk(before)


def _of_few(older: Sequence[_Stored]) -> Sequence[_Stored]:
    """The touchpoints of the first 200 owners: all that is left of theirs is folded at once."""
    owners = dict.fromkeys(place.owner for place, _ in older)
    few = set(list(owners)[:MOST_OWNERS])
    return [each for each in older if each[0].owner in few]
