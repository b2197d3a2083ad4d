"""Rule sets: which stages there are and when each becomes true, as data."""

from collections.abc import Mapping

import msgspec


class RuleSet(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers and kinds behind the stages. Days are whole days; `active_purchases` 0 means that none suffice.

    `value_classes` name the acts of use whose days count. `at_risk_floor_days` is the least silence that worries.
    """

    name: str
    value_classes: tuple[str, ...]
    expected_gap_days: int
    onboarding_kinds: tuple[str, ...]
    active_days: int
    active_within_days: int | None
    active_purchases: int
    at_risk_floor_days: int


_BEGUN = ("signed_up", "trial_started", "subscription_started", "purchased")

SUBSCRIPTION = RuleSet(
    name="subscription",
    value_classes=("use", "purchased", "app_opened"),
    expected_gap_days=7,
    onboarding_kinds=_BEGUN,
    active_days=3,
    active_within_days=14,
    active_purchases=2,
    at_risk_floor_days=14,
)
SHOP = RuleSet(
    name="shop",
    value_classes=("purchased",),
    expected_gap_days=180,
    onboarding_kinds=_BEGUN,
    active_days=2,
    active_within_days=None,
    active_purchases=0,
    at_risk_floor_days=60,
)
APP = RuleSet(
    name="app",
    value_classes=("app_opened",),
    expected_gap_days=2,
    onboarding_kinds=("app_installed", "app_opened"),
    active_days=3,
    active_within_days=7,
    active_purchases=0,
    at_risk_floor_days=3,
)

RULE_SETS: Mapping[str, RuleSet] = {rules.name: rules for rules in (SUBSCRIPTION, SHOP, APP)}
DEFAULT = SUBSCRIPTION
