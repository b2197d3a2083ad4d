"""Earlier journeys that are still to be judged, and the timers that are due and have not fired."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from jornada.bus.publisher import Subject
from jornada.db import Connection
from jornada.events import JourneySnapshot, decode, encode
from services.scoring.domain.judging import TIMED
from services.scoring.domain.pending import Pending
from services.scoring.domain.people import Peopled


async def overdue(connection: Connection, subjects: Collection[Subject], now: datetime) -> dict[Subject, datetime]:
    """Of those subjects of which a timer is due and has not fired: when the earliest was."""
    rows = await connection.fetch(
        """select workspace, subject, min(due_at) as due_at from timers
           where (workspace, subject) in (select * from unnest($1::uuid[], $2::uuid[]))
             and name = any($3) and due_at <= $4 group by workspace, subject""",
        [each.workspace for each in subjects],
        [each.id for each in subjects],
        list(TIMED),
        now,
    )
    return {Subject(row["workspace"], row["subject"]): row["due_at"] for row in rows}


async def of(connection: Connection, versions: Mapping[Subject, tuple[int, int]]) -> dict[Subject, list[Pending]]:
    """What is pending of subjects, in order: from the version judged last on, up to before the stored one.

    What is older was left behind by a release that knew nothing of it.
    """
    rows = await connection.fetch(
        """select pending.* from pending
           join unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bigint[]) as known (workspace, subject, judged, stored)
             on pending.workspace = known.workspace and pending.subject = known.subject
           where journey_version >= judged and journey_version < stored order by journey_version""",
        [each.workspace for each in versions],
        [each.id for each in versions],
        [judged for judged, _ in versions.values()],
        [stored for _, stored in versions.values()],
    )
    found: dict[Subject, list[Pending]] = {}
    for row in rows:
        journey: JourneySnapshot = decode(row["journey"], Peopled)
        found.setdefault(Subject(row["workspace"], row["subject"]), []).append(Pending(journey, row["until_at"]))
    return found


async def keep(connection: Connection, held: Mapping[Subject, Sequence[Pending]]) -> None:
    """Has this be what is pending of these subjects, and nothing else."""
    if not held:
        return
    await connection.execute(
        "delete from pending where (workspace, subject) in (select * from unnest($1::uuid[], $2::uuid[]))",
        [each.workspace for each in held],
        [each.id for each in held],
    )
    every = [(subject, each) for subject, found in held.items() for each in found]
    if every:
        await connection.execute(
            """insert into pending (workspace, subject, journey_version, journey, until_at)
               select * from unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bytea[], $5::timestamptz[])""",
            [subject.workspace for subject, _ in every],
            [subject.id for subject, _ in every],
            [each.journey.version for _, each in every],
            [encode(each.journey) for _, each in every],
            [each.until for _, each in every],
        )
