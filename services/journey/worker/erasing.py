"""Erases customers: whatever was known of one goes in one transaction, and the other services are asked to follow."""

from collections.abc import Collection
from uuid import UUID

from jornada import crashpoints
from jornada.bus import dead_letters
from jornada.bus.erasures import told
from jornada.bus.publisher import Publisher, Subject
from jornada.clock import Clock
from jornada.db import Conflict, Connection, Database
from jornada.events import ErasedSubject, ErasureAsked, SubjectId, SubjectType, WorkspaceId, new_id
from jornada.pseudonyms import Pseudonyms
from services.journey.domain.identity import Named
from services.journey.store import accepted, accounts, erasures, identifiers, in_force, traces
from services.journey.store.erasures import Erasure
from services.journey.worker.attribution import regroup
from services.journey.worker.fold import tell
from services.journey.worker.settling import bury
from services.journey.worker.sifting import key_name

MARKED, REMOVED, COMMITTED, ENDED, ASKED = (
    f"erasure.{point}" for point in ("marked", "removed", "committed", "ended", "asked")
)
CRASHPOINTS = (MARKED, REMOVED, COMMITTED, ENDED, ASKED)

_ATTEMPTS = 5


class Eraser:
    """Erases customers and says so to the other services. Keeps nothing between calls."""

    def __init__(self, database: Database, publisher: Publisher, pseudonyms: Pseudonyms, clock: Clock) -> None:
        self._database = database
        self._publisher = publisher
        self._pseudonyms = pseudonyms
        self._clock = clock

    async def erase(self, workspace: WorkspaceId, customer: SubjectId, *, block: bool, by: UUID) -> Erasure | None:
        """Has a customer be no more, for every face of ours from now on; None where nobody is known by that id.

        Raises Kiosk, Unavailable, BusUnavailable, Conflict; asking again goes on where a crash left it.
        """
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                async with self._database.transaction([workspace]) as connection:
                    erasure = Erasure(new_id(), customer, self._clock.now(), block, by)
                    changed = await self.act(connection, workspace, [customer], erasure)
                    crashpoints.reached(REMOVED)
                break
            except Conflict:
                if attempt == _ATTEMPTS:
                    raise
        if not changed:
            return None
        crashpoints.reached(COMMITTED)
        await self._publisher.publish(changed)
        crashpoints.reached(ENDED)
        await self._publisher.drain([workspace])
        crashpoints.reached(ASKED)
        return erasure

    async def remind(self, workspace: WorkspaceId, erasure: Erasure, *, block: bool) -> None:
        """Asks the services once more; with `block` nobody begins anew. Raises Unavailable, BusUnavailable."""
        async with self._database.transaction([workspace]) as connection:
            await in_force.hold(connection, workspace)
            if block:
                await erasures.block(connection, workspace, erasure.id)
            await self._ask(connection, workspace, erasure._replace(block=erasure.block or block))
        await self._publisher.drain([workspace])

    async def act(
        self, connection: Connection, workspace: WorkspaceId, ids: Collection[SubjectId], erasure: Erasure
    ) -> set[Subject]:
        """Erases those who are known by any of the ids, within the transaction; returns whom to publish.

        Nobody folds meanwhile: what is in hand is erased with the rest, what comes later finds the names.
        """
        await in_force.hold(connection, workspace)
        person = await traces.person(connection, workspace, ids)
        if person is None:
            return set()
        gone = await traces.family(connection, workspace, ids, person.ids)
        others = await traces.forget_links(connection, workspace, person.named)
        orphans = await traces.unstated_emails(connection, workspace, others)
        mine, others = person.named | orphans, others - orphans
        names = {self._pseudonyms.of(workspace, *each) for each in mine}
        await erasures.add(connection, workspace, erasure, names)
        crashpoints.reached(MARKED)
        await self._forget(connection, workspace, mine, person.ids, gone)
        ends = await erasures.end(connection, workspace, erasure.id, gone)
        changed = {Subject(workspace, subject): version for subject, version in ends.items()}
        changed |= await self._regrouped(connection, workspace, others)
        changed |= await _pointed_anew(connection, workspace, gone)
        await self._publisher.mark(connection, changed)
        await self._ask(connection, workspace, erasure)
        return set(changed)

    async def _forget(
        self,
        connection: Connection,
        workspace: WorkspaceId,
        mine: Collection[Named],
        owners: Collection[UUID],
        gone: Collection[SubjectId],
    ) -> None:
        names = {self._pseudonyms.of(workspace, *each) for each in mine}
        keys = await traces.forget_touchpoints(connection, workspace, owners)
        keys += await traces.unname(connection, workspace, mine)
        await accepted.hide(connection, workspace, {key: key_name(self._pseudonyms, workspace, key) for key in keys})
        await traces.forget_places(connection, workspace, mine, owners)
        await traces.forget_identifiers(connection, workspace, mine)
        await traces.forget_derived(connection, workspace, gone)
        shrunk = await accounts.forget(connection, workspace, gone, ())
        if shrunk:
            await accounts.enqueue(connection, workspace, shrunk)

        def naming(_key: bytes, value: bytes) -> bool:
            return not names.isdisjoint(self._pseudonyms.within(workspace, value.decode("utf-8", "replace")))

        await dead_letters.erase(connection, workspace, naming)

    async def _regrouped(
        self, connection: Connection, workspace: WorkspaceId, others: Collection[Named]
    ) -> dict[Subject, int]:
        """Judges anew, without the erased, who they were linked with."""
        seeds = (await identifiers.read(connection, workspace, others)).keys()
        if not seeds:
            return {}
        attribution = await regroup(connection, workspace, seeds)
        force = await in_force.read(connection, workspace)
        return await tell(connection, workspace, force, attribution, self._clock.now())

    async def _ask(self, connection: Connection, workspace: WorkspaceId, erasure: Erasure) -> None:
        ends = await erasures.subjects_of(connection, workspace, [erasure.id])
        asked = ErasureAsked(
            workspace=workspace,
            erasure=erasure.id,
            subjects=[ErasedSubject(subject, version) for subject, version in ends.items()],
            names=await erasures.names_of(connection, workspace, erasure.id),
            erased_at=erasure.erased_at,
            block=erasure.block,
        )
        await self._publisher.hold(connection, workspace, [told(asked, "asked", erasure.block)])


async def _pointed_anew(
    connection: Connection, workspace: WorkspaceId, gone: Collection[SubjectId]
) -> dict[Subject, int]:
    """Has shared devices that were the erased one's, as their latest user, be the latest user's of who is left."""
    lost: dict[SubjectId, tuple[SubjectType, SubjectId]] = {}
    for subject, device in (await traces.strays(connection, workspace, gone)).items():
        survivor = await identifiers.latest_user(connection, workspace, device)
        if survivor is not None:
            lost[subject] = ("customer", survivor)
    return await bury(connection, workspace, lost)
