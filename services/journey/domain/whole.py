"""Everything that a set of touchpoints tells, at any instant, without a store: whose each is, and every snapshot."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from jornada.events import Identifier, JourneySnapshot, SubjectId, SubjectType, WorkspaceId, derived_id
from jornada.instants import micros
from services.journey.domain import emails, folding, state
from services.journey.domain.identity import (
    MOST_TIED,
    Facts,
    Named,
    Node,
    Placement,
    Sharing,
    Statement,
    judged,
    user_at,
)
from services.journey.domain.people import added
from services.journey.domain.reading import Key, Moment, Reading
from services.journey.domain.rules import RuleSet
from services.journey.domain.sessions import coalesced, singles
from services.journey.domain.snapshot import Standing, snapshot
from services.journey.domain.stages import timeline
from services.journey.domain.state import State, account_of
from services.journey.domain.stating import is_alias, names, pairs


class Subject(NamedTuple):
    """A customer or account: who it is, and what is its own, in event-time order. `people` belonged to the account."""

    id: SubjectId
    type: SubjectType
    identifiers: Sequence[Identifier]
    readings: Sequence[Reading]
    people: Sequence[SubjectId] = ()


def subjects(workspace: WorkspaceId, readings: Sequence[Reading]) -> dict[SubjectId, Subject]:
    """Every customer and account of a workspace's touchpoints, by id.

    Ids derive from the first identifier by event time, so that the same touchpoints give the same ids.
    """
    ordered = sorted(readings, key=lambda each: each.moment)
    nodes = _nodes(workspace, ordered)
    facts = _facts(ordered, nodes)
    places = judged([node for node in nodes.values() if node.named.type != "account"], facts).placements
    theirs: dict[UUID, list[Reading]] = defaultdict(list)
    for reading in ordered:
        theirs[_owner(reading, nodes, places, facts)].append(reading)
    people = _customers(nodes, places, theirs)
    return people | _accounts(nodes, theirs, people)


def snapshots(
    workspace: WorkspaceId, told: Mapping[SubjectId, Subject], rules: RuleSet, at: datetime
) -> Iterator[JourneySnapshot]:
    """The snapshots as of an instant, by id, of all of whom anything counts by then."""
    accounts = {each.identifiers[0].value: each.id for each in told.values() if each.type == "account"}
    for id_ in sorted(told):
        subject = told[id_]
        until = _until(subject, at)
        people = added(_shares(subject, told, at), rules.value_classes)
        if subject.type == "customer":
            whole = folding.fold(until)
        else:
            own = folding.own_share(until, subject.identifiers[0].value)
            whole = state.known_from_start(state.join(own, people.state))
        account = account_of(whole) if subject.type == "customer" else None
        standing = Standing(
            workspace=workspace,
            type=subject.type,
            id=id_,
            identifiers=subject.identifiers,
            sessions=len(coalesced(singles(until))) if subject.type == "customer" else 0,
            account_id=None if account is None else accounts[account],
            people=people,
        )
        made = snapshot(whole, standing, rules, at, 0, timeline(whole, rules))
        if made is not None:
            yield made


def _until(subject: Subject, at: datetime) -> list[Reading]:
    return [reading for reading in subject.readings if reading.key[0] <= micros(at)]


def _shares(account: Subject, told: Mapping[SubjectId, Subject], at: datetime) -> list[State]:
    """What its people add to an account by an instant."""
    if account.type == "customer":
        return []
    name = account.identifiers[0].value
    shares = (
        folding.shares([reading for reading in _until(told[id_], at) if not reading.ours]).get(name)
        for id_ in account.people
    )
    return [share for share in shares if share is not None]


def _nodes(workspace: WorkspaceId, ordered: Iterable[Reading]) -> dict[Named, Node]:
    found: dict[Named, bool] = {}
    for reading in ordered:
        for named, stated in sorted(names(reading)):
            found[named] = found.get(named, False) or stated
    return {
        named: Node(named, derived_id("identifier", workspace, *named), number, stated)
        for number, (named, stated) in enumerate(found.items())
    }


def _facts(ordered: Sequence[Reading], nodes: Mapping[Named, Node]) -> Facts:
    devices: dict[str, dict[str, Moment]] = {named.value: {} for named in nodes if named.type == "anonymous_id"}
    turns: dict[str, list[tuple[Key, str]]] = defaultdict(list)
    aliases: dict[tuple[str, str], Moment] = {}
    statements = []
    for reading in ordered:
        for device, user in pairs(reading):
            devices[device].setdefault(user, reading.moment)
            turns[device].append((reading.key, user))
        if (email := emails.stated(reading)) is not None:
            statements.append(Statement(*email, reading.moment))
        if is_alias(reading):
            said = reading.touchpoint
            aliases.setdefault((said.user_id or "", said.previous_id or ""), reading.moment)
    joins, crowds = _joins(aliases, nodes)
    return Facts(devices, joins, statements, turns, crowds)


def _joins(
    aliases: Mapping[tuple[str, str], Moment], nodes: Mapping[Named, Node]
) -> tuple[frozenset[tuple[Named, Named]], dict[Named, Moment]]:
    """What aliases join; and who has too many to join anybody by, since when."""
    others: dict[Named, dict[Named, Moment]] = defaultdict(dict)
    for (user, previous), at in aliases.items():
        if user != previous:
            a, b = Named("user_id", user), Named("user_id", previous)
            others[a][b] = min(at, others[a].get(b, at))
            others[b][a] = min(at, others[b].get(a, at))
    crowds = {
        named: min(theirs.values()) for named, theirs in others.items() if len(theirs) > MOST_TIED["user_id", "user_id"]
    }
    joins = {(Named("user_id", user), Named("user_id", previous)) for user, previous in aliases if user != previous}
    stand = {pair for pair in joins if nodes[pair[1]].stated and crowds.keys().isdisjoint(pair)}
    return frozenset(stand), crowds


def _owner(reading: Reading, nodes: Mapping[Named, Node], places: Mapping[Named, Placement], facts: Facts) -> UUID:
    """The identifier that owns a touchpoint: of a shared device's, its user at the time."""
    touchpoint = reading.touchpoint
    if reading.account is not None:
        return nodes[Named("account", reading.account)].id
    if touchpoint.user_id is not None:
        return nodes[Named("user_id", touchpoint.user_id)].id
    device = Named("anonymous_id", touchpoint.anonymous_id or "")
    if places[device].sharing is not Sharing.SHARED:
        return nodes[device].id
    return nodes[Named("user_id", user_at(facts.users[device.value], reading.key[0]))].id


