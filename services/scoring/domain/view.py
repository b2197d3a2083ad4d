"""What conditions may ask of a journey as it is published, by the names that journey itself knows, and the answers."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from math import floor
from re import compile as pattern
from typing import Any

from jornada.events import Billing, Feedback, JourneySnapshot, Learning, OpenTicket
from jornada.instants import micros
from jornada.rules import Sort, Terms
from jornada.rules.checking import instant_of
from jornada.rules.terms import TRAIT
from services.scoring.domain.profiles import LADDER
from services.scoring.domain.shapes import halved
from services.scoring.domain.words import STAGES

_SECOND = 1_000_000
_BILLION = 10**9
_NOTHING_LEFT = 100
"""So many half-lives leave less than a billionth of any count."""


def _billing(journey: JourneySnapshot) -> Billing:
    return journey.measures.billing or Billing()


def _feedback(journey: JourneySnapshot) -> Feedback:
    return journey.measures.feedback or Feedback()


def _learning(journey: JourneySnapshot) -> Learning:
    return journey.measures.learning or Learning()


def _open(journey: JourneySnapshot) -> Sequence[OpenTicket]:
    return journey.measures.support.open if journey.measures.support else ()


def _mrr(journey: JourneySnapshot) -> Decimal | None:
    mrr = _billing(journey).mrr
    return None if mrr is None else Decimal(mrr.amount)


def _of_use(journey: JourneySnapshot, read: Callable[[Any], Any], otherwise: int | None = 0) -> Any:
    use = journey.measures.use
    return otherwise if use is None else read(use)


def _tickets(journey: JourneySnapshot) -> int:
    return journey.measures.support.tickets if journey.measures.support else 0


_MEASURES: Mapping[str, tuple[Sort, Callable[[JourneySnapshot], Any]]] = {
    "touchpoints": (Sort.NUMBER, lambda journey: journey.touchpoints),
    "use.value_days": (Sort.NUMBER, lambda journey: _of_use(journey, lambda use: use.value_days)),
    "use.own_gap_days": (Sort.NUMBER, lambda journey: _of_use(journey, lambda use: use.own_gap_days, None)),
    "use.features": (Sort.NUMBER, lambda journey: _of_use(journey, lambda use: len(use.features))),
    "support.tickets": (Sort.NUMBER, _tickets),
    "support.open": (Sort.NUMBER, lambda journey: len(_open(journey))),
    "billing.plan": (Sort.TEXT, lambda journey: _billing(journey).plan),
    "billing.seats": (Sort.NUMBER, lambda journey: _billing(journey).seats),
    "billing.mrr": (Sort.NUMBER, _mrr),
    "billing.overdue": (Sort.NUMBER, lambda journey: len(_billing(journey).overdue)),
    "feedback.nps": (Sort.NUMBER, lambda journey: _feedback(journey).nps),
    "feedback.csat": (Sort.NUMBER, lambda journey: _feedback(journey).csat),
    "feedback.ces": (Sort.NUMBER, lambda journey: _feedback(journey).ces),
    "learning.courses_completed": (Sort.NUMBER, lambda journey: _learning(journey).courses_completed),
    "learning.onboarding_steps": (Sort.NUMBER, lambda journey: _learning(journey).onboarding_steps),
    "trainings_completed": (Sort.NUMBER, lambda journey: journey.measures.trainings_completed),
}


def _revenue(journey: JourneySnapshot, currency: str) -> Decimal:
    amounts = (each.amount for each in journey.measures.revenue if each.currency == currency)
    return Decimal(next(amounts, 0))


def _consent(journey: JourneySnapshot, purpose: str) -> str | None:
    return journey.measures.consents.get(purpose)


_FAMILIES: Mapping[str, tuple[Sort, Callable[[JourneySnapshot, str], Any]]] = {
    "revenue.*": (Sort.NUMBER, _revenue),
    "consents.*": (Sort.TEXT, _consent),
}
_DATES: Mapping[str, Callable[[JourneySnapshot], datetime | None]] = {
    "first_seen_at": lambda journey: journey.first_seen_at,
    "last_seen_at": lambda journey: journey.last_seen_at,
    "use.last_value_at": lambda journey: _of_use(journey, lambda use: use.last_value_at, None),
    "billing.renewal_at": lambda journey: _billing(journey).renewal_at,
    "billing.trial_started_at": lambda journey: _billing(journey).trial_started_at,
    "billing.trial_ends_at": lambda journey: _billing(journey).trial_ends_at,
    "billing.cancels_at": lambda journey: _billing(journey).cancels_at,
    "billing.payment_failed_since": lambda journey: _billing(journey).payment_failed_since,
    "billing.overdue_since": lambda journey: min(_billing(journey).overdue.values(), default=None),
    "support.oldest_open_at": lambda journey: min((each.opened_at for each in _open(journey)), default=None),
    "feedback.nps_at": lambda journey: _feedback(journey).nps_at,
    "feedback.csat_at": lambda journey: _feedback(journey).csat_at,
    "feedback.ces_at": lambda journey: _feedback(journey).ces_at,
}
_RELATIONSHIP = "relationship."
_RELATIONSHIPS = ("personal_assistance", "dedicated", "self_service", "automated", "community", "co_creation")


class _Kinds:
    """Any name that a kind may have: which ones a workspace has given, its journeys alone know."""

    _name = pattern(r"[a-z][a-z0-9_]{0,99}")

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._name.fullmatch(name) is not None


TERMS = Terms(
    stages=frozenset(STAGES),
    kinds=_Kinds(),
    measures={name: sort for name, (sort, _) in {**_MEASURES, **_FAMILIES}.items()},
    dates=frozenset({*_DATES, *(_RELATIONSHIP + type_ for type_ in _RELATIONSHIPS)}),
    half_lives=frozenset(LADDER),
    windows=False,
)
"""What a condition over a published journey may name: all that journey's own may, less windows of days."""


