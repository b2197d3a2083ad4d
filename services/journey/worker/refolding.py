"""The queue of subjects to be folded again: accounts whose people changed, everybody after new rules or a new fold."""

import asyncio
from collections.abc import Collection
from datetime import datetime

from jornada.bus.carrier import BusUnavailable
from jornada.bus.publisher import Publisher, Subject
from jornada.clock import Clock
from jornada.db import Conflict, Connection, Database, Unavailable
from jornada.events import SubjectId, WorkspaceId
from jornada.observe import logs
from services.journey.domain import state
from services.journey.domain.segments import InForce, Walk, resumed
from services.journey.store import accounts, identifiers, in_force, subjects
from services.journey.store.subjects import Row, by_workspace
from services.journey.worker import journeys, owners, settling
from services.journey.worker.backfill import Backfill
from services.journey.worker.journeys import Changes, Journey
from services.journey.worker.settling import Held

_log = logs.get(__name__)

MOST = 500


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
            try:
                await self.work()
                await self._backfill.ask()
            except (BusUnavailable, Unavailable, Conflict) as error:
                _log.warning("refolds.waiting", error=str(error))
            await asyncio.sleep(1)

    async def work(self) -> int:
        """Folds whoever is in the queue now, once; returns how many. Raises BusUnavailable, Unavailable, Conflict."""
        async with self._database.transaction(role=f"jornada_{self._database.service}_clock") as connection:
            rows = await connection.fetch("select distinct workspace, subject from refolds")
        waiting = by_workspace([Subject(row["workspace"], row["subject"]) for row in rows])
        done = 0
        for workspace, ids in waiting.items():
            for start in range(0, len(ids), MOST):
                done += await self._work(workspace, ids[start : start + MOST])
        return done

    async def _work(self, workspace: WorkspaceId, ids: Collection[SubjectId]) -> int:
        async with self._database.transaction([workspace]) as connection:
            claimed = await accounts.claim(connection, workspace, ids)
            changed = await refold(connection, workspace, dict.fromkeys(claimed, self._clock.now()))
            if changed:
                await self._publisher.mark(connection, changed)
        await self._publisher.publish(list(changed))
        return len(claimed)


async def refold(
    connection: Connection, workspace: WorkspaceId, as_of: dict[SubjectId, datetime]
) -> dict[Subject, int]:
    """Folds subjects anew under the rules in force, each as of its instant; returns the new versions."""
    if not as_of:
        return {}
    force = await in_force.held(connection, workspace)
    named = await identifiers.by_id(connection, workspace, as_of.keys())
    groups = {
        SubjectId(id_): stored.node.named.value for id_, stored in named.items() if stored.node.named.type == "account"
    }
    await owners.give_to_people(connection, workspace, groups, force.vocabulary)
    rows = await subjects.locked(connection, workspace, as_of.keys())
    held = await _customers(connection, workspace, rows, as_of, force)
    for account in sorted(groups):
        # A new account has no row to lock yet: the identifier stands for it.
        await identifiers.locked(connection, workspace, [named[account].node.named])
        made = await _account(connection, workspace, force, account, groups[account], as_of[account])
        held += [made] if made is not None else []
    return await settling.settle(connection, workspace, force, held)


async def _customers(
    connection: Connection,
    workspace: WorkspaceId,
    rows: dict[SubjectId, Row],
    as_of: dict[SubjectId, datetime],
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
    return [Held(id_, "customer", each.state, each.sessions, as_of[id_], walk=each.walk) for id_, each in told.items()]


async def _account(
    connection: Connection,
    workspace: WorkspaceId,
    force: InForce,
    account: SubjectId,
    name: str,
    as_of: datetime,
) -> Held | None:
    """An account as its people's shares make it; None while some are of an older fold or vocabulary.

    Without these it would be a smaller account. They are in the queue or will be, and once told ask for it again.
    """
    shares, old = await accounts.of(connection, workspace, account, force.vocabulary.version)
    if account in old:
        shares[account] = await journeys.own_share(connection, workspace, account, name, force.vocabulary)
        await accounts.save(connection, workspace, {(account, account): shares[account]}, force.vocabulary.version)
    if old - {account}:
        return None
    people = [share for customer, share in shares.items() if customer != account]
    whole = state.joined(shares[customer] for customer in sorted(shares))
    return Held(account, "account", state.known_from_start(whole), 0, as_of, people)
