"""Milestones: instants that every journey may reach once, and how long it took to the first value."""

from collections.abc import Sequence

from jornada.events import Milestone
from jornada.instants import instant
from services.journey.domain.rules import RuleSet
from services.journey.domain.stages import Entry
from services.journey.domain.state import State, value_days

NAMES = ("first_value", "activation", "trained", "renewed")
"""The first act of use; `active` or beyond first entered; training first completed; a subscription first renewed."""


def reached(state: State, rules: RuleSet, entries: Sequence[Entry]) -> list[Milestone]:
    """The milestones that were reached, each with when."""
    active = [entry.us for entry in entries if entry.stage in {"active", "loyal", "advocate"}]
    first = {
        "first_value": _first_value(state, rules),
        "activation": min(active, default=None),
        "trained": _first(state, "training_completed"),
        "renewed": _first(state, "subscription_renewed"),
    }
    return [Milestone(name, instant(us)) for name in NAMES if (us := first[name]) is not None]


def time_to_value(state: State, rules: RuleSet) -> int | None:
    """Seconds from the first of what begins a journey to the first act of use; None before either."""
    begun = [us for kind in rules.onboarding_kinds if (us := _first(state, kind)) is not None]
    value = _first_value(state, rules)
    return None if value is None or not begun else max(0, value - min(begun)) // 1_000_000


def _first(state: State, kind: str) -> int | None:
    seen = state.kinds.get(kind)
    return None if seen is None else seen[1]


def _first_value(state: State, rules: RuleSet) -> int | None:
    days = value_days(state, rules.value_classes)
    return days[min(days)][0] if days else None
