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
from services.journey.domain import identity
from services.journey.domain.identity import MOST_USERS, Named, Placement, Sharing
from services.journey.domain.reading import Reading
from services.journey.store import identifiers, touchpoints
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
    pairs: set[tuple[str, str]]
    aliases: list[Reading]


class _Device(NamedTuple):
    """A device whose touchpoints without a user id may have another owner now, from an instant on (or all)."""

    value: str
    stored: Stored
    since: datetime | None


async def attribute(connection: Connection, workspace: WorkspaceId, fresh: Sequence[Reading]) -> Attribution:
    """Stores identifiers, facts and touchpoints of the batch, locks what it names, and says what follows."""
    facts = _facts(fresh)
    known, seeds = await _stated(connection, workspace, facts)
    result = Attribution()
    before: dict[Named, Stored] = {}
    if seeds:
        before, placed = await _placed(connection, workspace, seeds)
        _compare(before, placed, result)
        known |= {named: Stored(before[named].node, placement) for named, placement in placed.items()}
    result.owned = [(_owner(reading, known), reading) for reading in fresh]
    await touchpoints.add(connection, workspace, result.owned)
    moved = await _reattributed(connection, workspace, _devices(fresh, before, known), result)
    await _name_customers(connection, workspace, known, moved, result)
    for customer in [loser for loser, survivor in result.lost.items() if survivor is None]:
        result.lost[customer] = await _survivor(connection, workspace, customer)
    return result


def names(reading: Reading) -> list[tuple[Named, bool]]:
    """The identifiers that a touchpoint names, and whether it states each (`alias` presumes its previous user id)."""
    touchpoint = reading.touchpoint
    previous = touchpoint.previous_id if touchpoint.type == "alias" and not reading.ours else None
    given = (
        ("user_id", touchpoint.user_id, True),
        ("anonymous_id", touchpoint.anonymous_id, True),
        ("account", None if reading.ours else touchpoint.group_id, True),
        ("anonymous_id", previous, True),
        ("user_id", previous, False),
    )
    return [(Named(type_, value), stated) for type_, value, stated in given if value is not None]


def _facts(fresh: Iterable[Reading]) -> _Facts:
    facts = _Facts({}, set(), [])
    for reading in fresh:
        for named, stated in names(reading):
            facts.wanted[named] = facts.wanted.get(named, False) or stated
        facts.pairs.update(_pairs(reading))
        if reading.touchpoint.type == "alias" and reading.touchpoint.previous_id and reading.touchpoint.user_id:
            facts.aliases.append(reading)
    return facts


def _pairs(reading: Reading) -> list[tuple[str, str]]:
    touchpoint = reading.touchpoint
    if touchpoint.user_id is None or reading.ours:
        return []
    previous = touchpoint.previous_id if touchpoint.type == "alias" else None
    return [(device, touchpoint.user_id) for device in (touchpoint.anonymous_id, previous) if device is not None]


async def _stated(
    connection: Connection, workspace: WorkspaceId, facts: _Facts
) -> tuple[dict[Named, Stored], set[Named]]:
    """Stores what the batch states; returns its identifiers, locked, and those near which customers are found anew."""
    people = {named for named in facts.wanted if named.type != "account"}
    known = await identifiers.locked(connection, workspace, people)
    known |= await identifiers.read(connection, workspace, facts.wanted.keys() - people)
    missing = facts.wanted.keys() - known.keys()
    if missing:
        await identifiers.add(connection, workspace, {named: facts.wanted[named] for named in missing})
        known |= await identifiers.locked(connection, workspace, missing & people)
        known |= await identifiers.read(connection, workspace, missing - people)
    silent = {named for named in people if facts.wanted[named] and not known[named].node.stated}
    if silent:
        await identifiers.state_users(connection, workspace, {named.value for named in silent})
    users = {named.value for named in missing | silent if named.type == "user_id"}
    seeds = (
        {Named("user_id", user) for user in await identifiers.aliased(connection, workspace, users)} if users else set()
    )
    new = await identifiers.add_pairs(connection, workspace, facts.pairs) if facts.pairs else set()
    for device, user in new:
        seeds |= {Named("anonymous_id", device), Named("user_id", user)}
    if facts.aliases:
        await identifiers.add_aliases(connection, workspace, [reading.touchpoint for reading in facts.aliases])
    for reading in facts.aliases:
        seeds |= {named for named, _ in names(reading) if named.type != "account"}
    return known, seeds


