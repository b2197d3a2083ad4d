"""All that hangs together with some identifiers: what their customers are a function of."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import asyncpg

from jornada.db import Connection
from jornada.events import WorkspaceId
from services.journey.domain.identity import MOST_DEVICES, MOST_TIED, Facts, Named, Sharing, Statement
from services.journey.domain.reading import Moment
from services.journey.store import aliases, identifiers, touchpoints
from services.journey.store.aliases import Alias
from services.journey.store.facts import moment

_SINCE = "occurred_at, message_id, source"
_STATING = ("anonymous_id", "user_id")


class Neighbourhood(NamedTuple):
    """A closed set of identifiers, and the facts that link them."""

    named: frozenset[Named]
    facts: Facts


@dataclass
class _Walk:
    """What a walk has found. `open` are the devices whose users it walks to, too; `kiosks` are those stored as such."""

    near: set[Named] = field(default_factory=set)
    open: set[Named] = field(default_factory=set)
    kiosks: set[Named] = field(default_factory=set)
    devices: dict[str, dict[str, Moment]] = field(default_factory=dict)
    merges: set[tuple[Named, Named]] = field(default_factory=set)
    aliases: set[tuple[Named, Named]] = field(default_factory=set)
    crowds: dict[Named, Moment] = field(default_factory=dict)
    statements: set[Statement] = field(default_factory=set)


async def around(connection: Connection, workspace: WorkspaceId, seeds: Iterable[Named]) -> Neighbourhood:
    """Everything that the seeds are linked with by facts, or were placed with until now.

    Nothing is sought beyond what was a kiosk before, nor beyond a device that customers share and that states no
    e-mail, unless it is a seed: where it is known only as somebody's, its other users are nobody near. What becomes a
    kiosk is sought beyond once more: all that it linked is judged without it.
    """
    walk = _Walk()
    new = set(seeds)
    walk.open = {each for each in new if each.type == "anonymous_id"}
    while new:
        new = await _on(connection, workspace, walk, new)
    return Neighbourhood(frozenset(walk.near), await _facts(connection, workspace, walk))


async def freed(connection: Connection, workspace: WorkspaceId, kiosks: Collection[Named]) -> set[Named]:
    """Those that were kiosks, and to which too little is tied now to be any."""
    tied: dict[Named, set[Named]] = defaultdict(set)
    devices = {each.value for each in kiosks if each.type == "anonymous_id"}
    for device, users in (await _users_of(connection, workspace, devices)).items():
        tied[Named("anonymous_id", device)] |= {Named("user_id", user) for user in users}
    for each in await _statements_of(connection, workspace, kiosks, kiosks):
        tied[each.by].add(Named("email", each.email))
        tied[Named("email", each.email)].add(each.by)
    return {kiosk for kiosk in kiosks if not _is_crowded(kiosk, tied[kiosk])}


def _is_crowded(named: Named, tied: Collection[Named]) -> bool:
    counts = Counter(each.type for each in tied)
    return any(number > MOST_TIED.get((named.type, type_), number) for type_, number in counts.items())


async def _on(connection: Connection, workspace: WorkspaceId, walk: _Walk, new: set[Named]) -> set[Named]:
    """One step from what is new; returns what it found."""
    walk.near |= new
    walk.kiosks |= await _kiosks_of(connection, workspace, new)
    users = {each.value for each in new if each.type == "user_id"}
    devices = {each.value for each in new if each.type == "anonymous_id"}
    if devices:
        walk.devices |= await _users_of(connection, workspace, devices)
    found = await _devices_of(connection, workspace, users) if users else set()
    merged = await _merges_of(connection, workspace, new)
    walk.merges |= merged
    opening = {end for merge in merged for end in merge} | await _placed_with(connection, workspace, new)
    found |= await _aliases_of(connection, workspace, walk, users)
    for each in await _statements_of(connection, workspace, new, walk.kiosks):
        walk.statements.add(each)
        opening |= _ends(each, new - walk.kiosks)
    walk.open |= {each for each in opening if each.type == "anonymous_id"}
    found |= opening | await _users_beyond(connection, workspace, walk)
    return found - walk.near


def _ends(statement: Statement, sought: Collection[Named]) -> set[Named]:
    """Both ends of a statement, if something is sought beyond either."""
    ends = {Named("email", statement.email), statement.by}
    return set() if ends.isdisjoint(sought) else ends


async def _kiosks_of(connection: Connection, workspace: WorkspaceId, new: Collection[Named]) -> set[Named]:
    known = await identifiers.read(connection, workspace, new)
    return {named for named, stored in known.items() if stored.placement.sharing is Sharing.KIOSK}


async def _users_beyond(connection: Connection, workspace: WorkspaceId, walk: _Walk) -> set[Named]:
    """The users of open devices; all of those of a device that becomes a kiosk."""
    found, turning = set(), []
    for device, theirs in walk.devices.items():
        if Named("anonymous_id", device) in walk.open - walk.kiosks:
            found |= {Named("user_id", user) for user in theirs}
            if len(theirs) > MOST_TIED["anonymous_id", "user_id"]:
                turning.append(device)
    if turning:
        rows = await connection.fetch(
            "select distinct user_id from device_users where workspace = $1 and anonymous_id = any($2)",
            workspace,
            turning,
        )
        found |= {Named("user_id", row["user_id"]) for row in rows}
    return found


async def _users_of(connection: Connection, workspace: WorkspaceId, devices: set[str]) -> dict[str, dict[str, Moment]]:
    rows = await connection.fetch(
        """select device, pair.user_id, coalesce(pair.occurred_at, first.occurred_at, 'epoch') as occurred_at,
                  coalesce(pair.message_id, first.message_id, '') as message_id,
                  coalesce(pair.source, first.source, '') as source
           from unnest($2::text[]) as given (device)
           cross join lateral (
               select * from device_users where workspace = $1 and anonymous_id = device
               order by user_id limit $3) as pair
           left join lateral (
               select occurred_at, message_id, source from device_facts
               where pair.occurred_at is null and workspace = $1 and anonymous_id = device and user_id = pair.user_id
               order by occurred_at, message_id, source limit 1) as first on true""",
        workspace,
        sorted(devices),
        MOST_TIED["anonymous_id", "user_id"] + 1,
    )
    found: dict[str, dict[str, Moment]] = {device: {} for device in devices}
    for row in rows:
        found[row["device"]][row["user_id"]] = moment(row)
    return found


async def _devices_of(connection: Connection, workspace: WorkspaceId, users: set[str]) -> set[Named]:
    """The devices that a customer may have by these users: of each the earliest."""
    rows = await connection.fetch(
        """select distinct pair.anonymous_id from unnest($2::text[]) as given (user_id)
           cross join lateral (
               select anonymous_id from device_users as known where workspace = $1 and known.user_id = given.user_id
               order by occurred_at nulls first, message_id nulls first, source nulls first limit $3) as pair""",
        workspace,
        sorted(users),
        MOST_DEVICES,
    )
    return {Named("anonymous_id", row["anonymous_id"]) for row in rows}


async def _merges_of(connection: Connection, workspace: WorkspaceId, new: set[Named]) -> set[tuple[Named, Named]]:
    """Merges that were not undone."""
    ordered = sorted(each for each in new if each.type != "email")
    if not ordered:
        return set()
    rows = await connection.fetch(
        """with given as (select * from unnest($2::text[], $3::text[]) as given (type, value))
           select from_type, from_value, into_type, into_value from merges
           where workspace = $1 and not exists (select from undos where undos.workspace = $1 and fact = merges.id::text)
             and ((from_type, from_value) in (select * from given) or (into_type, into_value) in (select * from given))
           """,
        workspace,
        [each.type for each in ordered],
        [each.value for each in ordered],
    )
    return {
        (Named(row["from_type"], row["from_value"]), Named(row["into_type"], row["into_value"]))
        for row in rows
        if (row["from_type"], row["from_value"]) != (row["into_type"], row["into_value"])
    }


async def _aliases_of(connection: Connection, workspace: WorkspaceId, walk: _Walk, users: set[str]) -> set[Named]:
    """Keeps what aliases join; returns those joined. With too many a user id joins nobody, nor does anybody with it."""
    by_user: dict[Named, list[Alias]] = defaultdict(list)
    for alias in await aliases.of(connection, workspace, users):
        if alias.other != alias.user:
            by_user[alias.user].append(alias)
    found = set()
    for user, theirs in by_user.items():
        if len({alias.other for alias in theirs}) > MOST_TIED["user_id", "user_id"]:
            walk.crowds[user] = min(alias.at for alias in theirs)
        else:
            walk.aliases |= {(user, alias.other) for alias in theirs if alias.stands}
            found |= {alias.other for alias in theirs if alias.stands}
    return found


async def _statements_of(
    connection: Connection, workspace: WorkspaceId, new: Collection[Named], kiosks: Collection[Named]
) -> set[Statement]:
    """The first statement of each e-mail by each; of a kiosk's the earliest, so many that it is seen to be one."""
    by = [(each, each.type, _most(each, "email", kiosks)) for each in new if each.type != "email"]
    of = [(each, type_, _most(each, type_, kiosks)) for each in new if each.type == "email" for type_ in _STATING]
    rows = await connection.fetch(
        """select known.* from unnest($2::text[], $3::text[], $4::int[]) as given (value, type, most)
           cross join lateral (
               select * from email_pairs as known
               where workspace = $1 and known.type = given.type and known.value = given.value
               order by occurred_at, message_id, source limit most) as known
           union
           select known.* from unnest($5::text[], $6::text[], $7::int[]) as given (email, type, most)
           cross join lateral (
               select * from email_pairs as known
               where workspace = $1 and known.email = given.email and known.type = given.type
               order by occurred_at, message_id, source limit most) as known""",
        workspace,
        *([named.value for named, _, _ in by], [type_ for _, type_, _ in by], [most for _, _, most in by]),
        *([named.value for named, _, _ in of], [type_ for _, type_, _ in of], [most for _, _, most in of]),
    )
    return {_statement(row) for row in rows}


