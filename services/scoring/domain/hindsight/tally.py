"""Two configurations over many subjects: who stands where, who left, who was warned of it, and how often in vain."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import TypeVar

import msgspec

from jornada.events import Band, JourneySnapshot
from services.scoring.domain.bands import WORSE
from services.scoring.domain.hindsight.facts import By, departures, follows
from services.scoring.domain.hindsight.warnings import Outcome, Standing, outcomes, reds, standing, warned_at
from services.scoring.domain.scores import Configuration
from services.scoring.domain.shapes import significant

_Name = TypeVar("_Name")
MONTH = timedelta(days=365.25 / 12)


class Stands(msgspec.Struct, frozen=True, kw_only=True):
    """One subject under one configuration, at the last instant."""

    score: float | None
    band: Band
    profile: str


class Changed(msgspec.Struct, frozen=True, kw_only=True):
    """A subject whose band the change would change."""

    journey: JourneySnapshot
    today: Stands
    changed: Stands


class Side(msgspec.Struct, kw_only=True):
    """What one configuration would have said. `leads` are days from each warning to the leaving of whom it warned of.

    `bands` are those of the last instant.
    """

    bands: dict[Band, int] = {}
    warnings: dict[Outcome, int] = {}
    leads: list[float] = []

    @property
    def lead_days(self) -> float | None:
        """Days from the warning to the leaving, the median of those who were warned of."""
        return significant(median(self.leads)) if self.leads else None

    @property
    def precision(self) -> float | None:
        """Of the warnings that were right or in vain the share that was right."""
        right, in_vain = self.warnings.get("right", 0), self.warnings.get("in_vain", 0)
        return significant(right / (right + in_vain)) if right + in_vain else None


class Tally(msgspec.Struct, kw_only=True):
    """What was found of the subjects added so far: the facts, and both sides.

    `earlier` are, of those of whom both warned, the days by which the change would have warned earlier. `followed` is
    for how long subjects were there that could have left, all together. `turns` counts by band today, then changed.
    """

    today: Side = msgspec.field(default_factory=Side)
    changed: Side = msgspec.field(default_factory=Side)
    subjects: int = 0
    left: dict[By, int] = {}
    followed: timedelta = timedelta()
    earlier: list[float] = []
    turns: dict[Band, dict[Band, int]] = {}
    who: list[Changed] = []

    @property
    def earlier_days(self) -> float | None:
        """The median of `earlier`."""
        return significant(median(self.earlier)) if self.earlier else None


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked: the row of instants, in order, and how many subjects that would change band to list."""

    instants: list[datetime]
    most: int


def add(
    tally: Tally, series: Sequence[JourneySnapshot], today: Configuration, changed: Configuration, asked: Asked
) -> None:
    """Adds one subject's series, which is not empty."""
    now = [standing(journey, today) for journey in series]
    then = [standing(journey, changed) for journey in series]
    tally.subjects += 1
    _add_bands(tally, series[-1], now[-1], then[-1], asked)
    # One fact for both sides: the horizon is that of the profile which holds today.
    _add_facts(tally, series, (now, then), timedelta(days=now[-1].profile.risk.horizon_days), asked)


def _add_bands(tally: Tally, journey: JourneySnapshot, now: Standing, then: Standing, asked: Asked) -> None:
    _count(tally.today.bands, [now.band])
    _count(tally.changed.bands, [then.band])
    if now.band == then.band:
        return
    _count(tally.turns.setdefault(now.band, {}), [then.band])
    tally.who.append(Changed(journey=journey, today=_stands(now), changed=_stands(then)))
    tally.who = sorted(tally.who, key=_urgency)[: asked.most]


def _stands(found: Standing) -> Stands:
    return Stands(score=found.score, band=found.band, profile=found.profile.label)


def _urgency(changed: Changed) -> tuple[int, float, str]:
    """The worst band first that the change would show, then the lowest score."""
    then = changed.changed
    return -WORSE.get(then.band, -1), 101.0 if then.score is None else then.score, str(changed.journey.subject_id)


def _add_facts(
    tally: Tally,
    series: Sequence[JourneySnapshot],
    standings: tuple[Sequence[Standing], Sequence[Standing]],
    horizon: timedelta,
    asked: Asked,
) -> None:
    begin, end = asked.instants[0], asked.instants[-1]
    left = departures(series, horizon)
    there = (later.as_of - each.as_of for each, later in pairwise(series) if follows(each, horizon))
    tally.followed += sum(there, timedelta())
    _count(tally.left, (each.by for each in left if each.at > begin))
    warnings = [reds(series, each) for each in standings]
    for side, theirs in zip((tally.today, tally.changed), warnings, strict=True):
        _count(side.warnings, outcomes(theirs, left, horizon, begin, end))
    for each in left:
        if each.at <= begin:
            continue
        one, other = (warned_at(each, theirs, horizon) for theirs in warnings)
        for side, at in ((tally.today, one), (tally.changed, other)):
            if at is not None:
                side.leads.append(_days(each.at - at))
        if one is not None and other is not None:
            tally.earlier.append(_days(one - other))


def _count(counts: dict[_Name, int], found: Iterable[_Name]) -> None:
    for each in found:
        counts[each] = counts.get(each, 0) + 1


def _days(time: timedelta) -> float:
    return time / timedelta(days=1)
