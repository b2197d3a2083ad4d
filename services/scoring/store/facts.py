"""What was: recorded bands, crossings, and the components that a workspace has ever received."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from jornada.bus.publisher import Subject
from jornada.bus.timers import Timer
from jornada.db import Connection
from jornada.events import Crossing, WorkspaceId, encode
from services.scoring.domain.announcing import Recorded
from services.scoring.domain.judging import Kept
from services.scoring.domain.ladder import LEVEL_ONE
from services.scoring.domain.scores import Configuration
from services.scoring.store import freezes, models, profiles


async def recorded(connection: Connection, subjects: Collection[Subject]) -> dict[Subject, dict[str, Recorded]]:
    """What is on record of these subjects, by score."""
    rows = await connection.fetch(
        """select * from recorded_bands
           where (workspace, subject) in (select * from unnest($1::uuid[], $2::uuid[]))""",
        [each.workspace for each in subjects],
        [each.id for each in subjects],
    )
    found: dict[Subject, dict[str, Recorded]] = {}
    for row in rows:
        known = found.setdefault(Subject(row["workspace"], row["subject"]), {})
        known[row["score"]] = Recorded(*(row[field] for field in Recorded._fields))
    return found


async def record(connection: Connection, bands: Mapping[Subject, Mapping[str, Recorded]]) -> None:
    """Puts on record what these subjects' bands are now; an older journey's judgement never replaces a newer one's."""
    every = [(subject, score, known) for subject, scores in bands.items() for score, known in scores.items()]
    if not every:
        return
    await connection.execute(
        """insert into recorded_bands (workspace, subject, score, band, since, ordinal, came_from, announced,
             announce_at, live_at, history_at, journey_version)
           select workspace, subject, score, band, since, ordinal, came_from, announced, announce_at, live_at,
             history_at, journey_version
           from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::timestamptz[], $6::int[], $7::text[],
             $8::boolean[], $9::timestamptz[], $10::timestamptz[], $11::timestamptz[], $12::bigint[])
             as new (workspace, subject, score, band, since, ordinal, came_from, announced, announce_at, live_at,
               history_at, journey_version)
           order by 1, 2, 3
           on conflict (workspace, subject, score) do update set band = excluded.band, since = excluded.since,
             ordinal = excluded.ordinal, came_from = excluded.came_from, announced = excluded.announced,
             announce_at = excluded.announce_at, live_at = excluded.live_at, history_at = excluded.history_at,
             journey_version = excluded.journey_version
           where recorded_bands.journey_version <= excluded.journey_version""",
        [subject.workspace for subject, _, _ in every],
        [subject.id for subject, _, _ in every],
        [score for _, score, _ in every],
        *(list(column) for column in zip(*(known for _, _, known in every), strict=True)),
    )


async def keep(connection: Connection, crossings: Sequence[Kept]) -> list[Crossing]:
    """Keeps crossings, told or not; returns those that are told now for the first time, whatever happened before."""
    rows = await connection.fetch(
        """insert into crossings (workspace, id, subject, score, ordinal, from_band, to_band, at, recorded_at,
             announced_at, crossing)
           select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::int[], $6::text[], $7::text[],
             $8::timestamptz[], $9::timestamptz[], $10::timestamptz[], $11::bytea[]) order by 1, 2
           on conflict (workspace, id) do update
             set announced_at = excluded.announced_at, crossing = excluded.crossing
             where crossings.announced_at is null and excluded.announced_at is not null
           returning id, announced_at""",
        [each.crossing.workspace for each in crossings],
        [each.crossing.id for each in crossings],
        [each.crossing.subject_id for each in crossings],
        [each.crossing.score for each in crossings],
        [each.crossing.ordinal for each in crossings],
        [each.crossing.from_ for each in crossings],
        [each.crossing.to for each in crossings],
        [each.crossing.at for each in crossings],
        [each.crossing.recorded_at for each in crossings],
        [each.announced_at for each in crossings],
        [encode(each.crossing) for each in crossings],
    )
    told: set[UUID] = {row["id"] for row in rows if row["announced_at"] is not None}
    return [each.crossing for each in crossings if each.crossing.id in told]


async def configurations(
    connection: Connection, received: Mapping[WorkspaceId, Collection[str]], now: datetime
) -> dict[WorkspaceId, Configuration]:
    """What holds in each workspace, the `received` components connected from now on.

    Nobody waits: where another batch is connecting a component just now, it is left to that one. Who was scored
    without it is found by what their rows say, and scored again.
    """
    known = await _connected(connection, received)
    for workspace in sorted(received):
        new = set(received[workspace]) - known[workspace]
        if new:
            await _connect(connection, workspace, new, now)
    force = await in_force(connection, received)
    return {
        workspace: each._replace(connected=each.connected.union(received[workspace]))
        for workspace, each in force.items()
    }


async def in_force(connection: Connection, workspaces: Collection[WorkspaceId]) -> dict[WorkspaceId, Configuration]:
    """What holds in each workspace."""
    connected = await _connected(connection, workspaces)
    own = await profiles.own(connection, workspaces)
    champions = await models.champions(connection, workspaces)
    frozen = await freezes.of(connection, workspaces)
    watched = await freezes.watched(connection, workspaces)
    return {
        each: Configuration(
            connected[each], *own[each], frozen.get(each, ()), *watched[each], champions.get(each, LEVEL_ONE)
        )
        for each in workspaces
    }


async def _connected(connection: Connection, workspaces: Collection[WorkspaceId]) -> dict[WorkspaceId, frozenset[str]]:
    rows = await connection.fetch(
        "select workspace, component from connected where workspace = any($1::uuid[])", list(workspaces)
    )
    return {
        workspace: frozenset(row["component"] for row in rows if row["workspace"] == workspace)
        for workspace in workspaces
    }


async def _connect(connection: Connection, workspace: WorkspaceId, components: Collection[str], now: datetime) -> None:
    await connection.execute(
        """insert into connected (workspace, component, since) select $1::uuid, component, $3 from unnest($2::text[])
           as component where pg_try_advisory_xact_lock(hashtextextended('scoring/' || $1::uuid || '/' || component, 0))
           on conflict do nothing""",
        workspace,
        sorted(components),
        now,
    )


async def alone(connection: Connection, workspace: WorkspaceId) -> None:
    """Has whoever else changes the workspace's profiles wait for the end of this transaction."""
    await connection.execute("select pg_advisory_xact_lock(hashtextextended($1, 0))", f"scoring/{workspace}/profiles")


async def put_missing(connection: Connection, wanted: Sequence[Timer]) -> None:
    """Sets timers of subjects that have none; one that stands, though overdue, is still to fire at its own instant."""
    ordered = sorted(wanted)
    await connection.execute(
        """insert into timers (workspace, subject, name, due_at)
           select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[]) on conflict do nothing""",
        [timer.workspace for timer in ordered],
        [timer.subject for timer in ordered],
        [timer.name for timer in ordered],
        [timer.due_at for timer in ordered],
    )


RESCORE = "rescore"
"""The timer of a subject that is to be scored again though nothing happened to it."""
