"""What has changed health since it last changed by a point: what happened, time, the configuration, or the rules."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from jornada.events import JourneySnapshot
from jornada.instants import micros
from services.scoring.domain import crossing
from services.scoring.domain.course import Course
from services.scoring.domain.scores import FOLD, Configuration, course_of
from services.scoring.domain.shapes import significant


class Before(NamedTuple):
    """An earlier journey, and what was published of it first: when, which score, and by which fold."""

    journey: JourneySnapshot
    at: datetime
    score: float
    fold: int


class Moved(NamedTuple):
    """By how many points a component moved: by what happened, and by time before that."""

    name: str
    event: float
    time: float


class Since(NamedTuple):
    """The change of health since `at`, when it was `score`: four parts that sum to it, in points.

    `event` is what has happened by the newest journey, `time` what silence would have made of the earlier one by now;
    what is left is due to `config`, what the workspace has connected or said since, or to `model`, where these rules
    are newer.
    """

    at: datetime
    score: float
    event: float
    time: float
    config: float
    model: float
    components: Sequence[Moved]

    @property
    def change(self) -> float:
        """The sum of the parts."""
        return significant(self.event + self.time + self.config + self.model)


def since_last(journey: JourneySnapshot, before: Before, configuration: Configuration, now: datetime) -> Since | None:
    """The change from an earlier journey to `now`; None where one has no known component, or one that is frozen."""
    begin, end = micros(before.at), micros(max(now, journey.as_of))
    earlier, newer = course_of(before.journey, configuration, begin, end), course_of(journey, configuration, end)
    if not earlier.shares or not newer.shares or earlier.frozen or newer.frozen:
        return None
    then, waited, at_last = (
        crossing.at(earlier, begin),
        crossing.at(earlier, end),
        crossing.at(newer, end),
    )
    left = significant(then - before.score)
    same = before.fold == FOLD
    return Since(
        before.at,
        before.score,
        event=significant(at_last - waited),
        time=significant(waited - then),
        config=left if same else 0.0,
        model=0.0 if same else left,
        components=_moved(earlier, newer, begin, end),
    )


def _moved(earlier: Course, newer: Course, begin: int, end: int) -> list[Moved]:
    """Components of which either part is not nothing, what moved most first."""
    then, waited, at_last = _points(earlier, begin), _points(earlier, end), _points(newer, end)
    moved = [
        Moved(
            name,
            significant(at_last.get(name, 0.0) - waited.get(name, 0.0)),
            significant(waited.get(name, 0.0) - then.get(name, 0.0)),
        )
        for name in {**waited, **at_last}
    ]
    shown = [each for each in moved if abs(each.event) + abs(each.time) >= LEAST]
    return sorted(shown, key=lambda each: (-abs(each.event + each.time), each.name))


LEAST = 0.05
"""Points by which a component must have moved to be told."""


def _points(course: Course, at: int) -> dict[str, float]:
    values = zip(course.shares, course.values(at), strict=True)
    return {share.name: 100.0 * share.weight * value for share, value in values}
