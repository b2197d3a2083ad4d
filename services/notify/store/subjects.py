"""The newest of what journey and scoring said of each subject."""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from jornada.db import Connection
from jornada.events import (
    Erased,
    Identifier,
    JourneyEvent,
    JourneySnapshot,
    MergedInto,
    ScoreEvent,
    ScoreMergedInto,
    ScoreSnapshot,
    SubjectId,
    WorkspaceId,
    decode,
    encode,
)
from jornada.web import Reference
from services.notify.domain.customers import Customer, Settled, customer_of
from services.notify.store import erased

_LONGEST_CHAIN = 100
_E = TypeVar("_E", bound=JourneyEvent | ScoreEvent)


class Found(NamedTuple):
    """A subject after following what it merged into; `customer` is None where no snapshot is known or is left."""

    id: SubjectId
    customer: Customer | None
    erased: bool
    settled: Settled


async def keep_journeys(connection: Connection, events: Sequence[JourneyEvent]) -> None:
    """Keeps each subject's highest version; forgets an erased one, save that."""
    if not events:
        return
    newest = _newest(events)
    await erased.forget(connection, [each for each in newest if isinstance(each, Erased)])
    rows = await connection.fetch(
        """insert into journeys (workspace, subject, version, subject_type, merged_into, erased, customer)
           select * from unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[], $5::uuid[], $6::bool[], $7::bytea[])
           on conflict (workspace, subject) do update
           set version = excluded.version, merged_into = excluded.merged_into, erased = excluded.erased,
               customer = excluded.customer
           where journeys.version < excluded.version and not journeys.erased
           returning workspace, subject""",
        [each.workspace for each in newest],
        [each.subject_id for each in newest],
        [each.version for each in newest],
        [each.subject_type for each in newest],
        [each.into if isinstance(each, MergedInto) else None for each in newest],
        [isinstance(each, Erased) for each in newest],
        [encode(customer_of(each)) if isinstance(each, JourneySnapshot) else None for each in newest],
    )
    kept = {(row["workspace"], row["subject"]) for row in rows}
    await _name(connection, [each for each in newest if (each.workspace, each.subject_id) in kept])


async def keep_scores(connection: Connection, events: Sequence[ScoreEvent]) -> None:
    """Keeps each subject's highest version; of one that was erased or is another one now, nothing else."""
    if not events:
        return
    newest = _newest(events)
    await connection.execute(
        """insert into scores (workspace, subject, version, merged_into, journey_version, band)
           select * from unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::uuid[], $5::bigint[], $6::text[])
           on conflict (workspace, subject) do update
           set version = excluded.version, merged_into = excluded.merged_into,
               journey_version = excluded.journey_version, band = excluded.band
           where scores.version < excluded.version""",
        [each.workspace for each in newest],
        [each.subject_id for each in newest],
        [each.version for each in newest],
        [each.into if isinstance(each, ScoreMergedInto) else None for each in newest],
        [each.journey_version if isinstance(each, ScoreSnapshot) else None for each in newest],
        [each.health.band if isinstance(each, ScoreSnapshot) else None for each in newest],
    )


async def find(connection: Connection, workspace: WorkspaceId, reference: Reference) -> SubjectId | None:
    """Whom a reference names, after merges; None if nobody is known by it."""
    if reference.id is not None:
        row = await connection.fetchrow(
            "select subject from journeys where workspace = $1 and subject = $2 and not erased",
            workspace,
            reference.id,
        )
    else:
        row = await connection.fetchrow(
            """select subject from identifiers join journeys using (workspace, subject)
               where workspace = $1 and type = $2 and value = $3 order by version desc limit 1""",
            workspace,
            reference.type,
            reference.value,
        )
    return None if row is None else await survivor(connection, workspace, row["subject"])


async def held(connection: Connection, workspace: WorkspaceId, ids: Collection[SubjectId]) -> set[SubjectId]:
    """Those of the subjects that are not erased, and are not until the end of this transaction."""
    rows = await connection.fetch(
        "select subject, erased from journeys where workspace = $1 and subject = any($2) order by subject for share",
        workspace,
        list(ids),
    )
    return set(ids) - {SubjectId(row["subject"]) for row in rows if row["erased"]}