async def _placed(
    connection: Connection, workspace: WorkspaceId, seeds: set[Named]
) -> tuple[dict[Named, Stored], dict[Named, Placement]]:
    """Finds anew whose everything near the seeds is, all of it locked; returns it as it was, and its places now."""
    held: dict[Named, Stored] = {}
    while True:
        near = await identifiers.neighbourhood(connection, workspace, seeds)
        if near.named <= held.keys():
            parted = await _of_new_kiosks(connection, workspace, near, held)
            if parted <= near.named:
                break
            seeds = seeds | parted
            continue
        held = await identifiers.locked(connection, workspace, near.named)
    nodes = [held[named].node for named in near.named]
    placed = identity.placements(nodes, near.devices, near.aliases)
    moved = {named: place for named, place in placed.items() if place != held[named].placement}
    if moved:
        await identifiers.place(connection, workspace, moved)
    return held, placed


async def _of_new_kiosks(
    connection: Connection, workspace: WorkspaceId, near: identifiers.Neighbourhood, held: Mapping[Named, Stored]
) -> set[Named]:
    """The former companions of devices that are kiosks from now on."""
    kiosks = [Named("anonymous_id", device) for device, users in near.devices.items() if len(users) > MOST_USERS]
    former = {held[named].placement.customer for named in kiosks if held[named].placement.sharing is Sharing.ONE}
    found = await identifiers.members(connection, workspace, [customer for customer in former if customer is not None])
    return {Named(each.type, each.value) for theirs in found.values() for _, each in theirs}


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
        if sources != {customer}:
            result.gathered[SubjectId(customer)] = frozenset(SubjectId(source) for source in sources)
    placed_by_id = {before[named].node.id: placement.customer for named, placement in placed.items()}
    for customer in old.keys() - new.keys():
        survivor = placed_by_id[customer]
        result.lost[SubjectId(customer)] = None if survivor is None else SubjectId(survivor)


def _owner(reading: Reading, known: Mapping[Named, Stored]) -> UUID:
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
        devices = {device for device, _ in _pairs(reading)}
        if reading.touchpoint.user_id is None and reading.touchpoint.anonymous_id is not None:
            devices.add(reading.touchpoint.anonymous_id)
        for device in devices:
            named = Named("anonymous_id", device)
            since[named] = min(at, since.get(named, at))
    turned = {
        named
        for named, stored in before.items()
        if named.type == "anonymous_id"
        and known[named].placement.sharing is not stored.placement.sharing
        and known[named].placement.sharing is not Sharing.ONE
    }
    news = {named for named in since if known[named].placement.sharing is Sharing.SHARED}
    return [_Device(each.value, known[each], None if each in turned else since[each]) for each in sorted(turned | news)]


async def _reattributed(
    connection: Connection, workspace: WorkspaceId, devices: Sequence[_Device], result: Attribution
) -> set[UUID]:
    """Gives the touchpoints of devices to whom the facts give them; returns owners who lost or gained stored ones."""
    fresh: dict[tuple[str, str], int] = {
        (reading.touchpoint.source, reading.touchpoint.message_id): place
        for place, (_, reading) in enumerate(result.owned)
    }
    changed: set[UUID] = set()
    for device in devices:
        moves = await _moves(connection, workspace, device)
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
    own = device.stored.node.id
    if device.stored.placement.sharing is Sharing.KIOSK:
        places = await touchpoints.anonymous(connection, workspace, device.value, None)
        return [(place, own) for place in places if place.owner != own]
    facts = await touchpoints.facts(connection, workspace, device.value)
    since = device.since
    if since is not None and not any(key[0] < micros(since) for key, _ in facts):
        since = None
    places = await touchpoints.anonymous(connection, workspace, device.value, since)
    users = {identity.user_at(facts, micros(place.occurred_at)) for place in places}
    known = await identifiers.read(connection, workspace, {Named("user_id", user) for user in users})
    ids = {named.value: stored.node.id for named, stored in known.items()}
    moves = ((place, ids[identity.user_at(facts, micros(place.occurred_at))]) for place in places)
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


async def _survivor(connection: Connection, workspace: WorkspaceId, lost: SubjectId) -> SubjectId | None:
    """Who answers for a subject whose first identifier is a shared device: the device's latest user."""
    found = await identifiers.by_id(connection, workspace, [lost])
    return await identifiers.latest_user(connection, workspace, found[lost].node.named.value)