def _customers(
    nodes: Mapping[Named, Node], places: Mapping[Named, Placement], theirs: Mapping[UUID, Sequence[Reading]]
) -> dict[SubjectId, Subject]:
    members: dict[UUID, list[Node]] = defaultdict(list)
    for named, placement in places.items():
        if placement.customer is not None:
            members[placement.customer].append(nodes[named])
    return {
        SubjectId(id_): Subject(
            SubjectId(id_),
            "customer",
            _identifiers(mine),
            sorted((reading for node in mine for reading in theirs.get(node.id, ())), key=lambda each: each.moment),
        )
        for id_, mine in members.items()
    }


def _identifiers(nodes: Iterable[Node]) -> list[Identifier]:
    return sorted(Identifier(*node.named) for node in nodes if node.stated)


def _accounts(
    nodes: Mapping[Named, Node], theirs: Mapping[UUID, Sequence[Reading]], people: Mapping[SubjectId, Subject]
) -> dict[SubjectId, Subject]:
    belonged: dict[str, list[SubjectId]] = defaultdict(list)
    for id_ in sorted(people):
        for account in _belonging(people[id_].readings):
            belonged[account].append(id_)
    return {
        SubjectId(node.id): Subject(
            SubjectId(node.id), "account", _identifiers([node]), theirs.get(node.id, ()), belonged[named.value]
        )
        for named, node in nodes.items()
        if named.type == "account"
    }


def _belonging(readings: Iterable[Reading]) -> Collection[str]:
    """The accounts to which a person's touchpoints say they belong or belonged."""
    return state.latest_groups({name: key for reading in readings for name, key in folding.groups(reading).items()})
