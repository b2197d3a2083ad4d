"""Accounts as their people's shares make them: of many people by buckets, few of which change with one person."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import NamedTuple

from jornada.db import Connection
from jornada.events import SubjectId, Undecodable, WorkspaceId, decode, encode
from services.journey.domain import people, state
from services.journey.domain.buckets import ROOT, above, around, divided
from services.journey.domain.people import NOBODY, People
from services.journey.domain.segments import InForce
from services.journey.domain.state import EMPTY, State
from services.journey.store import accounts, buckets
from services.journey.store.buckets import Account
from services.journey.worker import journeys

MOST = 64
"""How many people a bucket has whose shares are joined one by one."""

MOST_SHARES = 2_000
MOST_NOTES = 500
MOST_CHECKED = 50


@dataclass
class Allowance:
    """How many shares of an account may still be added up in a transaction. What is beyond is left to the next one."""

    shares: int = field(default_factory=lambda: MOST_SHARES)

    @property
    def is_spent(self) -> bool:
        """Whether nothing is left of it."""
        return self.shares <= 0


class Whole(NamedTuple):
    """An account's state, and its people; whether it is to be told again, because some of them changed since."""

    state: State
    people: People
    is_behind: bool = False


def bucketed(workspace: WorkspaceId, force: InForce, account: SubjectId) -> Account:
    """Whose buckets, as they are told by what is in force."""
    return Account(workspace, account, force.vocabulary.version, tuple(sorted(force.rules.value_classes)))


async def whole(
    connection: Connection, force: InForce, account: Account, name: str, allowance: Allowance
) -> Whole | None:
    """An account, locked; None while some share is of an older fold or vocabulary, or the allowance is spent.

    Without such a share it would be a smaller account. Who has one is in the queue or will be, and once told asks for
    the account again.
    """
    everybody = await buckets.extent(connection, account, ROOT, MOST + 1)
    if everybody.number > MOST:
        return await _large(connection, force, account, name, allowance)
    await buckets.clear(connection, account)
    shares, old = await accounts.of(connection, account.workspace, account.id, account.vocabulary)
    if account.id in old:
        shares[account.id] = await _own_again(connection, force, account, name)
    if old - {account.id}:
        return None
    own = shares.pop(account.id, EMPTY)
    return _joined(own, people.added(shares.values(), account.classes))


async def take_notes(connection: Connection, account: Account) -> None:
    """Drops the buckets in which somebody's share has changed."""
    while notes := await buckets.take_notes(connection, account, MOST_NOTES):
        await buckets.drop(connection, account, around(set(notes) - {account.id}))
        if len(notes) < MOST_NOTES:
            return


async def check(connection: Connection, account: Account, after: str | None) -> tuple[str | None, int]:
    """Looks at some of the buckets of an account, locked, and drops those that are not what their people add up to.

    Returns the last place looked at, None where there is no more, and how many were wrong.
    """
    await take_notes(connection, account)
    found = await buckets.after(connection, account, after, MOST_CHECKED)
    wrong = [place for place, stored in found.items() if not await _is_sound(connection, account, place, stored)]
    if wrong:
        await buckets.drop(connection, account, above(wrong))
    return next(reversed(found), None), len(wrong)


async def _large(
    connection: Connection, force: InForce, account: Account, name: str, allowance: Allowance
) -> Whole | None:
    """An account of many, as it was at the instant at which no note of a change was found.

    Where more changes meanwhile than the allowance is for, it is told without: else it would never be. Nor are notes
    taken while there are buckets to fill, as those who do much would be run after without end.
    """
    if not await buckets.unfinished(connection, account):
        await take_notes(connection, account)
    while (everybody := await _everybody(connection, account, allowance)) is not None:
        own = await _own(connection, force, account, name)
        noted = await buckets.noted(connection, account)
        if not noted or noted * MOST > allowance.shares:
            return _joined(own, everybody)._replace(is_behind=noted > 0)
        await take_notes(connection, account)
    return None


async def _everybody(connection: Connection, account: Account, allowance: Allowance) -> People | None:
    stored = await buckets.read(connection, account, [ROOT])
    return await _kept(connection, account, ROOT, stored, allowance)


async def _kept(
    connection: Connection, account: Account, place: str, stored: Mapping[str, bytes], allowance: Allowance
) -> People | None:
    """A bucket as it is stored, else stored now; None where it cannot be told yet."""
    if place in stored:
        return _decoded(stored[place])
    if allowance.is_spent:
        return None
    inside = await buckets.extent(connection, account, place, MOST + 1)
    if inside.number > MOST:
        made = await _divided(connection, account, divided(inside.first, inside.last), allowance)
    else:
        made = await _added(connection, account, place)
        allowance.shares -= inside.number
    if made is not None:
        await buckets.save(connection, account, place, made)
    return made


async def _divided(
    connection: Connection, account: Account, places: Sequence[str], allowance: Allowance
) -> People | None:
    stored = await buckets.read(connection, account, places)
    made = NOBODY
    for place in places:
        inside = await _kept(connection, account, place, stored, allowance)
        if inside is None:
            return None
        made = people.join(made, inside)
    return made


async def _added(connection: Connection, account: Account, place: str) -> People | None:
    shares = await accounts.people(connection, account.workspace, account.id, place, account.vocabulary)
    told = [share for share in shares if share is not None]
    return people.added(told, account.classes) if len(told) == len(shares) else None


async def _is_sound(connection: Connection, account: Account, place: str, stored: bytes) -> bool:
    inside = await buckets.extent(connection, account, place, MOST + 1)
    if inside.number <= MOST:
        return encode(await _added(connection, account, place)) == stored
    places = divided(inside.first, inside.last)
    below = await buckets.read(connection, account, places)
    try:
        made = reduce(people.join, map(_decoded, below.values()), NOBODY)
    except Undecodable:
        return False
    return len(below) == len(places) and encode(made) == stored


def _decoded(stored: bytes) -> People:
    told: People = decode(stored, People)
    return told


async def _own(connection: Connection, force: InForce, account: Account, name: str) -> State:
    stored = await accounts.own(connection, account.workspace, [account.id], account.vocabulary)
    own = stored.get(account.id, EMPTY)
    return await _own_again(connection, force, account, name) if own is None else own


async def _own_again(connection: Connection, force: InForce, account: Account, name: str) -> State:
    """What an account's own touchpoints add to it, told again and stored."""
    own = await journeys.own_share(connection, account.workspace, account.id, name, force.vocabulary)
    await accounts.save(connection, account.workspace, {(account.id, account.id): own}, force.vocabulary.version)
    return own


def _joined(own: State, everybody: People) -> Whole:
    return Whole(state.known_from_start(state.join(own, everybody.state)), everybody)
