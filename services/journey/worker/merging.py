"""Operators' merges and undos: facts like any other, told at once."""

from collections.abc import Awaitable, Callable, Collection
from typing import TypeVar
from uuid import UUID

from jornada.bus.publisher import Publisher, Subject
from jornada.clock import Clock
from jornada.db import Conflict, Connection, Database
from jornada.events import SubjectId, WorkspaceId, new_id
from services.journey.domain.identity import Named
from services.journey.store import facts, identifiers, in_force, merges
from services.journey.store.merges import Said
from services.journey.worker.attribution import regroup
from services.journey.worker.fold import tell

_ATTEMPTS = 5

_T = TypeVar("_T")


class Merger:
    """Links customers because somebody said so, and cancels such links. Keeps nothing between calls."""

    def __init__(self, database: Database, publisher: Publisher, clock: Clock) -> None:
        self._database = database
        self._publisher = publisher
        self._clock = clock

    async def merge(self, workspace: WorkspaceId, customer: SubjectId, into: SubjectId, by: UUID) -> Said | None:
        """Has two customers be one from the start; None where they are. Raises Unavailable, BusUnavailable, Conflict.

        What is said is said of a user id of each, where it has one: a device may turn out to be somebody else's, too.
        """
        id_ = new_id()

        async def act(connection: Connection) -> tuple[Said | None, set[Subject]]:
            force = await in_force.held(connection, workspace)
            ends = await _ends(connection, workspace, [customer, into])
            if ends is None:
                return None, set()
            said = Said(str(id_), *ends, self._clock.now(), by)
            await merges.add(connection, workspace, id_, said)
            attribution = await regroup(connection, workspace, ends)
            changed = await tell(connection, workspace, force, attribution, self._clock.now())
            await self._publisher.mark(connection, changed)
            return said, set(changed)

        return await self._done(workspace, act)

    async def undo(self, workspace: WorkspaceId, said: Said, by: UUID) -> bool:
        """Cancels a merge or an alias; whether it stood. Raises Unavailable, BusUnavailable, Conflict."""

        async def act(connection: Connection) -> tuple[bool, set[Subject]]:
            force = await in_force.held(connection, workspace)
            if not await merges.undo(connection, workspace, said, self._clock.now(), by):
                return False, set()
            seeds = {said.from_, said.into}
            if said.is_alias:
                device = Named("anonymous_id", said.from_.value)
                await identifiers.locked(connection, workspace, {*seeds, device})
                await facts.date_pairs(connection, workspace, {(device.value, said.into.value)})
                seeds.add(device)
            attribution = await regroup(connection, workspace, seeds)
            changed = await tell(connection, workspace, force, attribution, self._clock.now())
            await self._publisher.mark(connection, changed)
            return True, set(changed)

        return await self._done(workspace, act)

    async def _done(
        self, workspace: WorkspaceId, act: Callable[[Connection], Awaitable[tuple[_T, set[Subject]]]]
    ) -> _T:
        """Acts in one transaction, again where it met another one, and publishes what changed."""
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                async with self._database.transaction([workspace]) as connection:
                    outcome, changed = await act(connection)
                break
            except Conflict:
                if attempt == _ATTEMPTS:
                    raise
        await self._publisher.publish(changed)
        return outcome


async def _ends(
    connection: Connection, workspace: WorkspaceId, customers: Collection[SubjectId]
) -> tuple[Named, Named] | None:
    """An identifier of each of two customers, locked; None where they are one."""
    found = await identifiers.locked_by_id(connection, workspace, customers)
    now = [found[customer].placement.customer or customer for customer in customers]
    if len(set(now)) == 1:
        return None
    found |= await identifiers.locked_by_id(connection, workspace, now)
    members = await identifiers.members(connection, workspace, now)
    ends = []
    for customer in now:
        users = sorted(each.value for _, each in members[SubjectId(customer)] if each.type == "user_id")
        ends.append(Named("user_id", users[0]) if users else found[SubjectId(customer)].node.named)
    return ends[0], ends[1]
