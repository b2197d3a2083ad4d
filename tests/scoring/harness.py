"""Scoring's stream side on real Postgres, driven by hand: journeys in, what it publishes out, time as it is told."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any

from jornada.bus.carrier import Received, Record
from jornada.bus.publisher import Publisher
from jornada.bus.timers import Ticker
from jornada.clock import SetClock
from jornada.db import Database
from jornada.events import (
    CROSSINGS,
    JOURNEYS,
    SCORES,
    Crossing,
    JourneyEvent,
    JourneySnapshot,
    ScoreEvent,
    WorkspaceId,
    decode,
    encode,
    new_id,
    topic_key,
)
from services.scoring.accounting import Accounting
from services.scoring.rescoring import Rescoring
from services.scoring.store import subjects
from services.scoring.store.subjects import PostgresScores
from services.scoring.worker.folding import Folding
from tests.scoring.journeys import AT, journey
from tests.shared.worker.toy import Script


class Scoring:
    """One workspace of its own. `seen` judges journeys as one batch; `pass_to` lets time pass and fires what is due."""

    def __init__(self, database: Database) -> None:
        self.workspace = WorkspaceId(new_id())
        self.database = database
        self.clock = SetClock(AT)
        self.bus = Script()
        self.publisher = Publisher(database, self.bus, PostgresScores())
        self.folding = Folding(self.publisher, self.clock)

    def journey(self, name: str = "ana", **more: Any) -> JourneySnapshot:
        """A journey of this workspace."""
        return journey(name, workspace=self.workspace, **more)

    async def seen(self, *events: JourneyEvent) -> None:
        """Folds the journeys as one batch and publishes."""
        records = [received(offset, event) for offset, event in enumerate(events)]
        async with self.database.transaction([self.workspace]) as connection:
            subjects = await self.folding.fold(connection, records)
        await self.publisher.publish(subjects)
        await self.publisher.drain([self.workspace])

    async def pass_to(self, at: datetime, folded_until: Callable[[], Awaitable[datetime]] | None = None) -> int:
        """Sets the clock and fires all of this workspace's timers that are due; returns how many."""
        self.clock.at = at
        own = _Mine(self)
        ticker = Ticker(
            database=self.database,
            publisher=self.publisher,
            clock=self.clock,
            hold=subjects.held,
            fire=self.folding.fire,
            folded_until=folded_until or own.now,
            most=10_000,
        )
        fired, left, accounting = 0, None, Accounting(self.database, self.clock)
        while fired < 1_000_000:
            asked, count = await accounting.ask(), await ticker.tick()
            fired += count
            before, left = left, await self._left(at)
            if not asked and (not count or left == before):  # What is held back stays due.
                break
        return fired

    async def _left(self, at: datetime) -> list[dict[str, Any]]:
        """What is due, and in which version, and what is not added up."""
        return await self.rows(
            """select subject, name, due_at::text, version from timers left join subjects
                 on subjects.workspace = timers.workspace and subjects.id = subject where due_at <= $1
               union all select account, member::text, at::text, 0 from account_changes as member order by 1, 2, 3""",
            at,
        )

    async def rescored(self, at: datetime) -> int:
        """Scores again whoever was scored by something else than holds, then lets time pass."""
        some = Rescoring(self.database, self.clock)
        while await some.ask():
            pass
        return await self.pass_to(at)

    def crossings(self) -> list[Crossing]:
        """What was published on the crossings' topic, in order."""
        return [decode(each.value, Crossing) for each in self._published(CROSSINGS.name)]

    def scores(self) -> list[Any]:
        """What was published on the scores' topic, in order."""
        return [decode(each.value, ScoreEvent) for each in self._published(SCORES.name)]

    async def rows(self, query: str, *arguments: object) -> list[dict[str, Any]]:
        """Rows as scoring's role sees them in this workspace."""
        async with self.database.transaction([self.workspace]) as connection:
            return [dict(row) for row in await connection.fetch(query, *arguments)]

    async def kept(self, score: str = "health") -> list[tuple[str, str, bool]]:
        """The crossings on record of one score: from, to, told."""
        rows = await self.rows("select * from crossings where score = $1 order by subject, ordinal", score)
        return [(row["from_band"], row["to_band"], row["announced_at"] is not None) for row in rows]

    async def due(self) -> dict[str, datetime]:
        """The timers, by name."""
        return {row["name"]: row["due_at"] for row in await self.rows("select name, due_at from timers")}

    def _published(self, topic: str) -> Sequence[Record]:
        prefix = str(self.workspace).encode()
        return [each for each in self.bus.published if each.topic == topic and each.key.startswith(prefix)]


class _Mine:
    def __init__(self, scoring: Scoring) -> None:
        self._scoring = scoring

    async def now(self) -> datetime:
        return self._scoring.clock.at


def received(offset: int, event: JourneyEvent) -> Received:
    """A journey as it is read off the stream."""
    key = topic_key(event.workspace, event.subject_id)
    return Received(JOURNEYS.name, 0, offset, key, encode(event), (), AT)
