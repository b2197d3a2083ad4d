"""The people of accounts: what each counts for, the changes of that, and what they add up to by account.

Who scores a person only ever adds rows, so nobody waits because an account is large. Whoever holds the account adds
them up, in the order of their instants.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import NamedTuple

from jornada.bus.publisher import Subject
from jornada.bus.timers import Timer
from jornada.db import Connection
from jornada.events import SubjectId, decode, encode
from services.scoring.domain.champions import CHAMPION
from services.scoring.domain.judging import HEALTH
from services.scoring.domain.people import Counts, Member, People, added, people

PEOPLE = "people"
"""The timer of an account of which people changed."""

MOST = 2_000


class Place(NamedTuple):
    """In which account a person counts for what, since when; `told`: whether what brought it is told to anybody."""

    account: SubjectId | None
    member: Member | None
    at: datetime
    told: bool


class Step(NamedTuple):
    """How an account's people stand from an instant on; `told`: whether what brought it is told to anybody."""

    at: datetime
    people: People
    told: bool


class _Change(NamedTuple):
    account: Subject
    at: datetime
    member: Member
    number: int
    told: bool


class _Sum(NamedTuple):
    """What the people of an account add up to, since when, and since when by what is no history."""

    counts: Counts
    at: datetime | None
    live_at: datetime | None


async def place(connection: Connection, places: Mapping[Subject, Place]) -> None:
    """Keeps where these people count for what now; of those in no account nothing. Their subjects must be held."""
    known = await _known(connection, places)
    changes: list[_Change] = []
    kept: dict[Subject, Place] = {}
    for person, given in places.items():
        before = known.get(person)
        if (given.account, before) == (None, None) or (before and before[:2] == given[:2]):
            continue
        # Nothing of a person is undone before it was done, whatever the instants say.
        at = given.at if before is None else max(given.at, before.at)
        kept[person] = given._replace(at=at)
        for each, number in ((before, -1), (given, 1)):
            if each is not None and each.account is not None and each.member is not None:
                account = Subject(person.workspace, each.account)
                changes.append(_Change(account, at, each.member, number, given.told))
    await _keep(connection, {person: each for person, each in kept.items() if each.account is not None})
    await _forget(connection, [person for person, each in kept.items() if each.account is None])
    await _note(connection, changes)


async def unheard(connection: Connection) -> list[Timer]:
    """The timers of accounts with changes that have none yet, due when the first was; for the clock's role."""
    rows = await connection.fetch(
        """select workspace, account, min(at) as at from account_changes where not exists (
             select from timers where timers.workspace = account_changes.workspace and subject = account and name = $1)
           group by workspace, account order by workspace, account limit $2""",
        PEOPLE,
        MOST,
    )
    return [Timer(row["workspace"], row["account"], PEOPLE, row["at"]) for row in rows]


async def waiting(connection: Connection, until: Mapping[Subject, datetime]) -> set[Subject]:
    """Those of the accounts in which somebody may change by time alone up to an instant and was not scored then."""
    if not until:
        return set()
    rows = await connection.fetch(
        """select distinct members.workspace, members.account
           from timers join account_people as members on members.workspace = timers.workspace and person = subject
             join unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) as given (workspace, account, until)
               on given.workspace = members.workspace and given.account = members.account
           where timers.name = any($4) and timers.due_at <= $5 and timers.due_at <= given.until""",
        *_columns(until),
        [HEALTH, CHAMPION],
        max(until.values()),
    )
    return {Subject(row["workspace"], row["account"]) for row in rows}


async def first(connection: Connection, until: Mapping[Subject, datetime]) -> dict[Subject, datetime]:
    """Of the accounts with changes up to an instant the earliest change's."""
    if not until:
        return {}
    rows = await connection.fetch(
        """select changes.workspace, changes.account, min(at) as at from account_changes as changes
             join unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) as given (workspace, account, until)
               on given.workspace = changes.workspace and given.account = changes.account
           where at <= given.until group by changes.workspace, changes.account""",
        *_columns(until),
    )
    return {Subject(row["workspace"], row["account"]): row["at"] for row in rows}


