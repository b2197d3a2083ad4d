"""One batch of touchpoints, folded: the five steps of its transaction up to the commit."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from jornada.bus.carrier import Received, Record
from jornada.bus.publisher import Publisher, Subject
from jornada.bus.worker import Refused
from jornada.clock import Clock
from jornada.db import Connection
from jornada.events import (
    REJECTIONS,
    Rejection,
    SubjectId,
    SubjectType,
    Touchpoint,
    Undecodable,
    WorkspaceId,
    decode,
    derived_id,
    encode,
    topic_key,
    workspace_of,
)
from jornada.observe import metrics
from jornada.pseudonyms import Pseudonyms
from services.journey.domain.identity import Sharing
from services.journey.domain.reading import Reading, read
from services.journey.domain.segments import InForce
from services.journey.domain.stating import names
from services.journey.domain.vocabulary import SHIPPED, Vocabulary
from services.journey.store import accepted, identifiers, in_force, months, retention, subjects, touchpoints
from services.journey.worker import journeys, settling
from services.journey.worker.attribution import Attribution, attribute
from services.journey.worker.counting import count
from services.journey.worker.journeys import Changes
from services.journey.worker.settling import Held
from services.journey.worker.sifting import erased_among, sifted

_LONGEST_PAYLOAD = 32_768


class TouchpointFold:
    """Folds touchpoints into journeys. Keeps nothing between calls."""

    def __init__(self, publisher: Publisher, pseudonyms: Pseudonyms, clock: Clock) -> None:
        self._publisher = publisher
        self._pseudonyms = pseudonyms
        self._clock = clock

    async def __call__(self, connection: Connection, records: Sequence[Received]) -> Collection[Subject]:
        """Applies records; returns the customers that they name. Raises Refused, Undecodable, Outdated, Conflict."""
        batches: dict[WorkspaceId, list[Touchpoint]] = defaultdict(list)
        for record in records:
            touchpoint = _touchpoint(record)
            batches[touchpoint.workspace].append(touchpoint)
        await months.cover(connection, {touchpoint.occurred_at for batch in batches.values() for touchpoint in batch})
        lane = min((record.partition for record in records), default=0)
        named: set[Subject] = set()
        for workspace in sorted(batches):
            named |= await self._fold(connection, workspace, batches[workspace], lane)
        return named

    async def _fold(
        self, connection: Connection, workspace: WorkspaceId, batch: Sequence[Touchpoint], lane: int
    ) -> set[Subject]:
        sorted_ = await accepted.accept(connection, workspace, batch)
        if sorted_.differing:
            await self._reject(connection, workspace, sorted_.differing)
        fresh = sorted_.fresh
        changed, named = await self._changed(connection, workspace, fresh, lane) if fresh else ({}, set())
        # Asked now that all is folded, as it will be of the same records read again: whom they named until then may
        # be somebody else, and published by nobody.
        again = [_read(touchpoint) for touchpoint in sorted_.again]
        named |= await _named_before(connection, workspace, again) if again else set()
        named |= await erased_among(connection, workspace, self._pseudonyms, again)
        unnamed = {subject: version for subject, version in changed.items() if subject not in named}
        if unnamed:
            await self._publisher.mark(connection, unnamed)
        return named | unnamed.keys()

    async def _changed(
        self, connection: Connection, workspace: WorkspaceId, fresh: Sequence[Touchpoint], lane: int
    ) -> tuple[dict[Subject, int], set[Subject]]:
        """Folds what is new; the new versions of everybody whom that changes, and whom it names."""
        force = await in_force.held(connection, workspace)
        kept = await self._kept(connection, workspace, fresh)
        told = [_read(touchpoint, force.vocabulary) for touchpoint in kept]
        left, erased = await sifted(connection, workspace, self._pseudonyms, told)
        if not left:
            return {}, erased
        attribution = await attribute(connection, workspace, left)
        changed = await tell(connection, workspace, force, attribution, self._clock.now())
        await count(connection, workspace, lane, self._pseudonyms, attribution)
        people = {Subject(workspace, attribution.customer_of[owner]) for owner, _ in _of_people(attribution)}
        return changed, erased | people

    async def _kept(
        self, connection: Connection, workspace: WorkspaceId, fresh: Sequence[Touchpoint]
    ) -> Sequence[Touchpoint]:
        """Those that are not older than the workspace keeps any; the others are as if they had never come."""
        since = await retention.kept_from(connection, workspace, self._clock.now())
        late = [each for each in fresh if since is not None and each.occurred_at < since]
        if not late:
            return fresh
        await accepted.drop(connection, workspace, [(each.source, each.message_id) for each in late])
        metrics.EXPIRED.labels("late").inc(len(late))
        return [each for each in fresh if since is None or each.occurred_at >= since]

    async def _reject(self, connection: Connection, workspace: WorkspaceId, differing: Sequence[Touchpoint]) -> None:
        rejections = [_rejection(touchpoint) for touchpoint in differing]
        rows = [
            (each.id, Record(REJECTIONS.name, topic_key(workspace, each.source), encode(each))) for each in rejections
        ]
        await self._publisher.hold(connection, workspace, rows)


async def tell(
    connection: Connection, workspace: WorkspaceId, force: InForce, attribution: Attribution, now: datetime
) -> dict[Subject, int]:
    """Stores the journeys of everybody concerned, and of those who are somebody else now; returns the new versions."""
    changes, own = _changes(attribution)
    rows = await subjects.locked(connection, workspace, changes.touched())
    journeys.check_folds(rows, changes, force.vocabulary)
    told = await journeys.after(connection, workspace, changes, rows, force)
    await journeys.add_to_accounts(connection, workspace, own, force.vocabulary)
    held = [
        Held(
            *(customer, "customer", each.state, each.sessions, now),
            walk=each.walk,
            follows=journeys.follows(rows.get(customer), each, now),
        )
        for customer, each in told.items()
    ]
    changed = await settling.settle(connection, workspace, force, held)
    return changed | await settling.bury(connection, workspace, _lost(attribution, rows))


def _touchpoint(record: Received) -> Touchpoint:
    touchpoint: Touchpoint = decode(record.value, Touchpoint)
    if touchpoint.workspace != workspace_of(record.key):
        raise Refused("the key names another workspace than the touchpoint")
    if touchpoint.user_id is None and touchpoint.anonymous_id is None and touchpoint.group_id is None:
        raise Refused("the touchpoint names nobody")
    return touchpoint


def _read(touchpoint: Touchpoint, vocabulary: Vocabulary = SHIPPED) -> Reading:
    try:
        return read(touchpoint, vocabulary)
    except ValueError as error:
        raise Undecodable("the body is no JSON object") from error


def _rejection(touchpoint: Touchpoint) -> Rejection:
    return Rejection(
        id=derived_id(
            "payload_differs", touchpoint.workspace, touchpoint.source, touchpoint.message_id, touchpoint.payload_hash
        ),
        workspace=touchpoint.workspace,
        source=touchpoint.source,
        received_at=touchpoint.received_at,
        code="payload_differs",
        message="Another payload was accepted earlier under this message id; it holds.",
        message_id=touchpoint.message_id,
        event=touchpoint.event,
        payload=bytes(touchpoint.body).decode()[:_LONGEST_PAYLOAD],
    )


def _of_people(attribution: Attribution) -> list[tuple[UUID, Reading]]:
    return [(owner, reading) for owner, reading in attribution.owned if reading.account is None]


def _changes(attribution: Attribution) -> tuple[Changes, Mapping[SubjectId, list[Reading]]]:
    """What happens to customers, and the touchpoints that are accounts' own."""
    fresh: dict[SubjectId, list[Reading]] = defaultdict(list)
    own: dict[SubjectId, list[Reading]] = defaultdict(list)
    for owner, reading in attribution.owned:
        whose = own if reading.account is not None else fresh
        whose[attribution.customer_of[owner]].append(reading)
    changes = Changes(fresh, attribution.gathered, set(attribution.refold), frozenset(attribution.lost))
    return changes, own


