"""Subjects folded beside what is stored of them, and compared with it, byte by byte: the last steps of a replay."""

import asyncio
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from jornada.db import Connection
from jornada.events import Follows, JourneyEvent, JourneySnapshot, SubjectId, Undecodable, WorkspaceId, decode
from services.journey.domain import folding
from services.journey.domain.identity import Named, Placement, Sharing
from services.journey.domain.reading import Reading
from services.journey.domain.segments import InForce, Walk
from services.journey.domain.sessions import coalesced, singles
from services.journey.domain.state import State
from services.journey.store import accounts, identifiers, sessions, subjects, touchpoints
from services.journey.store.buckets import Account
from services.journey.store.identifiers import Stored
from services.journey.store.replays import Counts
from services.journey.store.subjects import Saved
from services.journey.worker import bucketing, journeys, settling
from services.journey.worker.attribution import regroup
from services.journey.worker.bucketing import Allowance
from services.journey.worker.pieces import NOTHING, Done
from services.journey.worker.settling import Held, Told

MOST = 250
MOST_TOUCHPOINTS = 500

_CHECKED = "g"
"""After every place of a bucket."""


async def compare_people(
    connection: Connection, workspace: WorkspaceId, force: InForce, named: Mapping[UUID, Named], now: datetime
) -> Done:
    """Judges anew whose everything near these identifiers is; compares every customer that this concerns."""
    found = await regroup(connection, workspace, set(named.values()))
    ids = {SubjectId(id_) for id_ in named}.union(found.gathered, found.refold, found.lost)
    known = await identifiers.by_id(connection, workspace, ids)
    ids &= {SubjectId(id_) for id_ in known}
    journeys.check_newest(await subjects.folds(connection, workspace, ids))
    living = {id_ for id_ in ids if known[id_].placement.customer == id_}
    lost = {id_: known[id_] for id_ in ids - living if known[id_].node.named.type != "email"}
    done = await _lost(connection, workspace, force, lost)
    for part in await _parts(connection, workspace, living):
        done |= await _customers(connection, workspace, force, part, now)
        await asyncio.sleep(0)
    return done


async def _parts(
    connection: Connection, workspace: WorkspaceId, customers: Collection[SubjectId]
) -> list[list[SubjectId]]:
    """The customers in parts of few touchpoints; whoever has many is a part."""
    members = await identifiers.members(connection, workspace, customers)
    owners = {owner: customer for customer, theirs in members.items() for owner, _ in theirs}
    sizes = dict.fromkeys(customers, 0)
    for owner, number in (await touchpoints.counts(connection, workspace, owners)).items():
        sizes[owners[owner]] += number
    return list(_divided(sizes))


def _divided(sizes: Mapping[SubjectId, int]) -> Iterator[list[SubjectId]]:
    part: list[SubjectId] = []
    size = 0
    for customer in sorted(sizes):
        if part and size + sizes[customer] > MOST_TOUCHPOINTS:
            yield part
            part, size = [], 0
        part.append(customer)
        size += sizes[customer]
    if part:
        yield part


async def _customers(
    connection: Connection, workspace: WorkspaceId, force: InForce, ids: Sequence[SubjectId], now: datetime
) -> Done:
    told = await journeys.every_touchpoint(connection, workspace, ids, force.vocabulary)
    stored = await _ever_told(connection, workspace, force, ids, {id_ for id_ in ids if told[id_]})
    heirs = await _gone_on(connection, workspace, {id_: each for id_, each in stored.items() if not told[id_]})
    stored = {id_: each for id_, each in stored.items() if id_ not in heirs}
    known = [id_ for id_ in ids if told[id_] or id_ in stored]
    states = {id_: folding.fold(told[id_]) for id_ in known}
    before = await sessions.of(connection, workspace, ids)
    after = {id_: coalesced(singles(told[id_])) for id_ in known}
    mended = {id_ for id_ in ids if before.get(id_, []) != after.get(id_, [])}
    await sessions.replace(connection, workspace, before, after)
    mended |= await _shares(connection, workspace, force, ids, states, told)
    held = []
    for id_ in known:
        walk = Walk(then=told[id_]) if force.walks else Walk()
        last = _last(stored.get(id_), now)
        held.append(Held(id_, "customer", states[id_], len(after[id_]), last.as_of, walk=walk, follows=last.follows))
    return await _compared(connection, workspace, force, held, stored, mended, now)


