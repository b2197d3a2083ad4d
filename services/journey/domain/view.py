"""What conditions may ask of a journey, by name, and how its state answers."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import cached_property, partial
from typing import Any, NamedTuple

import msgspec

from jornada.rules import Sort, Terms
from jornada.rules.checking import instant_of
from jornada.rules.terms import TRAIT
from services.journey.domain import contracts, decay, silences
from services.journey.domain.decay import LADDER
from services.journey.domain.parts import relationships
from services.journey.domain.parts.tickets import Ticket
from services.journey.domain.reading import NANO
from services.journey.domain.rules import STAGES, RuleSet
from services.journey.domain.stages import Entry
from services.journey.domain.state import Day, State, value_days
from services.journey.domain.vocabulary import ALL_KINDS

_SECOND = 1_000_000


class Measured(NamedTuple):
    """A number or text of the journey: its sort, what it means, and how it is read off."""

    sort: Sort
    meaning: str
    of: "Callable[[StateView], Any]"


class Dated(NamedTuple):
    """A date of the journey: what it means, and how it is read off, in microseconds."""

    meaning: str
    of: "Callable[[StateView], int | None]"


class StateView:
    """The view of a state; `entries` is the timeline that its subject has, or will have had by the next touchpoint."""

    def __init__(self, state: State, rules: RuleSet, entries: Sequence[Entry]) -> None:
        self.state = state
        self.rules = rules
        self._entries = entries
        self._by_day: dict[str, Mapping[int, int]] = {}

    @cached_property
    def stages(self) -> Sequence[tuple[int, str]]:
        return [(entry.us, entry.stage) for entry in self._entries]

    def trait(self, name: str) -> Any:
        register = self.state.traits.get(name)
        return None if register is None else msgspec.json.decode(register[2])

    def measure(self, name: str) -> Any:
        family, _, member = name.partition(".")
        if f"{family}.*" in FAMILIES:
            return FAMILIES[f"{family}.*"].of(self, member)
        return MEASURES[name].of(self)

    def date(self, name: str) -> int | None:
        if name.startswith(TRAIT):
            return instant_of(self.trait(name.removeprefix(TRAIT)))
        return DATES[name].of(self)

    def last(self, kind: str) -> int | None:
        seen = self.state.kinds.get(kind)
        first = self.state.first
        return seen[3] if seen is not None else None if first is None else first[0]

    def count(self, kind: str) -> int:
        seen = self.state.kinds.get(kind)
        return 0 if seen is None else seen[0]

    def by_day(self, kind: str) -> Mapping[int, int]:
        if kind not in self._by_day:
            self._by_day[kind] = {int(day): number for day, number in self.state.counts.get(kind, {}).items()}
        return self._by_day[kind]

    def decayed(self, kind: str, half_life: int, at: int) -> int:
        sums = self.state.halvings.get(kind)
        return 0 if sums is None else decay.billionths(sums[LADDER.index(half_life)], half_life, at // _SECOND)

    def decays_below(self, kind: str, half_life: int, level: int) -> int | None:
        sums = self.state.halvings.get(kind)
        second = None if sums is None else decay.below_at(sums[LADDER.index(half_life)], half_life, level)
        return None if second is None else second * _SECOND

    def value_days(self) -> Mapping[int, Day]:
        """The days with an act of use that the rules count."""
        return value_days(self.state, self.rules.value_classes)

    def billing(self, name: str) -> Any:
        """A fact of billing as decoded JSON, or None."""
        register = self.state.billing.get(name)
        return None if register is None else msgspec.json.decode(register[2])

    def trial(self) -> contracts.Trial:
        """The latest trial."""
        return contracts.trial(self.state.billing, self.state.contract)

    def feedback(self, survey: str) -> Decimal | None:
        """The latest score of a survey."""
        answer = self.state.surveys.latest(survey)
        if answer is None:
            return None
        return Decimal(answer.level * 10) / NANO if survey == "nps" else Decimal(answer.score) / NANO

    def open_tickets(self) -> list[Ticket]:
        """The tickets that stand open."""
        return [each for each in self.state.tickets.values() if each.since is not None]


def _of_sort(value: Any, sort: type) -> Any:
    return value if isinstance(value, sort) and not isinstance(value, bool) else None


def _mrr(view: StateView) -> Decimal | None:
    mrr = view.billing("mrr")
    return Decimal(mrr["amount"]) if isinstance(mrr, dict) and "amount" in mrr else None


def _last_value(view: StateView) -> int | None:
    days = view.value_days()
    return days[max(days)][2] if days else None


def _own_gap(view: StateView) -> int:
    return silences.own_gap(silences.gaps_of(view.value_days()), view.rules)


def _oldest(view: StateView) -> int | None:
    return min((each.since for each in view.open_tickets() if each.since is not None), default=None)


def _answered(view: StateView, survey: str) -> int | None:
    answer = view.state.surveys.latest(survey)
    return None if answer is None else answer.us


def _served_so_since(view: StateView, type_: str) -> int | None:
    return next((each.since for each in view.state.relationships.standing() if each.type == type_), None)


def _revenue(view: StateView, currency: str) -> Decimal:
    return Decimal(view.state.revenue.get(currency, 0)) / NANO


def _consent(view: StateView, purpose: str) -> str | None:
    register = view.state.consents.get(purpose)
    return None if register is None else register[2]


MEASURES: Mapping[str, Measured] = {
    "touchpoints": Measured(Sort.NUMBER, "touchpoints, ours left out", lambda view: view.state.touchpoints),
    "use.value_days": Measured(Sort.NUMBER, "UTC days with an act of use", lambda view: len(view.value_days())),
    "use.own_gap_days": Measured(Sort.NUMBER, "the usual longest pause, in days", _own_gap),
    "use.features": Measured(Sort.NUMBER, "features ever used, at most 200", lambda view: len(view.state.features)),
    "support.tickets": Measured(Sort.NUMBER, "tickets ever", lambda view: len(view.state.tickets)),
    "support.open": Measured(Sort.NUMBER, "tickets that stand open", lambda view: len(view.open_tickets())),
    "billing.plan": Measured(Sort.TEXT, "the plan", lambda view: _of_sort(view.billing("plan"), str)),
    "billing.seats": Measured(Sort.NUMBER, "seats of the contract", lambda view: _of_sort(view.billing("seats"), int)),
    "billing.mrr": Measured(Sort.NUMBER, "monthly revenue, in its own currency", _mrr),
    "feedback.nps": Measured(Sort.NUMBER, "the latest NPS answer, 0 to 10", lambda view: view.feedback("nps")),
    "feedback.csat": Measured(Sort.NUMBER, "the latest CSAT answer", lambda view: view.feedback("csat")),
    "feedback.ces": Measured(Sort.NUMBER, "the latest CES answer", lambda view: view.feedback("ces")),
    "billing.overdue": Measured(
        Sort.NUMBER, "invoices that stand overdue", lambda view: len(view.state.invoices.open())
    ),
    "learning.courses_completed": Measured(
        Sort.NUMBER, "courses completed, each once", lambda view: len(view.state.learning.completed())
    ),
    "learning.onboarding_steps": Measured(
        Sort.NUMBER, "onboarding steps completed, each once", lambda view: len(view.state.learning.steps)
    ),
    "trainings_completed": Measured(Sort.NUMBER, "trainings completed", lambda view: view.count("training_completed")),
}


class Family(NamedTuple):
    """Measures of one sort under a common beginning, `revenue.BRL`."""

    sort: Sort
    meaning: str
    of: Callable[[StateView, str], Any]


FAMILIES: Mapping[str, Family] = {
    "revenue.*": Family(Sort.NUMBER, "all purchases, by currency: `revenue.BRL`", _revenue),
    "consents.*": Family(
        Sort.TEXT, "`granted`, `denied` or `revoked`, by channel and purpose: `consents.email/marketing`", _consent
    ),
}

DATES: Mapping[str, Dated] = {
    "first_seen_at": Dated("the first touchpoint", lambda view: view.state.first and view.state.first[0]),
    "last_seen_at": Dated("the latest touchpoint", lambda view: view.state.last and view.state.last[0]),
    "use.last_value_at": Dated("the latest act of use", _last_value),
    "billing.renewal_at": Dated("when the contract renews", lambda view: instant_of(view.billing("renewal_at"))),
    "billing.trial_started_at": Dated("when the latest trial started", lambda view: view.trial().begins),
    "billing.trial_ends_at": Dated("when it ends, or ended", lambda view: view.trial().ends),
    "billing.cancels_at": Dated(
        "when the contract ends, by a cancellation that stands", lambda view: contracts.cancels_at(view.state.contract)
    ),
    "billing.payment_failed_since": Dated(
        "the first failure after the last recovery", lambda view: contracts.unpaid_since(view.state.contract)
    ),
    "support.oldest_open_at": Dated("the oldest ticket that stands open", _oldest),
    "feedback.nps_at": Dated("the latest NPS answer", lambda view: _answered(view, "nps")),
    "billing.overdue_since": Dated(
        "the oldest invoice that stands overdue", lambda view: min(view.state.invoices.open().values(), default=None)
    ),
    "feedback.ces_at": Dated("the latest CES answer", lambda view: _answered(view, "ces")),
    "feedback.csat_at": Dated("the latest CSAT answer", lambda view: _answered(view, "csat")),
} | {
    f"relationship.{type_}": Dated("since when they are served so", partial(_served_so_since, type_=type_))
    for type_ in relationships.TYPES
}

TERMS = Terms(
    stages=frozenset(STAGES),
    kinds=ALL_KINDS,
    measures={name: each.sort for name, each in MEASURES.items()}
    | {name: each.sort for name, each in FAMILIES.items()},
    dates=frozenset(DATES),
    half_lives=frozenset(LADDER),
)
"""What a condition may name where a workspace says nothing."""


def terms(kinds: frozenset[str]) -> Terms:
    """What the conditions of a workspace of these kinds may name."""
    return msgspec.structs.replace(TERMS, kinds=kinds)


def stage_terms(kinds: frozenset[str]) -> Terms:
    """What the conditions of its stages may name: all but the stage."""
    return msgspec.structs.replace(TERMS, kinds=kinds, barred=frozenset({"stage"}))
