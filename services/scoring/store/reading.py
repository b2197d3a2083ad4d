"""Reads for the API: one subject by id or identifier, its history, lists and counts."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, NamedTuple
from uuid import UUID

import asyncpg
import msgspec

from jornada.bus.publisher import Subject
from jornada.db import Database
from jornada.events import JourneySnapshot, Reason, ScoreSnapshot, SubjectId, SubjectType, WorkspaceId, decode
from jornada.web import Reference
from services.scoring.domain.overriding import Override
from services.scoring.domain.people import Peopled, people_of
from services.scoring.domain.scores import Configuration
from services.scoring.domain.since import Before
from services.scoring.store import facts, overrides

Sort = Literal["revenue_at_risk", "health", "risk", "since"]
_MERGES = 32

_ORDERS: dict[Sort, tuple[str, str]] = {
    "revenue_at_risk": ("revenue_at_risk", "desc"),
    "health": ("coalesce(health, 101)", "asc"),
    "risk": ("coalesce(risk, -1)", "desc"),
    "since": ("extract(epoch from band_since)::float8", "desc"),
}
"""What each sort goes by, the most urgent first; subjects without the number come last."""


class Scored(NamedTuple):
    """One subject: its newest journey, its scores as published, and what the list sorts it by."""

    journey: JourneySnapshot
    scores: ScoreSnapshot
    revenue_at_risk: float
    key: float = 0.0

    def as_it_was(self, journey: JourneySnapshot) -> "Scored":
        """By an earlier journey of its own; since when it has been red is on record of today alone."""
        return self._replace(journey=journey, scores=msgspec.structs.replace(self.scores, red_since=None))


class Published(NamedTuple):
    """One line of a subject's history."""

    version: int
    at: datetime
    journey_version: int
    profile: str
    band: str
    health: float | None
    risk: float | None
    reasons: list[Reason]
    fold: int
    model: str


class Count(NamedTuple):
    """How many subjects of a stage have a band."""

    stage: str
    band: str
    subjects: int


class Among(NamedTuple):
    """Whom a list is narrowed to; all of it where nothing is said. `account`: to the people of that one."""

    band: str | None = None
    type: SubjectType | None = None
    stage: str | None = None
    segment: str | None = None
    account: UUID | None = None


class Position(NamedTuple):
    """Where a page of the list ended: the sort's number and the subject."""

    key: float
    id: SubjectId


