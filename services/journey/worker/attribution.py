"""Whose the touchpoints of a batch are, and which customers their facts bring together or part."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from jornada.db import Connection
from jornada.events import SubjectId, WorkspaceId
from jornada.instants import micros
from services.journey.domain import emails, identity
from services.journey.domain.identity import Named, Placement, Sharing, Statement
from services.journey.domain.reading import Reading
from services.journey.domain.stating import is_alias, names, pairs
from services.journey.store import facts, identifiers, merges, neighbourhoods, refusals, touchpoints
from services.journey.store.facts import Pair
from services.journey.store.identifiers import Stored
from services.journey.store.touchpoints import Place


@dataclass
class Attribution:
    """What a batch means for customers.

    `owned` is each new touchpoint with the identifier that owns it, `customer_of` whose each such identifier is (an
    account's is the account itself). `gathered` maps a customer to the subjects whose whole journeys join in it;
    `refold` are those whose journeys no join gives. `lost` are subjects that are another one now.
    """

    owned: list[tuple[UUID, Reading]] = field(default_factory=list)
    customer_of: dict[UUID, SubjectId] = field(default_factory=dict)
    gathered: dict[SubjectId, frozenset[SubjectId]] = field(default_factory=dict)
    refold: set[SubjectId] = field(default_factory=set)
    lost: dict[SubjectId, SubjectId | None] = field(default_factory=dict)


class _Facts(NamedTuple):
    wanted: dict[Named, bool]
    pairs: set[Pair]
    aliases: list[Reading]
    statements: set[Statement]


class _Device(NamedTuple):
    """A device whose touchpoints without a user id may have another owner now, from an instant on (or all)."""

    value: str
    stored: Stored
    since: datetime | None


async def attribute(connection: Connection, workspace: WorkspaceId, fresh: Sequence[Reading]) -> Attribution:
    """Stores identifiers, facts and touchpoints of the batch, locks what it names, and says what follows."""
    batch = _facts(fresh)
    known, seeds = await _stated(connection, workspace, batch)
    result = Attribution(owned=[(owner_of(reading, known), reading) for reading in fresh])
    await touchpoints.add(connection, workspace, result.owned)
    before, now = await _judged_anew(connection, workspace, seeds, result) if seeds else ({}, {})
    known |= now
    await _follow(connection, workspace, known, _devices(fresh, before, known), result)
    return result


async def regroup(connection: Connection, workspace: WorkspaceId, seeds: Collection[Named]) -> Attribution:
    """Finds customers anew near identifiers whose facts changed by no touchpoint, and says what follows."""
    result = Attribution()
    before, now = await _judged_anew(connection, workspace, set(seeds), result)
    turned = {each for each in seeds if each.type == "anonymous_id"} | _turned(before, now)
    devices = [_Device(each.value, now[each], None) for each in sorted(turned)]
    await _follow(connection, workspace, now, devices, result)
    return result


async def state_again(connection: Connection, workspace: WorkspaceId, stored: Sequence[Reading]) -> Attribution:
    """Stores what stored touchpoints state, as far as it is not known, and says what follows."""
    _, seeds = await _stated(connection, workspace, _facts(stored))
    return await regroup(connection, workspace, seeds)


async def state_all(
    connection: Connection, workspace: WorkspaceId, stored: Sequence[Reading]
) -> Mapping[Named, Stored]:
    """Stores what stored touchpoints state, as far as it is not known, and judges nobody; returns whom they name."""
    known, _ = await _stated(connection, workspace, _facts(stored))
    return known


def _facts(fresh: Iterable[Reading]) -> _Facts:
    batch = _Facts({}, set(), [], set())
    for reading in fresh:
        for named, stated in names(reading):
            batch.wanted[named] = batch.wanted.get(named, False) or stated
        batch.pairs.update(Pair(device, user, reading.moment) for device, user in pairs(reading))
        if (email := emails.stated(reading)) is not None:
            batch.statements.add(Statement(*email, reading.moment))
        if is_alias(reading):
            batch.aliases.append(reading)
    return batch


async def _stated(
    connection: Connection, workspace: WorkspaceId, batch: _Facts
) -> tuple[dict[Named, Stored], set[Named]]:
    """Stores what the batch states; returns its identifiers, locked, and those near which customers are found anew."""
    people = {named for named in batch.wanted if named.type != "account"}
    known = await identifiers.locked(connection, workspace, people)
    known |= await identifiers.read(connection, workspace, batch.wanted.keys() - people)
    missing = batch.wanted.keys() - known.keys()
    if missing:
        await identifiers.add(connection, workspace, {named: batch.wanted[named] for named in missing})
        known |= await identifiers.locked(connection, workspace, missing & people)
        known |= await identifiers.read(connection, workspace, missing - people)
    silent = {named for named in people if batch.wanted[named] and not known[named].node.stated}
    if silent:
        await identifiers.state_users(connection, workspace, {named.value for named in silent})
    users = {named.value for named in missing | silent if named.type == "user_id"}
    seeds = {Named("user_id", user) for user in await facts.aliased(connection, workspace, users)} if users else set()
    return known, seeds | await _linked(connection, workspace, batch, known)


async def _linked(
    connection: Connection, workspace: WorkspaceId, batch: _Facts, known: Mapping[Named, Stored]
) -> set[Named]:
    """Stores the batch's facts that link identifiers; returns the identifiers of which something new is told."""
    seeds: set[Named] = set()
    if batch.aliases:
        batch.pairs.difference_update(await _undone(connection, workspace, batch.aliases))
    for device, user in await facts.add_pairs(connection, workspace, batch.pairs) if batch.pairs else ():
        seeds |= {Named("anonymous_id", device), Named("user_id", user)}
    if batch.aliases:
        await facts.add_aliases(connection, workspace, [reading.touchpoint for reading in batch.aliases])
        await _silence(connection, workspace, batch)
    for reading in batch.aliases:
        seeds |= {named for named, _ in names(reading) if named.type != "account"}
    if batch.statements:
        seeds |= await facts.add_statements(connection, workspace, batch.statements)
    devices = {pair.device for pair in batch.pairs}
    shared = {each for each in devices if known[Named("anonymous_id", each)].placement.sharing is Sharing.SHARED}
    if shared:
        seeds |= await facts.stating(connection, workspace, shared)
    return seeds


async def _silence(connection: Connection, workspace: WorkspaceId, batch: _Facts) -> None:
    """Has no alias join a user id that was carried only by what is not kept any more."""
    carried = {named.value for named, stated in batch.wanted.items() if named.type == "user_id" and stated}
    previous = {reading.touchpoint.previous_id or "" for reading in batch.aliases} - carried
    if previous:
        await identifiers.silence_users(connection, workspace, previous)


async def _undone(connection: Connection, workspace: WorkspaceId, aliases: Sequence[Reading]) -> set[Pair]:
    """What aliases that were undone, and are told again, say of a device, and nothing else does."""
    told = {merges.alias_id(each.touchpoint.source, each.touchpoint.message_id): each for each in aliases}
    undone = [told[fact] for fact in await merges.undone(connection, workspace, told)]
    return {
        Pair(device, user, reading.moment)
        for reading in undone
        for device, user in pairs(reading)
        if device != reading.touchpoint.anonymous_id
    }


async def _placed(
    connection: Connection, workspace: WorkspaceId, seeds: set[Named]
) -> tuple[dict[Named, Stored], dict[Named, Placement]]:
    """Finds anew whose everything near the seeds is, all of it locked; returns it as it was, and its places now."""
    held: dict[Named, Stored] = {}
    while True:
        near = await neighbourhoods.around(connection, workspace, seeds)
        if near.named <= held.keys():
            break
        held = await identifiers.locked(connection, workspace, near.named)
    held = {named: held[named] for named in near.named}
    found = identity.judged([stored.node for stored in held.values()], near.facts)
    moved = {named: place for named, place in found.placements.items() if place != held[named].placement}
    if moved:
        await identifiers.place(connection, workspace, moved)
    await refusals.replace(connection, workspace, near.named, found.refusals)
    return held, dict(found.placements)


async def _judged_anew(
    connection: Connection, workspace: WorkspaceId, seeds: set[Named], result: Attribution
) -> tuple[dict[Named, Stored], dict[Named, Stored]]:
    """Everything near the seeds, locked, as it was and as it is now; what that means for customers is in the result."""
    before, placed = await _placed(connection, workspace, seeds)
    _compare(before, placed, result)
    return before, {named: Stored(before[named].node, placement) for named, placement in placed.items()}


async def _follow(
    connection: Connection,
    workspace: WorkspaceId,
    known: Mapping[Named, Stored],
    devices: Sequence[_Device],
    result: Attribution,
) -> None:
    """Gives the devices' touchpoints to whose they are now, and names everybody concerned."""
    moved = await _reattributed(connection, workspace, devices, result)
    await _name_customers(connection, workspace, known, moved, result)
    await _find_survivors(connection, workspace, result)


def _compare(before: Mapping[Named, Stored], placed: Mapping[Named, Placement], result: Attribution) -> None:
    """Tells joins of whole journeys from what must be folded again, and finds who is somebody else now."""
    old: dict[UUID, set[Named]] = defaultdict(set)
    new: dict[UUID, set[Named]] = defaultdict(set)
    for named, placement in placed.items():
        former = before[named].placement.customer
        if former is not None:
            old[former].add(named)
        if placement.customer is not None:
            new[placement.customer].add(named)
    for customer, theirs in new.items():
        sources = {former for named in theirs if (former := before[named].placement.customer) is not None}
        if any(not old[source] <= theirs for source in sources):
            result.refold.add(SubjectId(customer))
        if theirs != old.get(customer):
            result.gathered[SubjectId(customer)] = frozenset(SubjectId(source) for source in sources)
    for named, placement in placed.items():
        id_, was, survivor = before[named].node.id, before[named].placement, placement.customer
        is_known = was.customer is not None or was.sharing is Sharing.SHARED
        if is_known and named.type != "email" and survivor not in (id_, was.customer):
            result.lost[SubjectId(id_)] = None if survivor is None else SubjectId(survivor)


def owner_of(reading: Reading, known: Mapping[Named, Stored]) -> UUID:
    """The identifier that owns a touchpoint; of one without a user id its device, whoever used it."""
    touchpoint = reading.touchpoint
    if reading.account is not None:
        return known[Named("account", reading.account)].node.id
    if touchpoint.user_id is not None:
        return known[Named("user_id", touchpoint.user_id)].node.id
    return known[Named("anonymous_id", touchpoint.anonymous_id or "")].node.id


def _devices(fresh: Iterable[Reading], before: Mapping[Named, Stored], known: Mapping[Named, Stored]) -> list[_Device]:
    """Devices whose touchpoints without a user id must be looked at: those that turned, and shared ones with news."""
    since: dict[Named, datetime] = {}
    for reading in fresh:
        at = reading.touchpoint.occurred_at
        devices = {device for device, _ in pairs(reading)}
        if reading.touchpoint.user_id is None and reading.touchpoint.anonymous_id is not None:
            devices.add(reading.touchpoint.anonymous_id)
        for device in devices:
            named = Named("anonymous_id", device)
            since[named] = min(at, since.get(named, at))
    turned = _turned(before, known)
    news = {named for named in since if known[named].placement.sharing is Sharing.SHARED}
    return [_Device(each.value, known[each], None if each in turned else since[each]) for each in sorted(turned | news)]


def _turned(before: Mapping[Named, Stored], known: Mapping[Named, Stored]) -> set[Named]:
    return {
        named
        for named, stored in before.items()
        if named.type == "anonymous_id" and known[named].placement.sharing is not stored.placement.sharing
    }


async def _reattributed(
    connection: Connection, workspace: WorkspaceId, devices: Sequence[_Device], result: Attribution
) -> set[UUID]:
    """Gives the touchpoints of devices to whom the facts give them; returns owners who lost or gained stored ones."""
    fresh: dict[tuple[str, str], int] = {
        (reading.touchpoint.source, reading.touchpoint.message_id): place
        for place, (_, reading) in enumerate(result.owned)
    }
    changed: set[UUID] = set()
    own = {each.value: each.stored.node.id for each in devices if each.stored.placement.sharing is not Sharing.SHARED}
    moves = await touchpoints.strays(connection, workspace, own) if own else []
    for device in (each for each in devices if each.value not in own):
        moves += await _moves(connection, workspace, device)
    if moves:
        await touchpoints.move(connection, workspace, moves)
    for place, owner in moves:
        number = fresh.get((place.source, place.message_id))
        if number is None:
            changed |= {place.owner, owner}
        else:
            result.owned[number] = (owner, result.owned[number][1])
    return changed


async def _moves(connection: Connection, workspace: WorkspaceId, device: _Device) -> list[tuple[Place, UUID]]:
    """What a shared device's facts give to others than who has it."""
    turns = await touchpoints.facts(connection, workspace, device.value)
    since = device.since
    if since is not None and not any(key[0] < micros(since) for key, _ in turns):
        since = None
    places = await touchpoints.anonymous(connection, workspace, device.value, since)
    users = {identity.user_at(turns, micros(place.occurred_at)) for place in places}
    known = await identifiers.read(connection, workspace, {Named("user_id", user) for user in users})
    ids = {named.value: stored.node.id for named, stored in known.items()}
    moves = ((place, ids[identity.user_at(turns, micros(place.occurred_at))]) for place in places)
    return [(place, owner) for place, owner in moves if place.owner != owner]


async def _name_customers(
    connection: Connection,
    workspace: WorkspaceId,
    known: Mapping[Named, Stored],
    moved: Collection[UUID],
    result: Attribution,
) -> None:
    """Fills `customer_of` for every owner concerned; who lost or gained stored touchpoints is folded again."""
    by_id = {stored.node.id: stored for stored in known.values()}
    strange = ({owner for owner, _ in result.owned} | set(moved)) - by_id.keys()
    if strange:
        by_id |= await identifiers.locked_by_id(connection, workspace, strange)
    for id_, stored in by_id.items():
        if stored.placement.customer is not None:
            result.customer_of[id_] = SubjectId(stored.placement.customer)
    result.refold |= {result.customer_of[owner] for owner in moved if owner in result.customer_of}


async def _find_survivors(connection: Connection, workspace: WorkspaceId, result: Attribution) -> None:
    """Who answers for subjects whose first identifier is a shared device: the device's latest user."""
    unknown = [loser for loser, survivor in result.lost.items() if survivor is None]
    found = await identifiers.by_id(connection, workspace, unknown)
    for loser in unknown:
        device = found[loser].node.named.value
        result.lost[loser] = await identifiers.latest_user(connection, workspace, device)
