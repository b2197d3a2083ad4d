"""What the faces read: one subject as of an instant, and lists of them."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from jornada.db import Connection
from jornada.events import JourneySnapshot, SubjectId, SubjectType, WorkspaceId, decode
from jornada.instants import micros
from jornada.web import Reference
from services.journey.domain import folding, people, state
from services.journey.domain.contracts import Truths
from services.journey.domain.identity import MOST_USERS, Named, Sharing, judged
from services.journey.domain.people import NOBODY, People
from services.journey.domain.reading import Reading
from services.journey.domain.segments import InForce, Kept, Stays, Walk, course, passed, reached, resumed, ruled, walked
from services.journey.domain.sessions import coalesced, singles
from services.journey.domain.snapshot import Standing, snapshot
from services.journey.domain.stages import Entry, timeline
from services.journey.domain.state import EMPTY, FOLD, State
from services.journey.domain.view import StateView
from services.journey.domain.vocabulary import Vocabulary
from services.journey.store import accounts, identifiers, in_force, neighbourhoods, touchpoints
from services.journey.store.subjects import kept

_BEGINNING = -(1 << 62)
"""Before every instant, in microseconds."""

_MOST_FOLLOWED = 100
MOST_PEOPLE = 500


class Filter(NamedTuple):
    """Which subjects a list shows: of a stage, an account, a segment, a persona; by a part of a name."""

    type: SubjectType
    stage: str | None = None
    account: SubjectId | None = None
    text: str | None = None
    segment: str | None = None
    persona: str | None = None


class _Row(NamedTuple):
    state: State | None
    version: int
    sessions: int
    kept: Kept | None
    people: People


class Ambiguous(Exception):
    """An e-mail that several customers state, by their ids: of a kiosk's some."""

    def __init__(self, customers: Collection[SubjectId]) -> None:
        super().__init__(f"an e-mail of {len(customers)} customers")
        self.customers = sorted(customers)


async def find(connection: Connection, workspace: WorkspaceId, reference: Reference) -> SubjectId | None:
    """The customer or account that a reference names now; None for an unknown one. Raises Ambiguous."""
    if reference.id is not None:
        found = (await identifiers.by_id(connection, workspace, [reference.id])).get(reference.id)
    else:
        named = Named(reference.type, reference.value)
        found = (await identifiers.read(connection, workspace, [named])).get(named)
    if found is None or not found.node.stated:
        return None
    if found.placement.sharing is Sharing.SHARED:
        return await _of_several(connection, workspace, found.node.named)
    if found.placement.sharing is Sharing.KIOSK and found.node.named.type == "email":
        raise Ambiguous(await _stating(connection, workspace, found.node.named))
    if reference.id is not None and found.placement.customer is not None:
        return await _followed(connection, workspace, found.placement.customer)
    return None if found.placement.customer is None else SubjectId(found.placement.customer)


async def _followed(connection: Connection, workspace: WorkspaceId, id_: UUID) -> SubjectId:
    """Who goes on as the customer of an id: another, where nothing is kept of the identifier that it was drawn for."""
    customer: UUID = await connection.fetchval(
        """with recursive step as (
               select $2::uuid as id, 0 as number
               union all
               select merged_into, number + 1 from subjects join step using (id)
               where workspace = $1 and merged_into is not null and number < $3)
           select id from step order by number desc limit 1""",
        workspace,
        id_,
        _MOST_FOLLOWED,
    )
    return SubjectId(customer)


async def _of_several(connection: Connection, workspace: WorkspaceId, named: Named) -> SubjectId | None:
    """A shared device is its latest user's."""
    if named.type == "anonymous_id":
        return await identifiers.latest_user(connection, workspace, named.value)
    near = await neighbourhoods.around(connection, workspace, [named])
    known = await identifiers.read(connection, workspace, near.named)
    rivals = judged([stored.node for stored in known.values()], near.facts).rivals
    raise Ambiguous([SubjectId(each) for each in rivals.get(named.value, ())])


async def _stating(connection: Connection, workspace: WorkspaceId, email: Named) -> set[SubjectId]:
    """The customers of the earliest who state an e-mail, user ids before devices."""
    near = await neighbourhoods.around(connection, workspace, [email])
    by = sorted({each.by for each in near.facts.statements}, reverse=True)[: MOST_USERS + 1]
    known = await identifiers.read(connection, workspace, by)
    return {SubjectId(id_) for stored in known.values() if (id_ := stored.placement.customer) is not None}


