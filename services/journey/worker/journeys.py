"""Journeys as they are after a batch: joined where a join gives them, else folded again from stored touchpoints."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from jornada.bus.worker import Outdated
from jornada.db import Connection
from jornada.events import Follows, SubjectId, WorkspaceId
from jornada.instants import instant
from services.journey.domain import folding, state
from services.journey.domain.reading import Reading
from services.journey.domain.segments import InForce, Walk, resumed
from services.journey.domain.sessions import GAP, Session, coalesced, singles
from services.journey.domain.state import EMPTY, FOLD, State
from services.journey.domain.vocabulary import Vocabulary
from services.journey.store import accounts, identifiers, sessions, touchpoints
from services.journey.store.subjects import Row
from services.journey.worker import owners
from services.journey.worker.settling import account_ids


class Journey(NamedTuple):
    """A customer's state, the number of its sessions, and the way to its stays in segments.

    `new` is what was joined to the stored state; None where all was folded again.
    """

    state: State
    sessions: int
    walk: Walk = Walk()
    new: State | None = None


@dataclass
class Changes:
    """What happens to customers in one transaction: new touchpoints, joins, who is folded again, who is lost."""

    fresh: dict[SubjectId, list[Reading]] = field(default_factory=dict)
    gathered: Mapping[SubjectId, frozenset[SubjectId]] = field(default_factory=dict)
    refold: set[SubjectId] = field(default_factory=set)
    lost: frozenset[SubjectId] = frozenset()

    def customers(self) -> set[SubjectId]:
        """Everybody whose journey changes."""
        return self.fresh.keys() | self.gathered.keys() | self.refold

    def sources(self, customer: SubjectId) -> frozenset[SubjectId]:
        """The subjects whose stored journeys are the customer's."""
        return self.gathered.get(customer, frozenset({customer}))

    def touched(self) -> set[SubjectId]:
        """Every subject whose row is read or written."""
        return self.customers().union(self.lost, *self.gathered.values())


def follows(row: Row | None, told: Journey, now: datetime) -> Follows | None:
    """What is new in a journey since its stored version; None where that is not known, or nothing was published.

    Where no touchpoint is, it is what time has brought by now.
    """
    if row is None or not row.version or told.new is None:
        return None
    first = told.new.first
    return Follows(version=row.version, differs_from=now if first is None else instant(first[0]))


def outdated(row: Row, vocabulary: Vocabulary) -> bool:
    """Whether a state was made by an older fold, or in another version of the vocabulary."""
    return row.fold < FOLD or row.vocabulary != vocabulary.version


def check_newest(folds: Mapping[SubjectId, int]) -> None:
    """Raises Outdated for a subject of a newer fold."""
    newest = max(folds.values(), default=FOLD)
    if newest > FOLD:
        raise Outdated(f"a journey of fold {newest} is stored; this release makes fold {FOLD}")


def check_folds(rows: Mapping[SubjectId, Row], changes: Changes, vocabulary: Vocabulary) -> None:
    """Has outdated states folded again; raises Outdated for one of a newer fold."""
    check_newest({row.id: row.fold for row in rows.values()})
    people = [row for row in rows.values() if row.type == "customer" and row.merged_into is None]
    old = {row.id for row in people if outdated(row, vocabulary)}
    changes.refold |= {customer for customer in changes.customers() if changes.sources(customer) & old}


