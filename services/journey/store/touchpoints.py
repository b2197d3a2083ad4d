"""Touchpoints as they were accepted, each with the identifier that owns it."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg

from jornada.db import Connection
from jornada.events import SubjectId, Touchpoint, WorkspaceId, decode, encode
from jornada.instants import micros
from services.journey.domain.reading import Key, Reading, read
from services.journey.domain.vocabulary import Vocabulary


class Place(NamedTuple):
    """Where a stored touchpoint stands."""

    owner: UUID
    occurred_at: datetime
    message_id: str
    source: str


class Kept(NamedTuple):
    """A touchpoint with what is stored beside it."""

    place: Place
    device: str | None
    user: str | None
    reading: Reading

    @property
    def fits(self) -> bool:
        """Whether that is what it says."""
        return self.device == _device(self.reading) and self.user == self.reading.touchpoint.user_id


async def by_owner(
    connection: Connection, workspace: WorkspaceId, after: Place, most: int, vocabulary: Vocabulary
) -> list[Kept]:
    """Up to `most` touchpoints after a place, in the order of their owners."""
    rows = await connection.fetch(
        """select owner, occurred_at, message_id, source, device, user_id, record from touchpoints
           where workspace = $1 and (owner, occurred_at, message_id, source) > ($2, $3, $4, $5)
           order by owner, occurred_at, message_id, source limit $6""",
        workspace,
        *after,
        most,
    )
    return [_kept(row, vocabulary) for row in rows]


async def by_device(
    connection: Connection,
    workspace: WorkspaceId,
    after: tuple[str, datetime, str, str],
    most: int,
    vocabulary: Vocabulary,
) -> list[Kept]:
    """Up to `most` touchpoints without a user id after a place, in the order of their devices."""
    rows = await connection.fetch(
        """select owner, occurred_at, message_id, source, device, user_id, record from touchpoints
           where workspace = $1 and device is not null and user_id is null
             and (device, occurred_at, message_id, source) > ($2, $3, $4, $5)
           order by device, occurred_at, message_id, source limit $6""",
        workspace,
        *after,
        most,
    )
    return [_kept(row, vocabulary) for row in rows]


def _kept(row: asyncpg.Record, vocabulary: Vocabulary) -> Kept:
    place = Place(row["owner"], row["occurred_at"], row["message_id"], row["source"])
    return Kept(place, row["device"], row["user_id"], read(decode(row["record"], Touchpoint), vocabulary))


async def counts(connection: Connection, workspace: WorkspaceId, owners: Collection[UUID]) -> dict[UUID, int]:
    """How many touchpoints each of the owners has that has any."""
    rows = await connection.fetch(
        "select owner, count(*) as number from touchpoints where workspace = $1 and owner = any($2) group by owner",
        workspace,
        list(owners),
    )
    return {row["owner"]: row["number"] for row in rows}


async def add(connection: Connection, workspace: WorkspaceId, owned: Sequence[tuple[UUID, Reading]]) -> None:
    """Stores touchpoints with their owners."""
    await connection.execute(
        """insert into touchpoints (workspace, owner, occurred_at, message_id, source, device, user_id, record)
           select $1, * from unnest($2::uuid[], $3::timestamptz[], $4::text[], $5::text[], $6::text[], $7::text[],
                                    $8::bytea[])""",
        workspace,
        [owner for owner, _ in owned],
        [reading.touchpoint.occurred_at for _, reading in owned],
        [reading.touchpoint.message_id for _, reading in owned],
        [reading.touchpoint.source for _, reading in owned],
        [_device(reading) for _, reading in owned],
        [reading.touchpoint.user_id for _, reading in owned],
        [encode(reading.touchpoint) for _, reading in owned],
    )


def _device(reading: Reading) -> str | None:
    """The device that the row is a fact of (with a user id) or is attributed by (without one)."""
    touchpoint = reading.touchpoint
    silent = reading.ours if touchpoint.user_id is not None else reading.account is not None
    return None if silent else touchpoint.anonymous_id


async def of(
    connection: Connection, workspace: WorkspaceId, owners: Collection[UUID], vocabulary: Vocabulary
) -> list[tuple[UUID, Reading]]:
    """Every touchpoint of the owners, opened."""
    rows = await connection.fetch(
        "select owner, record from touchpoints where workspace = $1 and owner = any($2)", workspace, list(owners)
    )
    return [(row["owner"], read(decode(row["record"], Touchpoint), vocabulary)) for row in rows]


async def facts(connection: Connection, workspace: WorkspaceId, device: str) -> list[tuple[Key, str]]:
    """A device's facts, where its user changes, in event-time order; of two sources' at one place the later by name."""
    rows = await connection.fetch(
        """select occurred_at, message_id, user_id from (
               select *, lag(user_id) over (order by occurred_at, message_id, source) as before
               from device_facts where workspace = $1 and anonymous_id = $2) as facts
           where user_id is distinct from before order by occurred_at, message_id, source""",
        workspace,
        device,
    )
    return [((micros(row["occurred_at"]), row["message_id"]), row["user_id"]) for row in rows]


async def anonymous(connection: Connection, workspace: WorkspaceId, device: str, since: datetime | None) -> list[Place]:
    """The touchpoints of a device that carry no user id, from `since` on (or all)."""
    rows = await connection.fetch(
        """select owner, occurred_at, message_id, source from touchpoints
           where workspace = $1 and device = $2 and user_id is null
             and ($3::timestamptz is null or occurred_at >= $3)""",
        workspace,
        device,
        since,
    )
    return [Place(row["owner"], row["occurred_at"], row["message_id"], row["source"]) for row in rows]


async def strays(
    connection: Connection, workspace: WorkspaceId, devices: Mapping[str, UUID]
) -> list[tuple[Place, UUID]]:
    """The touchpoints without a user id that devices' own identifiers do not own, each with that identifier's id."""
    rows = await connection.fetch(
        """select owner, occurred_at, message_id, source, own
           from unnest($2::text[], $3::uuid[]) as given (value, own)
           join touchpoints on workspace = $1 and device = value and user_id is null and owner <> own""",
        workspace,
        list(devices),
        list(devices.values()),
    )
    return [(Place(row["owner"], row["occurred_at"], row["message_id"], row["source"]), row["own"]) for row in rows]


async def move(connection: Connection, workspace: WorkspaceId, moves: Sequence[tuple[Place, UUID]]) -> None:
    """Gives touchpoints to other owners."""
    await connection.executemany(
        """update touchpoints set owner = $6
           where workspace = $1 and owner = $2 and occurred_at = $3 and message_id = $4 and source = $5""",
        [(workspace, *place, owner) for place, owner in moves],
    )


async def give(connection: Connection, workspace: WorkspaceId, moves: Sequence[tuple[UUID, Reading, UUID]]) -> None:
    """Gives touchpoints of owners to others, as what they mean now would have it."""
    await connection.executemany(
        """update touchpoints set owner = $6, device = $7, user_id = $8
           where workspace = $1 and owner = $2 and occurred_at = $3 and message_id = $4 and source = $5""",
        [
            (
                workspace,
                owner,
                reading.touchpoint.occurred_at,
                reading.touchpoint.message_id,
                reading.touchpoint.source,
                to,
                _device(reading),
                reading.touchpoint.user_id,
            )
            for owner, reading, to in moves
        ],
    )


async def owners(connection: Connection, workspace: WorkspaceId, touchpoints: Sequence[Touchpoint]) -> set[UUID]:
    """Who owns these touchpoints, which carry no user id and are dated as they are stored."""
    by_device: dict[str, list[Touchpoint]] = defaultdict(list)
    for touchpoint in touchpoints:
        by_device[touchpoint.anonymous_id or ""].append(touchpoint)
    found: set[UUID] = set()
    for device, theirs in by_device.items():
        rows = await connection.fetch(
            """select owner from touchpoints
               where workspace = $1 and device = $2 and occurred_at = any($3) and message_id = any($4)""",
            workspace,
            device,
            [each.occurred_at for each in theirs],
            [each.message_id for each in theirs],
        )
        found |= {row["owner"] for row in rows}
    return found


async def older(
    connection: Connection, workspace: WorkspaceId, before: datetime, after: Place | None, limit: int
) -> list[tuple[Place, Touchpoint]]:
    """Up to `limit` touchpoints older than an instant, by owner, after a place."""
    rows = await connection.fetch(
        """select owner, occurred_at, message_id, source, record from touchpoints
           where workspace = $1 and occurred_at < $2
             and ($3::uuid is null
                  or (owner, occurred_at, message_id, source) > ($3, $4::timestamptz, $5::text, $6::text))
           order by owner, occurred_at, message_id, source limit $7""",
        workspace,
        before,
        *(after or (None, None, None, None)),
        limit,
    )
    return [
        (Place(row["owner"], row["occurred_at"], row["message_id"], row["source"]), decode(row["record"], Touchpoint))
        for row in rows
    ]


async def remove(connection: Connection, workspace: WorkspaceId, places: Sequence[Place]) -> set[Place]:
    """Drops touchpoints; returns those that were still there."""
    instants = [place.occurred_at for place in places]
    rows = await connection.fetch(
        """delete from touchpoints where workspace = $1 and occurred_at between $2 and $3
             and (owner, occurred_at, message_id, source) in (
                 select * from unnest($4::uuid[], $5::timestamptz[], $6::text[], $7::text[]))
           returning owner, occurred_at, message_id, source""",
        workspace,
        min(instants),
        max(instants),
        *(list(column) for column in zip(*places, strict=True)),
    )
    return {Place(*row) for row in rows}


async def any_of(connection: Connection, workspace: WorkspaceId, customers: Collection[SubjectId]) -> set[SubjectId]:
    """Those of the customers who have any touchpoint."""
    rows = await connection.fetch(
        """select distinct customer from identifiers where workspace = $1 and customer = any($2)
             and exists (select from touchpoints where touchpoints.workspace = $1 and owner = identifiers.id)""",
        workspace,
        list(customers),
    )
    return {SubjectId(row["customer"]) for row in rows}