async def customer(
    connection: Connection, workspace: WorkspaceId, id_: SubjectId, as_of: datetime, *, past: bool
) -> JourneySnapshot | None:
    """A customer as of an instant, None where nothing of it counts by then. `past` leaves out what is later."""
    return (await customer_through(connection, workspace, id_, [as_of], past=past))[0]


async def customer_through(
    connection: Connection, workspace: WorkspaceId, id_: SubjectId, instants: Sequence[datetime], *, past: bool = True
) -> list[JourneySnapshot | None]:
    """A customer as of each instant, its touchpoints read once."""
    force = await in_force.read(connection, workspace)
    row = await _row(connection, workspace, id_, "customer", force.vocabulary)
    if row is None:
        return [None for _ in instants]
    members = (await identifiers.members(connection, workspace, [id_])).get(id_, [])
    standing = resumed(row.state or EMPTY, row.kept, force)
    stands_from = _last(row.state) if standing is not None else None
    told: list[Reading] = []
    if stands_from is None or (past and micros(min(instants)) < stands_from):
        read = await touchpoints.of(connection, workspace, [owner for owner, _ in members], force.vocabulary)
        told = [reading for _, reading in read]
    names: dict[str, SubjectId | None] = {}
    found = []
    for as_of in instants:
        whole, count, walk = row.state, row.sessions, standing
        if whole is None or walk is None or stands_from is None or (past and micros(as_of) < stands_from):
            until = _until(told, as_of if past else None)
            whole, count, walk = folding.fold(until), len(coalesced(singles(until))), Walk(then=until)
        entries = course(whole, ruled(walk, force), force)
        account = state.account_of(whole)
        if account is not None and account not in names:
            names[account] = await _account_id(connection, workspace, account)
        stays = _stays(whole, walk, force, entries, as_of)
        who = Standing(
            workspace=workspace,
            type="customer",
            id=id_,
            identifiers=[identifier for _, identifier in members],
            sessions=count,
            account_id=None if account is None else names[account],
            stays=stays,
            milestones=reached(stays, force),
        )
        found.append(snapshot(whole, who, force.rules, as_of, row.version, entries))
        await asyncio.sleep(0)
    return found


def _last(whole: State | None) -> int | None:
    """From when on a state says how its subject stands, in microseconds: its last touchpoint; None without a state."""
    if whole is None:
        return None
    return _BEGINNING if whole.last is None else whole.last[0]


def _until(told: Iterable[Reading], as_of: datetime | None) -> list[Reading]:
    return [reading for reading in told if as_of is None or reading.key[0] <= micros(as_of)]


def _stays(whole: State, walk: Walk, force: InForce, entries: Sequence[Entry], as_of: datetime) -> Stays:
    view = StateView(whole, force.rules, entries)
    return passed(walked(walk, force, entries), force, view, micros(as_of))


async def account(
    connection: Connection, workspace: WorkspaceId, id_: SubjectId, as_of: datetime, *, past: bool
) -> JourneySnapshot | None:
    """An account as of an instant, None where nothing of it counts by then."""
    return (await account_through(connection, workspace, id_, [as_of], past=past))[0]


async def account_through(
    connection: Connection, workspace: WorkspaceId, id_: SubjectId, instants: Sequence[datetime], *, past: bool = True
) -> list[JourneySnapshot | None]:
    """An account as of each instant, its own and its people's touchpoints read once."""
    force = await in_force.read(connection, workspace)
    row = await _row(connection, workspace, id_, "account", force.vocabulary)
    members = (await identifiers.members(connection, workspace, [id_])).get(id_, [])
    if row is None or not members:
        return [None for _ in instants]
    own = await accounts.by_customer(connection, workspace, [id_], force.vocabulary.version)
    stands_from = None
    if row.state is not None and own.get((id_, id_), EMPTY) is not None:
        stands_from = await _went_on_at(connection, workspace, id_, row.state, instants) if past else _BEGINNING
    earlier = [at for at in instants if stands_from is None or micros(at) < stands_from]
    name = members[0][1].value
    anew = await _account_until(connection, workspace, force, id_, name, earlier, past=past) if earlier else {}
    found = []
    for as_of in instants:
        whole, everybody = anew.get(as_of) or (row.state or EMPTY, row.people)
        identifiers_ = [identifier for _, identifier in members]
        who = Standing(
            workspace=workspace, type="account", id=id_, identifiers=identifiers_, sessions=0, people=everybody
        )
        found.append(snapshot(whole, who, force.rules, as_of, row.version, timeline(whole, force.rules)))
    return found