def _most(named: Named, type_: str, kiosks: Collection[Named]) -> int | None:
    return MOST_TIED[named.type, type_] + 1 if named in kiosks else None


async def _placed_with(connection: Connection, workspace: WorkspaceId, new: set[Named]) -> set[Named]:
    """Everything of the customers that these are placed with."""
    ordered = sorted(new)
    rows = await connection.fetch(
        """select type, value from identifiers where workspace = $1 and customer = any(array(
               select distinct customer from identifiers join unnest($2::text[], $3::text[]) as given (type, value)
                   using (type, value) where workspace = $1 and customer is not null))""",
        workspace,
        [each.type for each in ordered],
        [each.value for each in ordered],
    )
    return {Named(row["type"], row["value"]) for row in rows}


async def _facts(connection: Connection, workspace: WorkspaceId, walk: _Walk) -> Facts:
    """The facts of a walk; of devices with several users who state e-mails, each statement and each turn."""
    by = {each.by.value for each in walk.statements if each.by.type == "anonymous_id"}
    kiosks = {each.value for each in walk.kiosks if each.type == "anonymous_id"}
    several = sorted(device for device in by - kiosks if len(walk.devices.get(device, ())) > 1)
    statements = {each for each in walk.statements if each.by.type != "anonymous_id" or each.by.value not in several}
    statements |= await _statements_by(connection, workspace, several) if several else set()
    users = {device: await touchpoints.facts(connection, workspace, device) for device in several}
    joins = walk.merges | {pair for pair in walk.aliases if walk.crowds.keys().isdisjoint(pair)}
    return Facts(walk.devices, frozenset(joins), statements, users, walk.crowds)


async def _statements_by(connection: Connection, workspace: WorkspaceId, devices: Collection[str]) -> set[Statement]:
    rows = await connection.fetch(
        f"select email, 'anonymous_id' as type, anonymous_id as value, {_SINCE} from email_facts"  # noqa: S608 - own text
        " where workspace = $1 and anonymous_id = any($2)",
        workspace,
        list(devices),
    )
    return {_statement(row) for row in rows}


def _statement(row: asyncpg.Record) -> Statement:
    return Statement(row["email"], Named(row["type"], row["value"]), moment(row))