async def survivor(connection: Connection, workspace: WorkspaceId, subject: SubjectId) -> SubjectId:
    """Whom the subject has become."""
    for _ in range(_LONGEST_CHAIN):
        into = await connection.fetchval(
            "select merged_into from journeys where workspace = $1 and subject = $2", workspace, subject
        )
        if into is None:
            break
        subject = SubjectId(into)
    return subject


async def family(connection: Connection, workspace: WorkspaceId, subject: SubjectId) -> list[UUID]:
    """The subject and all who became it."""
    rows = await connection.fetch(
        """with recursive family (subject) as (
               select $2::uuid union
               select journeys.subject from journeys join family on journeys.merged_into = family.subject
               where workspace = $1)
           select subject from family""",
        workspace,
        subject,
    )
    return [row["subject"] for row in rows]


async def locked(connection: Connection, workspace: WorkspaceId, subject: SubjectId) -> Found:
    """What is known of whom the subject has become; who holds this lock decides on messages to them."""
    id_ = await survivor(connection, workspace, subject)
    row = await connection.fetchrow(
        "select version, customer, erased from journeys where workspace = $1 and subject = $2 for update",
        workspace,
        id_,
    )
    return await _found(connection, workspace, id_, row)


async def known(connection: Connection, workspace: WorkspaceId, subject: SubjectId) -> Found:
    """The same without the lock."""
    id_ = await survivor(connection, workspace, subject)
    row = await connection.fetchrow(
        "select version, customer, erased from journeys where workspace = $1 and subject = $2", workspace, id_
    )
    return await _found(connection, workspace, id_, row)


async def _found(connection: Connection, workspace: WorkspaceId, id_: SubjectId, row: Any) -> Found:
    score = await connection.fetchrow(
        "select journey_version, band from scores where workspace = $1 and subject = $2", workspace, id_
    )
    blob = row["customer"] if row is not None else None
    return Found(
        id=id_,
        customer=decode(blob, Customer) if blob is not None else None,
        erased=row is not None and row["erased"],
        settled=Settled(
            journey_version=row["version"] if row is not None else None,
            score_journey_version=score["journey_version"] if score is not None else None,
            band=score["band"] if score is not None else None,
        ),
    )


async def _name(connection: Connection, events: Sequence[JourneyEvent]) -> None:
    """Makes the identifiers of these subjects those of their newest snapshots."""
    subjects = [(each.workspace, each.subject_id) for each in events]
    names = [
        (each.workspace, each.subject_id, identifier)
        for each in events
        if isinstance(each, JourneySnapshot)
        for identifier in sorted(set(each.identifiers))
    ]
    arrays = _columns(names)
    await connection.execute(
        """delete from identifiers using unnest($1::uuid[], $2::uuid[]) as of (workspace, subject)
           where identifiers.workspace = of.workspace and identifiers.subject = of.subject
             and (identifiers.workspace, identifiers.subject, identifiers.type, identifiers.value) not in
                 (select * from unnest($3::uuid[], $4::uuid[], $5::text[], $6::text[]))""",
        [workspace for workspace, _ in subjects],
        [subject for _, subject in subjects],
        *arrays,
    )
    await connection.execute(
        """insert into identifiers (workspace, subject, type, value)
           select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[]) on conflict do nothing""",
        *arrays,
    )


def _columns(
    names: Sequence[tuple[WorkspaceId, SubjectId, Identifier]],
) -> tuple[list[UUID], list[UUID], list[str], list[str]]:
    return (
        [workspace for workspace, _, _ in names],
        [subject for _, subject, _ in names],
        [identifier.type for _, _, identifier in names],
        [identifier.value for _, _, identifier in names],
    )


def _newest(events: Sequence[_E]) -> list[_E]:
    """The highest version of each subject, in an order that all transactions share."""
    newest: dict[tuple[WorkspaceId, SubjectId], _E] = {}
    for each in sorted(events, key=lambda event: (event.workspace, event.subject_id, event.version)):
        newest[each.workspace, each.subject_id] = each
    return list(newest.values())
