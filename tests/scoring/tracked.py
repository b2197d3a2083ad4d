"""A workspace of customers who open an app each day, of whom some leave for good, and whose tracker may break."""

import random
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from jornada.db import Database
from jornada.events import Crossing, JourneySnapshot, Measures, Support, WorkspaceId
from jornada.instants import instant, micros
from services.scoring.sisters import Volume
from services.scoring.watching import Watching
from tests.scoring.harness import Scoring
from tests.scoring.journeys import AT, used_on

HOUR = timedelta(hours=1)
HISTORY_HOURS = 3 * 168
STEP = timedelta(minutes=30)


class Plan(NamedTuple):
    """What happens: how many customers there are, for how long, and when the tracker is broken, by hours from AT.

    Each opens the app once a day, at an hour of their own; every twentieth leaves for good at some time.
    """

    customers: int
    hours: int
    broken: tuple[float, float] = (0.0, 0.0)
    slips: float = 0.03

    def visits(self) -> list[tuple[datetime, int]]:
        """When each customer opens the app, in order, by number."""
        drawn = random.Random(7)
        found = []
        for number in range(self.customers):
            at, stays = drawn.uniform(0, 24), drawn.uniform(-4, self.hours / 24) if number % 20 == 0 else self.hours
            for day in range(-10, self.hours // 24 + 1):
                hours = day * 24 + at + drawn.uniform(-2, 2)
                if day <= stays and hours < self.hours:
                    found.append((AT + hours * HOUR, number))
        return sorted(found)

    def arrive(self) -> list[tuple[datetime, int]]:
        """The visits of which anything arrives: while the tracker is broken next to none."""
        drawn, (begin, end) = random.Random(8), self.broken
        return [
            visit
            for visit in self.visits()
            if not begin * HOUR <= visit[0] - AT < end * HOUR or drawn.random() < self.slips
        ]


class Counts:
    """Journey's answer on volumes: what had arrived by now, with weeks before in which as many came as ever."""

    def __init__(self, scoring: Scoring, plan: Plan) -> None:
        self._clock = scoring.clock
        self._by_hour: dict[datetime, list[tuple[datetime, int]]] = {}
        first = plan.visits()[0][0]
        for at, number in plan.arrive():
            self._by_hour.setdefault(at.replace(minute=0, second=0, microsecond=0), []).append((at, number))
        opening = AT.replace(minute=0)
        for hours in range(1, HISTORY_HOURS):
            hour = opening - hours * HOUR
            if hour < first + 24 * HOUR:
                some = range(max(plan.customers // 24, 1))
                self._by_hour[hour] = [(hour, number) for number in some]

    async def since(self, workspace: WorkspaceId, begin: datetime) -> Sequence[Volume]:
        found = []
        for hour in sorted(each for each in self._by_hour if begin <= each <= self._clock.at):
            came = [(at, number) for at, number in self._by_hour[hour] if at <= self._clock.at]
            if came:
                last = max(at for at, _ in came)
                whose = {number for _, number in came}
                found.append(Volume("app", "app_opened", hour, len(whose), last, ["use"]))
        return found


class Told(NamedTuple):
    """What came of a plan: the crossings that were told, each with when, and when it was frozen from and until."""

    crossings: Sequence[Crossing]
    frozen: Sequence[tuple[datetime, datetime | None]]

    def worse(self, begin: datetime, end: datetime) -> list[str]:
        """Who was told to have become worse in a time, by name."""
        told = (each for each in self.crossings if begin <= each.recorded_at < end and each.to != "green")
        return sorted(each.identifiers[0].value for each in told)


async def lived(database: Database, plan: Plan, *, watched: bool = True) -> Told:
    """Lives a plan in a new workspace, minute by minute where the tracker breaks: timers first, and then the look."""
    scoring = Scoring(database)
    watching = Watching(database, Counts(scoring, plan), _caught_up, scoring.clock)
    arrive = plan.arrive()
    await _seen(scoring, [visit for visit in arrive if visit[0] <= AT], range(plan.customers), AT)
    waiting = [visit for visit in arrive if visit[0] > AT]
    past = [visit for visit in arrive if visit[0] <= AT]
    at, end = AT, AT + plan.hours * HOUR
    days: dict[int, list[datetime]] = {}
    for when, number in past:
        days.setdefault(number, []).append(when)
    begin = AT + plan.broken[0] * HOUR
    while at < end:
        at += timedelta(minutes=1) if begin - HOUR < at < begin + HOUR else STEP
        await scoring.pass_to(at)
        now = [visit for visit in waiting if visit[0] <= at]
        waiting = waiting[len(now) :]
        for when, number in now:
            days.setdefault(number, []).append(when)
        if now:
            await scoring.seen(*(_journey(scoring, number, days[number]) for number in {each for _, each in now}))
        if watched:
            await watching.look(scoring.workspace)
            await scoring.rescored(at)
    rows = await scoring.rows("select began_at, ended_at from freezes order by began_at")
    return Told(scoring.crossings(), [(row["began_at"], row["ended_at"]) for row in rows])


async def _seen(scoring: Scoring, visits: Sequence[tuple[datetime, int]], whose: Collection[int], at: datetime) -> None:
    days: dict[int, list[datetime]] = {number: [] for number in whose}
    for when, number in visits:
        days[number].append(when)
    scoring.clock.at = at
    every = [_journey(scoring, number, theirs) for number, theirs in days.items() if theirs]
    for first in range(0, len(every), 500):
        await scoring.seen(*every[first : first + 500])


def _journey(scoring: Scoring, number: int, days: Sequence[datetime]) -> JourneySnapshot:
    last = days[-1]
    use = used_on([(last - each) / timedelta(days=1) for each in days], last, own_gap_days=2)
    measures = Measures(use=use, support=Support(tickets=1))
    return scoring.journey(
        f"user{number}",
        version=len(days),
        as_of=last,
        last_seen_at=last,
        live_at=last,
        rules="app",
        measures=measures,
        first_seen_at=instant(micros(days[0])),
    )


async def _caught_up() -> float:
    return 0.0