class Readings:
    """Reads of one workspace at a time."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, workspace: WorkspaceId, type_: SubjectType, reference: Reference) -> Scored | None:
        """The subject that a reference names, or that it became by merging; None if there is none."""
        async with self._database.transaction([workspace]) as connection:
            id_ = reference.id
            if id_ is None:
                id_ = await connection.fetchval(
                    """select subjects.id from identifiers join subjects
                       on subjects.workspace = identifiers.workspace and subjects.id = identifiers.subject
                       where identifiers.workspace = $1 and identifiers.type = $2 and value = $3 and subjects.type = $4
                         and journey is not null order by journey_version desc limit 1""",
                    workspace,
                    reference.type,
                    reference.value,
                    type_,
                )
            for _ in range(_MERGES):
                row = await connection.fetchrow(
                    """select journey, score, revenue_at_risk, merged_into from subjects
                       where workspace = $1 and id = $2 and type = $3""",
                    workspace,
                    id_,
                    type_,
                )
                if row is None or row["merged_into"] is None:
                    break
                id_ = row["merged_into"]
        return None if row is None or row["journey"] is None else _scored(row)

    async def before(self, journey: JourneySnapshot) -> Before | None:
        """The journey before the last change by a point, as it was first published; None where nobody knows.

        The journey itself, so that only time has passed since, where nothing has changed so much, or nothing but
        history has come since: an imported past is no news.
        """
        whom = journey.workspace, journey.subject_id
        async with self._database.transaction([journey.workspace]) as connection:
            stored = await connection.fetchval("select before from subjects where workspace = $1 and id = $2", *whom)
            earlier = journey if stored is None else decode(stored, Peopled)
            before = journey if _news(earlier) == _news(journey) else earlier
            people = people_of(before)
            row = await connection.fetchrow(
                """select at, health, fold from history
                   where workspace = $1 and subject = $2 and journey_version = $3
                     and ($4::timestamptz is null or at >= $4) order by version limit 1""",
                *whom,
                before.version,
                None if people is None else people.at,
            )
        if row is None or row["health"] is None:
            return None
        return Before(before, row["at"], row["health"], row["fold"])

    async def published(self, workspace: WorkspaceId, subject: SubjectId, at: datetime) -> float | None:
        """The health that was the newest at an instant; None where there was none."""
        async with self._database.transaction([workspace]) as connection:
            health: float | None = await connection.fetchval(
                """select health from history where workspace = $1 and subject = $2 and at <= $3
                   order by version desc limit 1""",
                workspace,
                subject,
                at,
            )
        return health

    async def history(
        self, workspace: WorkspaceId, subject: SubjectId, limit: int, before: int | None
    ) -> Sequence[Published]:
        """What was published of a subject, newest first, below the version named."""
        async with self._database.transaction([workspace]) as connection:
            rows = await connection.fetch(
                """select version, at, journey_version, profile, band, health, risk, reasons, fold, model
                   from history
                   where workspace = $1 and subject = $2 and ($3::bigint is null or version < $3)
                   order by version desc limit $4""",
                workspace,
                subject,
                before,
                limit,
            )
        return [Published(**{**dict(row), "reasons": decode(row["reasons"], list[Reason])}) for row in rows]

    async def page(
        self,
        workspace: WorkspaceId,
        sort: Sort,
        limit: int,
        *,
        among: Among,
        after: Position | None,
    ) -> Sequence[Scored]:
        """Up to `limit` subjects that stand in lists, the most urgent first, after the position."""
        by, direction = _ORDERS[sort]
        of_account = "" if among.account is None else "and account = $9"
        beyond = "<" if direction == "desc" else ">"
        async with self._database.transaction([workspace]) as connection:
            rows = await connection.fetch(
                f"""select journey, score, revenue_at_risk, {by} as key from subjects
                    where workspace = $1 and band is not null and ($2::text is null or band = $2)
                      and ($3::text is null or type = $3)
                      and ($7::text is null or stage = $7) and ($8::text is null or segments ? $8) {of_account}
                      and ($4::float8 is null or {by} {beyond} $4 or ({by} = $4 and id > $5))
                    order by {by} {direction}, id limit $6""",  # noqa: S608 - our own expressions
                workspace,
                among.band,
                among.type,
                after.key if after else None,
                after.id if after else None,
                limit,
                among.stage,
                among.segment,
                *([] if among.account is None else [among.account]),
            )
        return [_scored(row, row["key"]) for row in rows]

    async def counts(self, workspace: WorkspaceId, type_: SubjectType | None) -> Sequence[Count]:
        """How many subjects stand where."""
        async with self._database.transaction([workspace]) as connection:
            rows = await connection.fetch(
                """select stage, band, count(*) from subjects
                   where workspace = $1 and band is not null and ($2::text is null or type = $2)
                   group by stage, band order by stage, band""",
                workspace,
                type_,
            )
        return [Count(*row) for row in rows]

    async def configuration(self, workspace: WorkspaceId) -> Configuration:
        """What holds in a workspace."""
        async with self._database.transaction([workspace]) as connection:
            return (await facts.in_force(connection, [workspace]))[workspace]

    async def override(self, workspace: WorkspaceId, subject: SubjectId, at: datetime) -> Override | None:
        """The override of a subject that held at an instant, or holds then unless somebody ends it, if any."""
        async with self._database.transaction([workspace]) as connection:
            return await overrides.at(connection, Subject(workspace, subject), at)

    async def some(self, workspace: WorkspaceId, limit: int, after: SubjectId | None) -> Sequence[Scored]:
        """Up to `limit` subjects by id, after the one named: a fair part of all, as ids are drawn from hashes."""
        async with self._database.transaction([workspace]) as connection:
            rows = await connection.fetch(
                """select journey, score, revenue_at_risk from subjects
                   where workspace = $1 and band is not null and ($2::uuid is null or id > $2) order by id limit $3""",
                workspace,
                after,
                limit,
            )
        return [_scored(row) for row in rows]


def _scored(row: asyncpg.Record, key: float = 0.0) -> Scored:
    return Scored(decode(row["journey"], Peopled), decode(row["score"], ScoreSnapshot), row["revenue_at_risk"], key)


def _news(journey: JourneySnapshot) -> tuple[datetime | None, datetime | None]:
    """When something last happened to a subject, and to an account's people, that is no history."""
    people = people_of(journey)
    return journey.live_at, None if people is None else people.live_at
