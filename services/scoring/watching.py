"""Watches what sources send, and records it when what feeds a component comes from next to nobody any more."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from jornada.clock import Clock
from jornada.db import Conflict, Database, Unavailable
from jornada.events import WorkspaceId
from jornada.instants import instant, micros
from jornada.observe import logs, metrics
from services.scoring.domain.course import fed_by
from services.scoring.domain.watching import HOUR, WATCHED_HOURS, Name, Seen, Stream, Streams, seen
from services.scoring.sisters import NotLetIn, Volume
from services.scoring.store import freezes, subjects

_log = logs.get(__name__)

EVERY_SECONDS = 60.0
SETTLED = timedelta(seconds=60)
"""How long what has been received may take onto the stream: hours are judged that were over so long ago."""


class Volumes(Protocol):
    """What journey counts of what each source sends."""

    async def since(self, workspace: WorkspaceId, begin: datetime) -> Sequence[Volume]:
        """Of the hours that begin then or later. Raises Unavailable, NotLetIn."""


@dataclass
class _Counted:
    """What is known of one workspace: customers by stream and hour, and until when all of it."""

    until: datetime | None = None
    customers: dict[Name, dict[int, int]] = field(default_factory=dict)
    components: dict[Name, frozenset[str]] = field(default_factory=dict)
    last: dict[Name, int] = field(default_factory=dict)

    def add(self, volume: Volume) -> None:
        name = (volume.source, volume.kind)
        hour = micros(volume.hour) // HOUR
        self.customers.setdefault(name, {})[hour] = volume.customers
        self.components[name] = frozenset(fed_by(volume.kind, volume.measures))
        self.last[name] = max(self.last.get(name, 0), micros(volume.last_received_at))

    def streams(self, until: datetime) -> Streams:
        running = micros(until) // HOUR
        begin = running - WATCHED_HOURS
        for name, hours in list(self.customers.items()):
            self.customers[name] = {hour: number for hour, number in hours.items() if hour >= begin}
            if not self.customers[name]:
                del self.customers[name], self.components[name], self.last[name]
        by_name = {
            name: Stream(
                [hours.get(hour, 0) for hour in range(begin, running + 1)], self.components[name], self.last[name]
            )
            for name, hours in self.customers.items()
        }
        return Streams(begin, micros(until), by_name)


class Watching:
    """Looks at every workspace's volumes once a minute.

    Any number may look at once, and may be killed at any time: all that is recorded follows from the volumes. What
    journey has not folded yet is not known, so that an outage of ours looks like none of a tracker.
    """

    def __init__(
        self, database: Database, volumes: Volumes | None, journey_waits: Callable[[], Awaitable[float]], clock: Clock
    ) -> None:
        self._database = database
        self._volumes = volumes
        self._journey_waits = journey_waits
        self._clock = clock
        self._counted: dict[WorkspaceId, _Counted] = {}

    async def run(self) -> None:
        """Looks once a minute, for ever; without volumes nobody is made to wait for them."""
        if self._volumes is None:
            _log.warning("trackers.unwatched", error="JORNADA_INTERNAL_TOKEN_FILE is not set")
        while True:
            try:
                await (self.leave() if self._volumes is None else self._look_at(self._volumes))
            except NotLetIn as error:
                _log.error("trackers.unwatched", error=str(error))
                await self.leave()
            except (Unavailable, Conflict) as error:
                _log.warning("trackers.waiting", error=str(error))
            await asyncio.sleep(EVERY_SECONDS)

    async def look(self, only: WorkspaceId | None = None) -> None:
        """Looks once, at every workspace or at one. Raises Unavailable, Conflict, NotLetIn."""
        if self._volumes is not None:
            await self._look_at(self._volumes, only)

    async def _look_at(self, volumes: Volumes, only: WorkspaceId | None = None) -> None:
        known_until = self._clock.now() - timedelta(seconds=await self._journey_waits()) - SETTLED
        async with self._database.transaction(role=f"jornada_{self._database.service}_clock") as connection:
            workspaces = await subjects.workspaces(connection)
        for workspace in workspaces if only is None else [only]:
            await self._look(workspace, volumes, known_until)
        async with self._database.transaction(role=f"jornada_{self._database.service}_clock") as connection:
            metrics.FREEZES.set(await freezes.count_standing(connection))

    async def leave(self) -> None:
        """Has nobody wait for volumes any more, where they cannot be read. Raises Unavailable, Conflict."""
        async with self._database.transaction(role=f"jornada_{self._database.service}_clock") as connection:
            workspaces = await freezes.watched_workspaces(connection)
        for workspace in workspaces:
            async with self._database.transaction([workspace]) as connection:
                await freezes.unwatch(connection, workspace)

    async def _look(self, workspace: WorkspaceId, volumes: Volumes, until: datetime) -> None:
        counted = self._counted.setdefault(workspace, _Counted())
        if counted.until is None or until - counted.until > timedelta(hours=WATCHED_HOURS):
            begin = until - timedelta(hours=WATCHED_HOURS)
        else:
            begin = counted.until - timedelta(hours=1)
        for volume in await volumes.since(workspace, begin.replace(minute=0, second=0, microsecond=0)):
            counted.add(volume)
        counted.until = until if counted.until is None else max(counted.until, until)
        await self._keep(workspace, counted.streams(counted.until))

    async def _keep(self, workspace: WorkspaceId, streams: Streams) -> None:
        now = self._clock.now()
        async with self._database.transaction([workspace]) as connection:
            standing = await freezes.standing(connection, workspace)
            every = (await freezes.of(connection, [workspace])).get(workspace, ())
            found = seen(streams, standing, [each for each in every if each.ended is not None])
            begun = [each for each in found.begun if await freezes.begin(connection, workspace, each, now)]
            ended = [each for each in found.ended if await freezes.end(connection, workspace, each, now)]
            for each in standing:
                name = (each.freeze.source, each.freeze.kind)
                if name in streams.by_name:
                    await freezes.seen(connection, workspace, name, instant(streams.by_name[name].last))
            withheld_from = None if found.withheld_from is None else instant(found.withheld_from)
            await freezes.watch(connection, workspace, instant(streams.until), withheld_from)
        _tell(workspace, Seen(begun, ended, found.withheld_from))


def _tell(workspace: WorkspaceId, found: Seen) -> None:
    for each in found.begun:
        freeze = each.freeze
        _log.error(
            "tracker.silent",
            workspace=str(workspace),
            source=freeze.source,
            kind=freeze.kind,
            since=instant(freeze.began).isoformat(),
            customers_an_hour=each.customers,
            frozen=sorted(freeze.components),
        )
    for over in found.ended:
        _log.info(
            "tracker.back" if over.repaired else "tracker.given_up",
            workspace=str(workspace),
            source=over.freeze.source,
            kind=over.freeze.kind,
            until=instant(over.at).isoformat(),
        )