async def after(
    connection: Connection, workspace: WorkspaceId, changes: Changes, rows: Mapping[SubjectId, Row], in_force: InForce
) -> dict[SubjectId, Journey]:
    """The journeys of everybody concerned, with their sessions and shares of accounts stored."""
    whole = {customer for customer in changes.customers() if customer in changes.refold}
    told = await every_touchpoint(connection, workspace, whole, in_force.vocabulary)
    new = {customer: _new(changes, rows, customer) for customer in changes.customers() - whole}
    states = {customer: folding.fold(told[customer]) for customer in whole}
    for customer, each in new.items():
        own = customer in changes.sources(customer) and customer in rows
        states[customer] = state.join(rows[customer].state, each) if own else each
    counts = await _sessions(connection, workspace, changes, rows, told)
    walks = await _walks(connection, workspace, changes, rows, told, in_force) if in_force.walks else {}
    journeys = {
        customer: Journey(states[customer], counts[customer], walks.get(customer, Walk()), new.get(customer))
        for customer in states
    }
    await _shares(connection, workspace, changes, rows, journeys, told, in_force.vocabulary)
    return journeys


def _new(changes: Changes, rows: Mapping[SubjectId, Row], customer: SubjectId) -> State:
    """What is joined to a customer's own stored state: others', and what is fresh."""
    others = [rows[source].state for source in sorted(changes.sources(customer) - {customer}) if source in rows]
    return state.join(state.joined(others), folding.fold(changes.fresh.get(customer, ())))


async def _walks(
    connection: Connection,
    workspace: WorkspaceId,
    changes: Changes,
    rows: Mapping[SubjectId, Row],
    told: Mapping[SubjectId, list[Reading]],
    in_force: InForce,
) -> dict[SubjectId, Walk]:
    """On from where the customer stood, where all that is new came later; else over all their touchpoints."""
    walks = {customer: Walk(then=readings) for customer, readings in told.items()}
    for customer in changes.customers() - walks.keys():
        sources, new = changes.sources(customer), changes.fresh.get(customer, [])
        if not sources & rows.keys():
            walks[customer] = Walk(then=new)
        elif sources == {customer} and _all_later(new, rows[customer].state):
            onward = resumed(rows[customer].state, rows[customer].kept, in_force, new)
            if onward is not None:
                walks[customer] = onward
    whole = await every_touchpoint(connection, workspace, changes.customers() - walks.keys(), in_force.vocabulary)
    return walks | {customer: Walk(then=readings) for customer, readings in whole.items()}


def _all_later(new: Sequence[Reading], state_: State) -> bool:
    """Whether all that is new and counts came after the last touchpoint of a state."""
    return state_.last is not None and all(reading.ours or reading.key[0] > state_.last[0] for reading in new)


async def every_touchpoint(
    connection: Connection, workspace: WorkspaceId, customers: Collection[SubjectId], vocabulary: Vocabulary
) -> dict[SubjectId, list[Reading]]:
    """Every touchpoint of the customers; those that the vocabulary makes their accounts' own are given to these."""
    told: dict[SubjectId, list[Reading]] = {customer: [] for customer in customers}
    if not customers:
        return told
    members = await identifiers.members(connection, workspace, customers)
    whose = {id_: customer for customer, theirs in members.items() for id_, _ in theirs}
    found = await touchpoints.of(connection, workspace, whose, vocabulary)
    for owner, reading in found:
        if reading.account is None:
            told[whose[owner]].append(reading)
    await owners.give_to_accounts(connection, workspace, [each for each in found if each[1].account is not None])
    return told


async def _sessions(
    connection: Connection,
    workspace: WorkspaceId,
    changes: Changes,
    rows: Mapping[SubjectId, Row],
    told: Mapping[SubjectId, Sequence[Reading]],
) -> dict[SubjectId, int]:
    """Stores the sessions as they are now; returns each customer's number."""
    merging = {customer for customer in changes.customers() if customer in told or customer in changes.gathered}
    whole = set(merging).union(changes.lost, *(changes.sources(customer) for customer in merging))
    before = await sessions.of(connection, workspace, whole) if whole else {}
    growing = {customer: new for customer in changes.customers() - merging if (new := singles(changes.fresh[customer]))}
    if growing:
        before |= await sessions.of(connection, workspace, growing.keys(), _span(growing.values()))
    result, counts = {}, {}
    for customer in changes.customers():
        if customer in told:
            result[customer] = coalesced(singles(told[customer]))
        else:
            stored = [each for source in changes.sources(customer) for each in before.get(source, [])]
            result[customer] = coalesced([*stored, *singles(changes.fresh.get(customer, ()))])
        beyond = 0
        if customer not in merging and customer in rows:
            beyond = rows[customer].sessions - len(before.get(customer, []))
        counts[customer] = beyond + len(result[customer])
    await sessions.replace(connection, workspace, before, result)
    return counts


