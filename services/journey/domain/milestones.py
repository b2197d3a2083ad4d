"""Milestones: instants that every journey may reach once, and how long it took to the first value."""

from collections.abc import Mapping, Sequence

from jornada.events import Milestone
from jornada.instants import instant
from services.journey.domain.rules import RuleSet
from services.journey.domain.stages import Entry
from services.journey.domain.state import State, value_days


def reached(state: State, rules: RuleSet, entries: Sequence[Entry], own: Mapping[str, int | None]) -> dict[str, int]:
    """When each milestone was reached that was, in microseconds.

    Shipped: the first act of use; `active` or beyond first entered; training first completed; a subscription renewed.
    `own` are a workspace's own and when they were reached: one of a shipped one's name stands in its place.
    """
    active = [entry.us for entry in entries if entry.stage in {"active", "loyal", "advocate"}]
    shipped = {
        "first_value": _first_value(state, rules),
        "activation": min(active, default=None),
        "trained": _first(state, "training_completed"),
        "renewed": _first(state, "subscription_renewed"),
    }
    return {name: us for name, us in (shipped | dict(sorted(own.items()))).items() if us is not None}


def told(reached: Mapping[str, int]) -> list[Milestone]:
    """The milestones that were reached, each with when."""
    return [Milestone(name, instant(us)) for name, us in reached.items()]


def time_to_value(state: State, rules: RuleSet, value: int | None) -> int | None:
    """Seconds from the first of what begins a journey to the first value; None before either."""
    begun = [us for kind in rules.onboarding_kinds if (us := _first(state, kind)) is not None]
    return None if value is None or not begun else max(0, value - min(begun)) // 1_000_000


def _first(state: State, kind: str) -> int | None:
    seen = state.kinds.get(kind)
    return None if seen is None else seen[1]


def _first_value(state: State, rules: RuleSet) -> int | None:
    days = value_days(state, rules.value_classes)
    return days[min(days)][0] if days else None
