"""Subjects whose health falls from one band into another by silence alone, each at an instant that was drawn."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import product
from random import Random
from typing import NamedTuple

from jornada.events import Band, Billing, JourneySnapshot, Measures, Money, SubjectId, Support, WorkspaceId
from jornada.instants import micros
from services.scoring.domain.course import received
from services.scoring.domain.crossing import at as value_at
from services.scoring.domain.crossing import crosses
from services.scoring.domain.risk import RiskCourse
from services.scoring.domain.scores import Configuration, course_of
from services.scoring.domain.shipped import SAAS
from tests.scoring.journeys import AT, WORKSPACE, journey, subject_id, use

PUT_OFF = timedelta(days=1)
"""By how much a touch puts the fall off."""

_MARGIN = timedelta(hours=2)
_USED = (3.5, 4.0, 4.5, 5.0, 6.0, 7.5, 9.0, 12.0)
_GAPS = (3, 7, 10, 20)
_MICROSECOND = timedelta(microseconds=1)


class Shape(NamedTuple):
    """A way to fall: how much was used and how regularly, the bands, and how long after the last use it is."""

    used: float
    own_gap_days: int
    from_: Band = "unknown"
    to: Band = "unknown"
    after: timedelta = timedelta()


class Falling(NamedTuple):
    """One subject, and the instant at which it falls if nothing more happens."""

    workspace: WorkspaceId
    name: str
    shape: Shape
    at: datetime

    @property
    def id(self) -> SubjectId:
        return subject_id(self.name)

    def journey(self, *, touched: bool = False) -> JourneySnapshot:
        """Its journey; `touched`, the one after it, of which it falls a day later."""
        last = self.at + PUT_OFF * touched - self.shape.after
        return _journey(self.shape, last, self.name, workspace=self.workspace, version=1 + touched)


def drawn(
    workspaces: Sequence[WorkspaceId], count: int, begin: datetime, within: timedelta, seed: int
) -> list[Falling]:
    """So many subjects, who fall within the time from `begin` on, in no order.

    Of each it is made sure: a microsecond before its instant health lies in the one band, and at it in the other.
    """
    random, ways = Random(seed), list(shapes())
    falling = []
    for number in range(count):
        at = begin + timedelta(microseconds=random.randrange(within // _MICROSECOND))
        each = Falling(workspaces[number % len(workspaces)], f"falling-{number}", ways[number % len(ways)], at)
        told = each.journey()
        assert (_health(told, at - _MICROSECOND), _health(told, at)) == (each.shape.from_, each.shape.to), each
        falling.append(each)
    return falling


def shapes() -> Iterator[Shape]:
    """Every way to fall for the first time, and nothing else with it, neither health nor churn risk, put off or not."""
    for used, gap in product(_USED, _GAPS):
        told = _journey(Shape(used, gap), AT, "shape")
        crossed = crosses(course_of(told, _said(told), micros(AT)), SAAS.bands, AT)
        if crossed is not None:
            shape = Shape(used, gap, _health(told, AT), crossed.band, crossed.at - AT)
            if _alone(told, shape, crossed.at):
                yield shape


def _alone(told: JourneySnapshot, shape: Shape, at: datetime) -> bool:
    begin, before, after = at - PUT_OFF - _MARGIN, at - _MARGIN, at + _MARGIN
    risks = {_risk(told, each) for each in (AT, begin, before, after)}
    bands = [_health(told, each) for each in (begin, before, after)]
    return begin > AT and bands == [shape.from_, shape.from_, shape.to] and len(risks) == 1 and "red" not in risks


def _journey(
    shape: Shape, last: datetime, name: str, workspace: WorkspaceId = WORKSPACE, version: int = 1
) -> JourneySnapshot:
    measures = Measures(
        use=use(last, count=shape.used, own_gap_days=shape.own_gap_days),
        support=Support(tickets=1),
        billing=Billing(plan="pro", mrr=Money("100.00", "BRL")),
    )
    return journey(name, version=version, as_of=last, measures=measures, workspace=workspace)


def _said(told: JourneySnapshot) -> Configuration:
    return Configuration(frozenset(received(told.measures)))


def _health(told: JourneySnapshot, at: datetime) -> Band:
    return SAAS.bands.band(value_at(course_of(told, _said(told), micros(at)), micros(at)))


def _risk(told: JourneySnapshot, at: datetime) -> Band:
    course = RiskCourse(course_of(told, _said(told), micros(at)), SAAS.risk)
    return SAAS.risk.bands.band(value_at(course, micros(at)))