class SnapshotView:
    """The view of a published journey. Of the stages that silence will bring it knows none before they are told."""

    def __init__(self, journey: JourneySnapshot) -> None:
        self._journey = journey
        self.stages = [(micros(stage.entered_at), stage.name) for stage in journey.stages]

    def trait(self, name: str) -> Any:
        return self._journey.traits.get(name)

    def measure(self, name: str) -> Any:
        family, _, member = name.partition(".")
        if f"{family}.*" in _FAMILIES:
            return _FAMILIES[f"{family}.*"][1](self._journey, member)
        return _MEASURES[name][1](self._journey)

    def date(self, name: str) -> int | None:
        if name.startswith(TRAIT):
            return instant_of(self.trait(name.removeprefix(TRAIT)))
        found = self._served_so_since(name) if name.startswith(_RELATIONSHIP) else _DATES[name](self._journey)
        return None if found is None else micros(found)

    def last(self, kind: str) -> int | None:
        seen = self._journey.measures.counts.get(kind)
        return micros(self._journey.first_seen_at if seen is None else seen.last_at)

    def count(self, kind: str) -> int:
        seen = self._journey.measures.counts.get(kind)
        return 0 if seen is None else seen.total

    def by_day(self, kind: str) -> Mapping[int, int]:
        """Nothing: no condition in these terms asks for it."""
        return {}

    def decayed(self, kind: str, half_life: int, at: int) -> int:
        seen = self._journey.measures.counts.get(kind)
        if seen is None:
            return 0
        since = _whole_second(micros(seen.last_at))
        return floor(_BILLION * halved(seen.decayed[LADDER.index(half_life)], since, half_life, _whole_second(at)))

    def decays_below(self, kind: str, half_life: int, level: int) -> int | None:
        seen = self._journey.measures.counts.get(kind)
        if seen is None:
            return None
        low = micros(seen.last_at) // _SECOND
        high = low + _NOTHING_LEFT * half_life * 86_400
        while low < high:
            middle = (low + high) // 2
            if self.decayed(kind, half_life, middle * _SECOND) < level:
                high = middle
            else:
                low = middle + 1
        return low * _SECOND

    def _served_so_since(self, name: str) -> datetime | None:
        type_ = name.removeprefix(_RELATIONSHIP)
        return next((each.since for each in self._journey.relationship_types if each.type == type_), None)


def _whole_second(at: int) -> int:
    return at // _SECOND * _SECOND