def _span(growing: Iterable[Sequence[Session]]) -> tuple[datetime, datetime]:
    starts = [session.started for new in growing for session in new]
    gap = timedelta(microseconds=GAP)
    return instant(min(starts)) - gap, instant(max(starts)) + gap


async def _shares(
    connection: Connection,
    workspace: WorkspaceId,
    changes: Changes,
    rows: Mapping[SubjectId, Row],
    journeys: Mapping[SubjectId, Journey],
    told: dict[SubjectId, list[Reading]],
    vocabulary: Vocabulary,
) -> None:
    """Stores what each person adds to their accounts, and asks for those accounts to be folded."""
    states = {customer: each.state for customer, each in journeys.items()}
    several = {customer for customer in states if len(states[customer].groups) > 1}
    told = told | await every_touchpoint(connection, workspace, several - told.keys(), vocabulary)
    ids = await account_ids(connection, workspace, list(states.values()))
    shares: dict[tuple[SubjectId, SubjectId], State] = {}
    new_from: dict[SubjectId, list[datetime | None]] = defaultdict(list)
    shrinking = changes.refold.union(changes.lost, *changes.gathered.values()) | several
    for customer, each in journeys.items():
        for account, added in divided(each.state, told.get(customer, [])).items():
            shares[ids[account], customer] = added
            belonged = customer in rows and account in rows[customer].state.groups
            # Who joins an account brings all that they ever did.
            new = None if customer in shrinking else each.new if belonged else each.state
            new_from[ids[account]].append(None if new is None or new.first is None else instant(new.first[0]))
    if shares:
        await accounts.save(connection, workspace, shares, vocabulary.version)
    if shrinking:
        for left in await accounts.forget(connection, workspace, shrinking, shares.keys()):
            new_from[left].append(None)
    if new_from:
        concerned = {account: accounts.known_from(instants) for account, instants in new_from.items()}
        await accounts.enqueue(connection, workspace, concerned)


def divided(whole: State, told: Sequence[Reading]) -> Mapping[str, State]:
    """What a person adds to each account; `told` are all their touchpoints, if they belonged to several."""
    if len(whole.groups) > 1:
        return folding.shares([reading for reading in told if not reading.ours])
    return {account: state.share(whole, account) for account in whole.groups}


async def add_to_accounts(
    connection: Connection, workspace: WorkspaceId, own: Mapping[SubjectId, Sequence[Reading]], vocabulary: Vocabulary
) -> None:
    """Folds accounts' own touchpoints into their own shares, and asks for the accounts to be folded.

    A share that must be told again anyway is left to that.
    """
    if not own:
        return
    stored = await accounts.own(connection, workspace, own, vocabulary.version)
    shares = {}
    new: dict[SubjectId, datetime | None] = dict.fromkeys(own)
    for account, readings in own.items():
        before = stored.get(account, EMPTY)
        if before is not None:
            shares[account, account] = state.join(before, folding.own_share(readings, readings[0].account or ""))
            new[account] = instant(min(reading.key[0] for reading in readings))
    await accounts.save(connection, workspace, shares, vocabulary.version)
    await accounts.enqueue(connection, workspace, new)


async def own_share(
    connection: Connection, workspace: WorkspaceId, account: SubjectId, name: str, vocabulary: Vocabulary
) -> State:
    """An account's own share, from its stored touchpoints."""
    told = await touchpoints.of(connection, workspace, [account], vocabulary)
    return folding.own_share([reading for _, reading in told if reading.account is not None], name)