async def _ever_told(
    connection: Connection,
    workspace: WorkspaceId,
    force: InForce,
    ids: Collection[SubjectId],
    having: Collection[SubjectId],
) -> dict[SubjectId, Told]:
    """What is stored of those who have touchpoints, or were told of before.

    A row without a version only asks for somebody to be told. Who has nothing was never heard of: it goes.
    """
    stored = await settling.stored(connection, workspace, force, ids)
    asked = {id_ for id_, each in stored.items() if each.saved.version == 0 and id_ not in having}
    if asked:
        await subjects.forget(connection, workspace, asked)
    return {id_: each for id_, each in stored.items() if id_ not in asked}


async def _gone_on(connection: Connection, workspace: WorkspaceId, stored: Mapping[SubjectId, Told]) -> set[SubjectId]:
    """Who has nothing left and soundly says as whom they went on: of that no touchpoint tells any more."""
    into = await _into(connection, workspace, stored)
    gone_on = set()
    for id_, told in stored.items():
        other = told.saved.merged_into
        if other is not None and other in into and other != id_ and told == _buried(workspace, told.saved, other):
            gone_on.add(id_)
    return gone_on


async def _into(
    connection: Connection, workspace: WorkspaceId, stored: Mapping[SubjectId, Told]
) -> Mapping[UUID, Stored]:
    """As whom these say that they go on."""
    named = {each.saved.merged_into for each in stored.values()} - {None}
    return await identifiers.by_id(connection, workspace, [id_ for id_ in named if id_ is not None])


def _buried(workspace: WorkspaceId, saved: Saved, other: SubjectId) -> Told:
    return Told(settling.buried(workspace, saved.id, saved.type, other, saved.version), [], None)


async def _shares(
    connection: Connection,
    workspace: WorkspaceId,
    force: InForce,
    ids: Sequence[SubjectId],
    states: Mapping[SubjectId, State],
    told: Mapping[SubjectId, Sequence[Reading]],
) -> set[SubjectId]:
    """Stores what people add to accounts, where something else is stored; returns of whom."""
    ids_of = await settling.account_ids(connection, workspace, list(states.values()))
    shares = {
        (ids_of[name], id_): share
        for id_, whole in states.items()
        for name, share in journeys.divided(whole, told[id_]).items()
    }
    stored = await accounts.by_customer(connection, workspace, ids, force.vocabulary.version)
    differing = {
        each for each in shares.keys() | stored.keys() if each not in shares or shares[each] != stored.get(each)
    }
    if differing:
        anew = {each: shares[each] for each in differing & shares.keys()}
        await accounts.save(connection, workspace, anew, force.vocabulary.version)
        await accounts.forget(connection, workspace, {customer for _, customer in differing}, shares.keys())
        await accounts.enqueue(connection, workspace, {account for account, _ in differing})
    return {customer for _, customer in differing}


async def _compared(
    connection: Connection,
    workspace: WorkspaceId,
    force: InForce,
    held: Sequence[Held],
    stored: Mapping[SubjectId, Told],
    mended: set[SubjectId],
    now: datetime,
) -> Done:
    """Tells subjects under the version and as of the instant of what is stored, and stores what differs from it.

    Where what was published differs it is told anew as of now; where only something else does, nobody hears of it.
    """
    versions = [stored[each.id].saved.version if each.id in stored else 0 for each in held]
    told = await settling.tell(connection, workspace, force, held, versions)
    differing = [each for each in told if each != stored.get(each.saved.id)]
    anew = {each.saved.id for each in differing if _event(stored.get(each.saved.id)) != each.saved.event}
    await settling.keep(connection, workspace, force, [each for each in differing if each.saved.id not in anew])
    changed = await settling.settle(
        connection, workspace, force, [each._replace(as_of=now, follows=None) for each in held if each.id in anew]
    )
    mended = (mended | {each.saved.id for each in differing}) - anew
    return Done(Counts(compared=len(held), equal=len(held) - len(anew), mended=len(mended), changed=len(anew)), changed)


def _event(told: Told | None) -> bytes | None:
    return None if told is None else told.saved.event


class _Last(NamedTuple):
    """As of when a subject was told last, and what was new in it then."""

    as_of: datetime
    follows: Follows | None = None


def _last(told: Told | None, now: datetime) -> _Last:
    try:
        event: JourneyEvent = decode(_event(told), JourneyEvent)
    except Undecodable:
        return _Last(now)
    return _Last(event.as_of, event.follows) if isinstance(event, JourneySnapshot) else _Last(now)