async def listed(
    connection: Connection, workspace: WorkspaceId, wanted: Filter, limit: int, after: UUID | None
) -> list[JourneySnapshot]:
    """Up to `limit` stored snapshots, by id, after the one named."""
    rows = await connection.fetch(
        """select snapshot from subjects
           where workspace = $1 and type = $2 and stage is not null
             and ($3::text is null or stage = $3) and ($4::uuid is null or account = $4)
             and ($5::uuid is null or id > $5)
             and ($6::text is null or strpos(lower(name), lower($6)) > 0 or id in (
                 select customer from identifiers
                 where workspace = $1 and stated and strpos(lower(value), lower($6)) > 0))
             and ($8::text is null or id in (
                 select subject from memberships where workspace = $1 and role = 'segment' and name = $8))
             and ($9::text is null or id in (
                 select subject from memberships where workspace = $1 and role = 'persona' and name = $9))
           order by id limit $7""",
        workspace,
        wanted.type,
        wanted.stage,
        wanted.account,
        after,
        wanted.text,
        limit,
        wanted.segment,
        wanted.persona,
    )
    return [decode(row["snapshot"], JourneySnapshot) for row in rows]


async def subjects_after(
    connection: Connection, workspace: WorkspaceId, limit: int, after: UUID | None
) -> list[tuple[SubjectId, SubjectType]]:
    """Up to `limit` customers and accounts, by id, after the one named."""
    rows = await connection.fetch(
        """select id, type from subjects where workspace = $1 and stage is not null
             and ($2::uuid is null or id > $2) order by id limit $3""",
        workspace,
        after,
        limit,
    )
    return [(row["id"], row["type"]) for row in rows]


async def subject(connection: Connection, workspace: WorkspaceId, id_: UUID) -> list[tuple[SubjectId, SubjectType]]:
    """The subject of an id and its type, where there is one now."""
    rows = await connection.fetch(
        "select id, type from subjects where workspace = $1 and id = $2 and stage is not null", workspace, id_
    )
    return [(row["id"], row["type"]) for row in rows]


async def stored(connection: Connection, workspace: WorkspaceId, ids: Sequence[SubjectId]) -> list[bytes]:
    """The subjects' stored snapshots as published, by id."""
    rows = await connection.fetch(
        "select snapshot from subjects where workspace = $1 and id = any($2) and stage is not null order by id",
        workspace,
        ids,
    )
    return [row["snapshot"] for row in rows]


async def states(
    connection: Connection, workspace: WorkspaceId, limit: int, after: UUID | None
) -> list[tuple[UUID, SubjectType, str, State, Truths]]:
    """Up to `limit` subjects' ids, types, stages, states and truths, by id, after the one named."""
    rows = await connection.fetch(
        """select id, type, stage, state, truths from subjects
           where workspace = $1 and stage is not null and fold = $4
             and ($2::uuid is null or id > $2) order by id limit $3""",
        workspace,
        after,
        limit,
        FOLD,
    )
    return [
        (*row[:3], decode(row["state"], State), {} if row["truths"] is None else decode(row["truths"], Truths))
        for row in rows
    ]


async def stages(connection: Connection, workspace: WorkspaceId, ids: Sequence[UUID]) -> dict[UUID, str]:
    """At which stage each of the subjects stands."""
    rows = await connection.fetch(
        "select id, stage from subjects where workspace = $1 and id = any($2) and stage is not null", workspace, ids
    )
    return {row["id"]: row["stage"] for row in rows}


async def subjects_count(connection: Connection, workspace: WorkspaceId) -> int:
    """How many customers and accounts there are."""
    count: int = await connection.fetchval(
        "select count(*) from subjects where workspace = $1 and stage is not null", workspace
    )
    return count


async def every(connection: Connection, workspace: WorkspaceId, step: int) -> list[tuple[UUID, SubjectType]]:
    """The id and type of every `step`th subject, by id."""
    rows = await connection.fetch(
        """select id, type from (
               select id, type, row_number() over (order by id) as place from subjects
               where workspace = $1 and stage is not null) as numbered
           where place % $2 = 0 order by id""",
        workspace,
        step,
    )
    return [(row["id"], row["type"]) for row in rows]


async def kinds_seen(connection: Connection, workspace: WorkspaceId, customers: int) -> Mapping[str, int]:
    """What the newest customers were seen to do: each kind, and how often."""
    rows = await connection.fetch(
        """select state from subjects
           where workspace = $1 and type = 'customer' and merged_into is null and fold = $2
           order by id desc limit $3""",
        workspace,
        FOLD,
        customers,
    )
    seen: Counter[str] = Counter()
    for row in rows:
        state_: State = decode(row["state"], State)
        seen.update({kind: each[0] for kind, each in state_.kinds.items()})
    return seen