def _lost(
    attribution: Attribution, rows: Mapping[SubjectId, subjects.Row]
) -> dict[SubjectId, tuple[SubjectType, SubjectId]]:
    """Who is somebody else now, of those that were ever stored."""
    return {
        loser: (rows[loser].type, survivor)
        for loser, survivor in attribution.lost.items()
        if loser in rows and survivor is not None
    }


async def _named_before(connection: Connection, workspace: WorkspaceId, again: Sequence[Reading]) -> set[Subject]:
    """Whom touchpoints folded earlier belong to now."""
    people = {named for reading in again for named, stated in names(reading) if stated and named.type != "account"}
    known = await identifiers.read(connection, workspace, people)
    customers = {stored.placement.customer for stored in known.values()}
    shared = {
        named.value
        for named, stored in known.items()
        if named.type == "anonymous_id" and stored.placement.sharing is Sharing.SHARED
    }
    silent = [
        reading.touchpoint
        for reading in again
        if reading.touchpoint.user_id is None and reading.touchpoint.anonymous_id in shared
    ]
    if silent:
        owners = await touchpoints.owners(connection, workspace, silent)
        found = await identifiers.by_id(connection, workspace, owners)
        customers |= {stored.placement.customer for stored in found.values()}
    return {Subject(workspace, SubjectId(customer)) for customer in customers if customer is not None}