async def add_up(connection: Connection, until: Mapping[Subject, datetime]) -> dict[Subject, Step]:
    """Adds up the changes of accounts up to an instant each; how the people of each account that has any stand then."""
    if not until:
        return {}
    rows = await connection.fetch(
        """delete from account_changes as changes
           using unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) as given (workspace, account, until)
           where changes.workspace = given.workspace and changes.account = given.account and at <= given.until
           returning changes.*""",
        *_columns(until),
    )
    changes = sorted(
        (
            _Change(
                Subject(row["workspace"], row["account"]),
                row["at"],
                Member(row["band"], row["champion"], row["silent_since"]),
                row["number"],
                row["told"],
            )
            for row in rows
        ),
        key=lambda each: each.account,
    )
    mine = {account: list(group) for account, group in groupby(changes, key=lambda each: each.account)}
    await _open(connection, mine)
    before = await _sums(connection, until)
    after = {account: _sum(before[account], mine[account]) for account in mine}
    await connection.execute(
        """update account_counts set counts = given.counts, at = given.at, live_at = given.live_at
           from unnest($1::uuid[], $2::uuid[], $3::bytea[], $4::timestamptz[], $5::timestamptz[])
             as given (workspace, account, counts, at, live_at)
           where account_counts.workspace = given.workspace and account_counts.account = given.account""",
        [account.workspace for account in after],
        [account.id for account in after],
        [encode(sorted(each.counts.items(), key=repr)) for each in after.values()],
        [each.at for each in after.values()],
        [each.live_at for each in after.values()],
    )
    return {
        account: Step(each.at or until[account], people(*each), any(change.told for change in mine.get(account, ())))
        for account, each in (before | after).items()
    }


def _sum(before: _Sum, changes: Sequence[_Change]) -> _Sum:
    return _Sum(
        added(before.counts, [(each.member, each.number) for each in changes]),
        _latest(before.at, [each.at for each in changes]),
        _latest(before.live_at, [each.at for each in changes if each.told]),
    )


def _latest(known: datetime | None, new: Sequence[datetime]) -> datetime | None:
    return max([*new, *([known] if known else [])], default=None)


def _columns(until: Mapping[Subject, datetime]) -> tuple[list[object], list[object], list[datetime]]:
    return [each.workspace for each in until], [each.id for each in until], list(until.values())


async def _known(connection: Connection, persons: Collection[Subject]) -> dict[Subject, Place]:
    rows = await connection.fetch(
        "select * from account_people where (workspace, person) in (select * from unnest($1::uuid[], $2::uuid[]))",
        [each.workspace for each in persons],
        [each.id for each in persons],
    )
    return {
        Subject(row["workspace"], row["person"]): Place(
            row["account"], Member(row["band"], row["champion"], row["silent_since"]), row["at"], told=False
        )
        for row in rows
    }


async def _keep(connection: Connection, places: Mapping[Subject, Place]) -> None:
    if not places:
        return
    members = [each.member for each in places.values() if each.member is not None]
    await connection.execute(
        """insert into account_people (workspace, person, account, band, champion, silent_since, at)
           select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::boolean[], $6::timestamptz[],
             $7::timestamptz[]) order by 1, 2
           on conflict (workspace, person) do update set account = excluded.account, band = excluded.band,
             champion = excluded.champion, silent_since = excluded.silent_since, at = excluded.at""",
        [each.workspace for each in places],
        [each.id for each in places],
        [each.account for each in places.values()],
        *(list(column) for column in zip(*members, strict=True)),
        [each.at for each in places.values()],
    )


async def _forget(connection: Connection, persons: Sequence[Subject]) -> None:
    if persons:
        await connection.execute(
            "delete from account_people where (workspace, person) in (select * from unnest($1::uuid[], $2::uuid[]))",
            [each.workspace for each in persons],
            [each.id for each in persons],
        )


async def _note(connection: Connection, changes: Sequence[_Change]) -> None:
    if not changes:
        return
    members = [each.member for each in changes]
    await connection.execute(
        """insert into account_changes (workspace, account, at, band, champion, silent_since, number, told)
           select * from unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::text[], $5::boolean[], $6::timestamptz[],
             $7::int[], $8::boolean[])""",
        [each.account.workspace for each in changes],
        [each.account.id for each in changes],
        [each.at for each in changes],
        *(list(column) for column in zip(*members, strict=True)),
        [each.number for each in changes],
        [each.told for each in changes],
    )


async def _open(connection: Connection, accounts: Collection[Subject]) -> None:
    if accounts:
        await connection.execute(
            """insert into account_counts (workspace, account, counts)
               select *, '[]' from unnest($1::uuid[], $2::uuid[]) order by 1, 2 on conflict do nothing""",
            [each.workspace for each in accounts],
            [each.id for each in accounts],
        )


async def _sums(connection: Connection, accounts: Collection[Subject]) -> dict[Subject, _Sum]:
    rows = await connection.fetch(
        """select * from account_counts where (workspace, account) in (select * from unnest($1::uuid[], $2::uuid[]))
           order by workspace, account for update""",
        [each.workspace for each in accounts],
        [each.id for each in accounts],
    )
    return {
        Subject(row["workspace"], row["account"]): _Sum(dict(_stored(row["counts"])), row["at"], row["live_at"])
        for row in rows
    }


def _stored(counts: bytes) -> list[tuple[Member, int]]:
    return decode(counts, list[tuple[Member, int]])