async def stage_counts(connection: Connection, workspace: WorkspaceId) -> dict[str, dict[str, int]]:
    """How many customers and how many accounts stand at each stage."""
    rows = await connection.fetch(
        """select type, stage, count(*) as number from subjects
           where workspace = $1 and stage is not null group by type, stage order by 1, 2""",
        workspace,
    )
    counts: dict[str, dict[str, int]] = {"customers": {}, "accounts": {}}
    for row in rows:
        counts[f"{row['type']}s"][row["stage"]] = row["number"]
    return counts


async def _row(
    connection: Connection, workspace: WorkspaceId, id_: SubjectId, type_: SubjectType, vocabulary: Vocabulary
) -> _Row | None:
    row = await connection.fetchrow(
        """select state, version, sessions, fold, vocabulary, stays, truths,
                  case when type = 'account' then snapshot end as told
           from subjects where workspace = $1 and id = $2 and type = $3 and merged_into is null""",
        workspace,
        id_,
        type_,
    )
    if row is None:
        return None
    of_now = row["fold"] == FOLD and row["vocabulary"] == vocabulary.version
    state_ = decode(row["state"], State) if of_now else None
    return _Row(state_, row["version"], row["sessions"], kept(row["stays"], row["truths"]), _published(row["told"]))


def _published(snapshot_: bytes | None) -> People:
    """An account's people as they were told last; their shares are in the account's state."""
    if snapshot_ is None:
        return NOBODY
    told: JourneySnapshot = decode(snapshot_, JourneySnapshot)
    return People(told.measures.people, told.measures.people_by_day)


async def _account_id(connection: Connection, workspace: WorkspaceId, name: str) -> SubjectId | None:
    named = Named("account", name)
    found = (await identifiers.read(connection, workspace, [named])).get(named)
    return None if found is None else SubjectId(found.node.id)


async def _went_on_at(
    connection: Connection, workspace: WorkspaceId, id_: SubjectId, whole: State, instants: Sequence[datetime]
) -> int:
    """When an account got what it has: its last touchpoint, or when the latest people were said to belong to it.

    In microseconds; where that is after all the instants anyhow, any such instant.
    """
    went_on = _last(whole) or _BEGINNING
    if went_on > micros(max(instants)):
        return went_on
    async for customers in _people(connection, workspace, id_):
        rows = await connection.fetch(
            "select state from subjects where workspace = $1 and id = any($2)", workspace, customers
        )
        states_: list[State] = [decode(row["state"], State) for row in rows]
        went_on = max([went_on, *(key[0] for each in states_ for key in each.groups.values())])
    return went_on


async def _people(
    connection: Connection, workspace: WorkspaceId, account: SubjectId
) -> AsyncIterator[Sequence[SubjectId]]:
    """An account's people, some at a time."""
    customers = await accounts.people_after(connection, workspace, account, UUID(int=0), MOST_PEOPLE)
    while customers:
        yield customers
        customers = await accounts.people_after(connection, workspace, account, customers[-1], MOST_PEOPLE)


async def _account_until(
    connection: Connection,
    workspace: WorkspaceId,
    force: InForce,
    id_: SubjectId,
    name: str,
    instants: Sequence[datetime],
    *,
    past: bool,
) -> dict[datetime, tuple[State, People]]:
    """An account and its people, from stored touchpoints up to each instant; from all of them if not `past`."""
    told = (await _told(connection, workspace, force, [id_])).get(id_, [])
    everybody = dict.fromkeys(instants, NOBODY)
    async for customers in _people(connection, workspace, id_):
        theirs = await _told(connection, workspace, force, customers)
        for at in instants:
            until = (_until(readings, at if past else None) for readings in theirs.values())
            shares = (folding.shares(readings).get(name) for readings in until)
            some = people.added((share for share in shares if share is not None), force.rules.value_classes)
            everybody[at] = people.join(everybody[at], some)
            await asyncio.sleep(0)
    found = {}
    for at, them in everybody.items():
        own = folding.own_share(_until(told, at if past else None), name)
        found[at] = state.known_from_start(state.join(own, them.state)), them
    return found


async def _told(
    connection: Connection, workspace: WorkspaceId, force: InForce, subjects_: Collection[SubjectId]
) -> dict[SubjectId, list[Reading]]:
    """The touchpoints, ours left out, of whom has any."""
    members = await identifiers.members(connection, workspace, subjects_)
    whose = {owner: each for each, theirs in members.items() for owner, _ in theirs}
    told: dict[SubjectId, list[Reading]] = {}
    for owner, reading in await touchpoints.of(connection, workspace, whose, force.vocabulary):
        if not reading.ours:
            told.setdefault(whose[owner], []).append(reading)
    return told
