"""Rule sets: which stages there are and when each becomes true, as data."""

from collections.abc import Collection, Mapping
from typing import Any

import msgspec


class RuleSet(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers and kinds behind the stages. Days are whole days; a count of 0 means that none suffice.

    `base` names the shipped rule set that it is or begins from.

    `value_classes` name the acts of use whose days count. `at_risk_floor_days` and `churned_floor_days` are the least
    silence that worries, and that ends it. The customer is loyal `loyal_after_days` after the active ones' day, by the
    first of what `loyal_…` counts: renewals, purchases, weeks with a value day among the latest, value days.

    `when` has conditions, as JSON, that stand in place of what the numbers say of a customer's stage, whole.
    """

    name: str
    base: str = ""
    value_classes: tuple[str, ...]
    expected_gap_days: int
    onboarding_kinds: tuple[str, ...]
    active_days: int
    active_within_days: int | None
    active_purchases: int
    at_risk_floor_days: int
    churned_floor_days: int
    loyal_after_days: int = 0
    loyal_renewals: int = 0
    loyal_purchases: int = 0
    loyal_weeks: int = 0
    loyal_within_weeks: int = 13
    loyal_days: int = 0
    loyal_within_days: int | None = None
    when: Mapping[str, msgspec.Raw] = {}


_BEGUN = ("signed_up", "trial_started", "subscription_started", "purchased")

SUBSCRIPTION = RuleSet(
    name="subscription",
    base="subscription",
    value_classes=("use", "purchased", "app_opened"),
    expected_gap_days=7,
    onboarding_kinds=_BEGUN,
    active_days=3,
    active_within_days=14,
    active_purchases=2,
    at_risk_floor_days=14,
    churned_floor_days=60,
    loyal_after_days=180,
    loyal_renewals=1,
    loyal_purchases=5,
    loyal_weeks=12,
)
SHOP = RuleSet(
    name="shop",
    base="shop",
    value_classes=("purchased",),
    expected_gap_days=180,
    onboarding_kinds=_BEGUN,
    active_days=2,
    active_within_days=None,
    active_purchases=0,
    at_risk_floor_days=60,
    churned_floor_days=365,
    loyal_days=4,
    loyal_within_days=730,
)
APP = RuleSet(
    name="app",
    base="app",
    value_classes=("app_opened",),
    expected_gap_days=2,
    onboarding_kinds=("app_installed", "app_opened"),
    active_days=3,
    active_within_days=7,
    active_purchases=0,
    at_risk_floor_days=3,
    churned_floor_days=14,
    loyal_days=20,
    loyal_within_days=28,
)

RULE_SETS: Mapping[str, RuleSet] = {rules.name: rules for rules in (SUBSCRIPTION, SHOP, APP)}
DEFAULT = SUBSCRIPTION

OWN = "own"
"""The name of the rule set that a workspace writes."""

MOST_DAYS = 3_650
_CLASSES = frozenset({"use", "purchased", "app_opened"})
_AT_LEAST_ONE = frozenset({"expected_gap_days", "active_days", "at_risk_floor_days", "churned_floor_days"})
_MAY_BE_NONE = frozenset({"active_within_days", "loyal_within_days"})


class InvalidRules(Exception):
    """These make no rule set. `flaws` names everything wrong: (the part's name, what is wrong with it)."""

    def __init__(self, flaws: list[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{name}: {why}" for name, why in flaws))
        self.flaws = flaws


def own(base: RuleSet, change: Mapping[str, Any], kinds: Collection[str]) -> RuleSet:
    """A workspace's own rule set: a shipped one with some of its parts replaced, whole. Raises InvalidRules."""
    flaws = [(name, why) for name, value in change.items() if (why := _flaw(name, value, kinds)) is not None]
    if flaws:
        raise InvalidRules(flaws)
    parts = {name: tuple(value) if isinstance(value, list) else value for name, value in change.items()}
    made = msgspec.structs.replace(base, name=OWN, **parts)
    if made.churned_floor_days < made.at_risk_floor_days:
        raise InvalidRules(
            [("churned_floor_days", "Who has churned was at risk before: no less than at_risk_floor_days.")]
        )
    return made


def nearest(rules: RuleSet) -> RuleSet:
    """The shipped rule set that shares most parts: what an own one begins from that does not say so."""

    def shared(shipped: RuleSet) -> int:
        return sum(getattr(shipped, part) == getattr(rules, part) for part in RuleSet.__struct_fields__)

    return max(RULE_SETS.values(), key=shared)


def _flaw(name: str, value: Any, kinds: Collection[str]) -> str | None:
    if name in {"name", "base", "when"} or name not in RuleSet.__struct_fields__:
        return "There is no such part."
    if name in {"value_classes", "onboarding_kinds"}:
        known = _CLASSES if name == "value_classes" else kinds
        fits = (
            isinstance(value, list) and bool(value) and all(isinstance(each, str) and each in known for each in value)
        )
        return None if fits else f"A list of some of {', '.join(sorted(known))}."
    if value is None and name in _MAY_BE_NONE:
        return None
    least = 1 if name in _AT_LEAST_ONE else 0
    fits = isinstance(value, int) and not isinstance(value, bool) and least <= value <= MOST_DAYS
    return None if fits else f"A whole number from {least} to {MOST_DAYS}."


STAGES = ("visitor", "lead", "onboarding", "active", "loyal", "advocate", "at_risk", "churned", "won_back")
"""Every stage there is, whatever the rule set."""

CONDITIONAL = ("onboarding", "active", "loyal", "advocate", "at_risk")
"""Those to which a workspace may give a condition."""


def proposed(kinds: Mapping[str, int]) -> RuleSet:
    """The rule set that suits what a workspace's customers were seen to do, by kind and how often.

    A contract of any sort means *subscription*; without one *shop* or *app*, by what happens more often, purchases or
    openings of the app; *subscription* where neither does.
    """
    if any(kinds.get(kind) for kind in ("subscription_started", "subscription_renewed", "trial_started")):
        return SUBSCRIPTION
    bought, opened = kinds.get("purchased", 0), kinds.get("app_opened", 0)
    if not bought and not opened:
        return DEFAULT
    return SHOP if bought >= opened else APP