async def _lost(
    connection: Connection, workspace: WorkspaceId, force: InForce, lost: Mapping[SubjectId, Stored]
) -> Done:
    """Has subjects that are another one now say so, if anybody heard of them, and have nothing of their own."""
    before = await sessions.of(connection, workspace, lost)
    await sessions.replace(connection, workspace, before, {})
    theirs = await accounts.forget(connection, workspace, lost, ())
    if theirs:
        await accounts.enqueue(connection, workspace, theirs)
    stored = await _ever_told(connection, workspace, force, lost, ())
    into = await _into(connection, workspace, stored)
    unsound = {}
    for id_, told in stored.items():
        survivor = await _survivor(connection, workspace, lost[id_])
        if survivor is not None and not _sound(workspace, told, lost[id_].placement, into):
            unsound[id_] = (told.saved.type, survivor)
    changed = await settling.bury(connection, workspace, unsound)
    mended = len(before.keys() - unsound.keys())
    return Done(Counts(0, len(stored), len(stored) - len(unsound), mended, len(unsound)), changed)


async def _survivor(connection: Connection, workspace: WorkspaceId, stored: Stored) -> SubjectId | None:
    """Who answers for a subject of this first identifier: whose that is, of a shared device its latest user."""
    if stored.placement.customer is not None:
        return SubjectId(stored.placement.customer)
    return await identifiers.latest_user(connection, workspace, stored.node.named.value)


def _sound(workspace: WorkspaceId, told: Told, placement: Placement, into: Mapping[UUID, Stored]) -> bool:
    """Whether it says whom it merged into, and that one is the same by now (or another user of the shared device)."""
    saved, other = told.saved, told.saved.merged_into
    if other is None or other not in into:
        return False
    same = placement.sharing is Sharing.SHARED or into[other].placement.customer == placement.customer
    return same and told == _buried(workspace, saved, other)


async def compare_accounts(
    connection: Connection,
    workspace: WorkspaceId,
    force: InForce,
    known: Sequence[Stored],
    inside: str | None,
    now: datetime,
) -> Done:
    """Compares accounts, once their people are; also those that wait to be folded.

    Of the first one the buckets up to the place `inside` are compared already. Where there are too many for one piece
    it goes on within that account.
    """
    done = NOTHING
    for stored in known:
        done |= await _account_from(connection, workspace, force, stored, inside, now)
        if done.within is not None:
            return done
        inside = None
        await asyncio.sleep(0)
    return done


async def _account_from(
    connection: Connection, workspace: WorkspaceId, force: InForce, stored: Stored, inside: str | None, now: datetime
) -> Done:
    """First its buckets are compared, some at a time, then the account."""
    id_, named = SubjectId(stored.node.id), stored.node.named
    journeys.check_newest(await subjects.folds(connection, workspace, [id_]))
    # A new account has no row to lock yet: the identifier stands for it.
    await identifiers.locked(connection, workspace, [named])
    account = bucketing.bucketed(workspace, force, id_)
    if inside != _CHECKED:
        last, wrong = await bucketing.check(connection, account, inside)
        if last is not None:
            return Done(Counts(mended=wrong), {}, [named.value, last])
    return await _account(connection, force, account, named.value, now)


async def _account(connection: Connection, force: InForce, account: Account, name: str, now: datetime) -> Done:
    workspace, id_, allowance = account.workspace, account.id, Allowance()
    await accounts.claim(connection, workspace, [id_])
    mended = await _own_share(connection, workspace, force, id_, name)
    whole = await bucketing.whole(connection, force, account, name, allowance)
    if whole is None or whole.is_behind:
        await accounts.enqueue(connection, workspace, [id_])
        return Done(Counts(mended=len(mended)), {}, [name, _CHECKED] if allowance.is_spent else None)
    told = await settling.stored(connection, workspace, force, [id_])
    own = await accounts.own(connection, workspace, [id_], account.vocabulary)
    if not told and not own and not whole.people.number:
        return NOTHING
    last = _last(told.get(id_), now)
    held = Held(id_, "account", whole.state, 0, last.as_of, whole.people, follows=last.follows)
    return await _compared(connection, workspace, force, [held], told, mended, now)


async def _own_share(
    connection: Connection, workspace: WorkspaceId, force: InForce, id_: SubjectId, name: str
) -> set[SubjectId]:
    """Stores what an account's own touchpoints add to it, where something else is stored; returns of whom."""
    stored = await accounts.own(connection, workspace, [id_], force.vocabulary.version)
    if stored.get(id_) is None:
        if not await touchpoints.counts(connection, workspace, [id_]):
            await accounts.forget(connection, workspace, [id_], ())
            return set()
        # A batch may be storing the first one now: this row is what it waits for, or what waits for it.
        await accounts.spoil(connection, workspace, [id_])
    share = await journeys.own_share(connection, workspace, id_, name, force.vocabulary)
    if share == stored.get(id_):
        return set()
    await accounts.save(connection, workspace, {(id_, id_): share}, force.vocabulary.version)
    return {id_}
