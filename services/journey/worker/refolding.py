"""The queue of subjects to be folded again: accounts whose people changed, everybody after new rules or a new fold."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from jornada.bus.carrier import BusUnavailable
from jornada.bus.publisher import Publisher, Subject
from jornada.clock import Clock
from jornada.db import Conflict, Connection, Database, Unavailable
from jornada.db.since import tell_since
from jornada.events import Follows, SubjectId, WorkspaceId
from jornada.observe import logs
from services.journey.domain.segments import InForce, Walk, resumed
from services.journey.store import accounts, identifiers, in_force, subjects
from services.journey.store.identifiers import Stored
from services.journey.store.subjects import Row, by_workspace
from services.journey.worker import bucketing, journeys, owners, settling
from services.journey.worker.backfill import Backfill
from services.journey.worker.bucketing import Allowance
from services.journey.worker.journeys import Changes, Journey
from services.journey.worker.settling import Held

_log = logs.get(__name__)

MOST = 500
MOST_AT_ONCE = 2_000
MOST_ACCOUNTS = 10


class Refolder:
    """Takes subjects from the queue, at most once a second each, and folds, marks and publishes them."""

    def __init__(self, database: Database, publisher: Publisher, clock: Clock) -> None:
        self._database = database
        self._publisher = publisher
        self._clock = clock
        self._backfill = Backfill(database, clock)

    async def run(self) -> None:
        """Looks once a second, for ever; when all are folded that waited, asks for more of an older fold."""
        while True:
            looked_at = self._clock.monotonic()
            try:
                if await self.work() < MOST_AT_ONCE:
                    await self._backfill.ask()
            except (BusUnavailable, Unavailable, Conflict) as error:
                _log.warning("refolds.waiting", error=str(error))
            await asyncio.sleep(max(0.0, looked_at + 1 - self._clock.monotonic()))

    async def work(self) -> int:
        """Folds some of those in the queue, once; returns how many. Raises BusUnavailable, Unavailable, Conflict.

        Whoever a touchpoint concerns comes first, for timers wait for them; then the others, as they were asked for.
        """
        async with self._database.transaction(role=f"jornada_{self._database.service}_clock") as connection:
            rows = await connection.fetch(
                "select workspace, subject from refolds order by since, sequence limit $1", MOST_AT_ONCE
            )
        waiting = by_workspace(list(dict.fromkeys(Subject(row["workspace"], row["subject"]) for row in rows)))
        done = 0
        for workspace, ids in waiting.items():
            for start in range(0, len(ids), MOST):
                for part in await self._parts(workspace, ids[start : start + MOST]):
                    done += await self._work(workspace, part)
        return done

    async def _parts(self, workspace: WorkspaceId, ids: Sequence[SubjectId]) -> list[list[SubjectId]]:
        """People apart from accounts, and of these few at a time: nobody waits long for a large one.

        People come first, and have by then what accounts held and is theirs.
        """
        async with self._database.transaction([workspace]) as connection:
            force = await in_force.held(connection, workspace)
            groups = _groups(await identifiers.by_id(connection, workspace, ids))
            await owners.give_to_people(connection, workspace, groups, force.vocabulary)
        people, all_ = [id_ for id_ in ids if id_ not in groups], [id_ for id_ in ids if id_ in groups]
        few = [all_[start : start + MOST_ACCOUNTS] for start in range(0, len(all_), MOST_ACCOUNTS)]
        return [people, *few] if people else few

    async def _work(self, workspace: WorkspaceId, ids: Sequence[SubjectId]) -> int:
        async with self._database.transaction([workspace]) as connection:
            claimed = await accounts.claim(connection, workspace, ids)
            await tell_since(connection, claimed.since)
            as_of = dict.fromkeys(claimed.subjects, self._clock.now())
            changed = await refold(connection, workspace, as_of, claimed.subjects)
            if changed:
                await self._publisher.mark(connection, changed)
        await self._publisher.publish(list(changed))
        return len(claimed.subjects)


async def refold(
    connection: Connection,
    workspace: WorkspaceId,
    as_of: dict[SubjectId, datetime],
    new_from: Mapping[SubjectId, datetime | None],
) -> dict[Subject, int]:
    """Folds subjects anew under the rules in force, each as of its instant; returns the new versions.

    `new_from` says from when on there is anything new in each; None where that is not known. An account of which there
    is more to do than is allowed at once asks again.
    """
    if not as_of:
        return {}
    force = await in_force.held(connection, workspace)
    named = await identifiers.by_id(connection, workspace, as_of.keys())
    groups = _groups(named)
    await owners.give_to_people(connection, workspace, groups, force.vocabulary)
    rows = await subjects.locked(connection, workspace, as_of.keys())
    held = await _customers(connection, workspace, rows, as_of, new_from, force)
    # A new account has no row to lock yet: the identifier stands for it.
    await identifiers.locked(connection, workspace, {named[account].node.named for account in groups})
    held += await _accounts(connection, workspace, force, groups, rows, as_of, new_from)
    return await settling.settle(connection, workspace, force, held)


def _follows(row: Row | None, new_from: datetime | None) -> Follows | None:
    if row is None or not row.version or new_from is None:
        return None
    return Follows(version=row.version, differs_from=new_from)


def _groups(named: Mapping[UUID, Stored]) -> dict[SubjectId, str]:
    """The accounts among subjects, each with its name."""
    return {SubjectId(id_): each.node.named.value for id_, each in named.items() if each.node.named.type == "account"}


async def _customers(
    connection: Connection,
    workspace: WorkspaceId,
    rows: dict[SubjectId, Row],
    as_of: dict[SubjectId, datetime],
    new_from: Mapping[SubjectId, datetime | None],
    force: InForce,
) -> list[Held]:
    people = {id_: row for id_, row in rows.items() if row.type == "customer" and row.merged_into is None}
    changes = Changes()
    walks = {id_: resumed(row.state, row.kept, force) for id_, row in people.items()}
    changes.refold = {
        row.id for row in people.values() if journeys.outdated(row, force.vocabulary) or walks[row.id] is None
    }
    journeys.check_folds(rows, changes, force.vocabulary)
    again = await journeys.after(connection, workspace, changes, rows, force) if changes.refold else {}
    told = {
        id_: again[id_] if id_ in again else Journey(row.state, row.sessions, walks[id_] or Walk())
        for id_, row in people.items()
    }
    follows = {id_: _follows(rows[id_], new_from.get(id_)) for id_ in told.keys() - again.keys()}
    return [
        Held(id_, "customer", each.state, each.sessions, as_of[id_], walk=each.walk, follows=follows.get(id_))
        for id_, each in told.items()
    ]


async def _accounts(
    connection: Connection,
    workspace: WorkspaceId,
    force: InForce,
    groups: Mapping[SubjectId, str],
    rows: Mapping[SubjectId, Row],
    as_of: Mapping[SubjectId, datetime],
    new_from: Mapping[SubjectId, datetime | None],
) -> list[Held]:
    held, unfinished, behind = [], set(), set()
    for account in sorted(groups):
        allowance, of = Allowance(), bucketing.bucketed(workspace, force, account)
        made = await bucketing.whole(connection, force, of, groups[account], allowance)
        if made is not None:
            follows = _follows(rows.get(account), new_from.get(account))
            held.append(Held(account, "account", made.state, 0, as_of[account], made.people, follows=follows))
            if made.is_behind:
                behind.add(account)
        elif allowance.is_spent:
            unfinished.add(account)
    if unfinished:
        await accounts.enqueue(connection, workspace, {account: new_from.get(account) for account in unfinished})
    for account in behind:
        # It is told as it was a moment ago: one whose people never rest would else hold timers back for ever.
        await accounts.enqueue(connection, workspace, {account: new_from.get(account)}, as_of[account])
    return held
