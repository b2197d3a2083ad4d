"""Which events were accepted: the first one committed under an id holds."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from msgspec.structs import replace

from jornada.db import Connection
from jornada.events import Touchpoint, WorkspaceId


class Sorted(NamedTuple):
    """A batch told apart: never seen before, seen before, and seen before with another payload.

    What was seen before is dated as it was when it was first accepted, and so is stored.
    """

    fresh: list[Touchpoint]
    again: list[Touchpoint]
    differing: list[Touchpoint]


class _Key(NamedTuple):
    payload_hash: str
    occurred_at: datetime


async def accept(connection: Connection, workspace: WorkspaceId, touchpoints: Sequence[Touchpoint]) -> Sorted:
    """Takes in what is new under (source, message id)."""
    first: dict[tuple[str, str], Touchpoint] = {}
    for touchpoint in touchpoints:
        first.setdefault((touchpoint.source, touchpoint.message_id), touchpoint)
    ordered = [first[name] for name in sorted(first)]
    rows = await connection.fetch(
        """insert into accepted (workspace, source, message_id, payload_hash, occurred_at)
           select $1, * from unnest($2::text[], $3::text[], $4::text[], $5::timestamptz[])
           on conflict do nothing returning source, message_id""",
        workspace,
        [each.source for each in ordered],
        [each.message_id for each in ordered],
        [each.payload_hash for each in ordered],
        [each.occurred_at for each in ordered],
    )
    new = {(row["source"], row["message_id"]) for row in rows}
    fresh = [first[name] for name in first if name in new]
    taken = {id(touchpoint) for touchpoint in fresh}
    told_again = [touchpoint for touchpoint in touchpoints if id(touchpoint) not in taken]
    known = await _known(connection, workspace, told_again)
    again = [replace(each, occurred_at=known[each.source, each.message_id].occurred_at) for each in told_again]
    differing = [each for each in again if known[each.source, each.message_id].payload_hash != each.payload_hash]
    return Sorted(fresh, again, differing)


class Key(NamedTuple):
    """Under what an event was accepted, and when it happened."""

    source: str
    message_id: str
    occurred_at: datetime


async def hide(connection: Connection, workspace: WorkspaceId, names: Mapping[Key, str]) -> set[Key]:
    """Keeps of accepted events that they were, under these names, and nothing else; returns those it is new of."""
    ordered = sorted(names)
    columns = [list(column) for column in zip(*ordered, strict=True)] if ordered else [[], [], []]
    await connection.execute(
        """delete from accepted using unnest($2::text[], $3::text[]) as gone (source, message_id)
           where accepted.workspace = $1 and accepted.source = gone.source
             and accepted.message_id = gone.message_id""",
        workspace,
        *columns[:2],
    )
    rows = await connection.fetch(
        """insert into accepted (workspace, source, message_id, payload_hash, occurred_at)
           select $1, source, name, '', occurred_at
           from unnest($2::text[], $3::text[], $4::timestamptz[]) as gone (source, name, occurred_at)
           on conflict do nothing returning source, message_id""",
        workspace,
        columns[0],
        [names[key] for key in ordered],
        columns[2],
    )
    new = {(row["source"], row["message_id"]) for row in rows}
    return {key for key in ordered if (key.source, names[key]) in new}


async def hidden(connection: Connection, workspace: WorkspaceId, names: Mapping[Key, str]) -> set[Key]:
    """Those of the events that were accepted before and are hidden."""
    rows = await connection.fetch(
        """select source, message_id from accepted where workspace = $1 and (source, message_id) in (
               select * from unnest($2::text[], $3::text[]))""",
        workspace,
        [key.source for key in names],
        list(names.values()),
    )
    found = {(row["source"], row["message_id"]) for row in rows}
    return {key for key, name in names.items() if (key.source, name) in found}


async def _known(
    connection: Connection, workspace: WorkspaceId, touchpoints: Sequence[Touchpoint]
) -> dict[tuple[str, str], _Key]:
    by_source: dict[str, list[str]] = defaultdict(list)
    for touchpoint in touchpoints:
        by_source[touchpoint.source].append(touchpoint.message_id)
    known: dict[tuple[str, str], _Key] = {}
    for source, message_ids in by_source.items():
        rows = await connection.fetch(
            "select message_id, payload_hash, occurred_at from accepted"
            " where workspace = $1 and source = $2 and message_id = any($3)",
            workspace,
            source,
            message_ids,
        )
        known |= {(source, row["message_id"]): _Key(row["payload_hash"], row["occurred_at"]) for row in rows}
    return known


async def drop(connection: Connection, workspace: WorkspaceId, keys: Collection[tuple[str, str]]) -> None:
    """Drops the keys (source, message id) of what is not stored."""
    ordered = sorted(keys)
    await connection.execute(
        """delete from accepted where workspace = $1
             and (source, message_id) in (select * from unnest($2::text[], $3::text[]))""",
        workspace,
        [source for source, _ in ordered],
        [message_id for _, message_id in ordered],
    )
