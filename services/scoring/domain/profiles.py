"""Health profiles as data: what counts, how much, and where the bands lie. Three are built in."""

from typing import Literal, get_args

import msgspec

from jornada.events import Band

ComponentName = Literal["use", "support", "billing"]
COMPONENTS: tuple[ComponentName, ...] = get_args(ComponentName)
SEVERITIES = (1, 2, 3, 4)


class InvalidProfile(ValueError):
    """The profile contradicts itself."""


class Thresholds(msgspec.Struct, frozen=True):
    """`green` from here up, `yellow` from here up, `red` below."""

    green: float = 70.0
    yellow: float = 40.0

    def band(self, score: float) -> Band:
        """The band of a score that is rounded as published."""
        if score >= self.green:
            return "green"
        return "yellow" if score >= self.yellow else "red"


class UseRule(msgspec.Struct, frozen=True, kw_only=True):
    """How use is valued: the decayed count of value days against `enough`, less what silence takes away.

    The half-life is twice the subject's usual gap, at least `half_life_days`. The usual gap is its own, at least
    `least_gap_days`; silence takes nothing up to `calm` usual gaps, and all from `gone` of them on. `act` names the act
    in texts.
    """

    act: Literal["use", "purchase", "opening"]
    half_life_days: int
    enough: float
    least_gap_days: int
    calm: float = 1.0
    gone: float


class SupportRule(msgspec.Struct, frozen=True, kw_only=True):
    """What an open ticket takes away when opened, by severity 1–4; it doubles over `doubles_in_days`."""

    takes: tuple[float, float, float, float] = (0.4, 0.25, 0.12, 0.05)
    reopened: float = 1.5
    doubles_in_days: float = 14.0
    at_most: float = 0.95


class BillingRule(msgspec.Struct, frozen=True, kw_only=True):
    """A failed payment leaves `failed` at once and nothing after `gone_in_days`; the vetoes cap the whole score."""

    failed: float = 0.7
    gone_in_days: float = 14.0
    overdue_days: int = 30
    veto_at_most: float = 35.0


class RiskRule(msgspec.Struct, frozen=True, kw_only=True):
    """Churn risk made from health: log-odds of the well, what lost health and silence add, and how unsure it is."""

    horizon_days: int
    base: float
    health: float
    silence: float
    cancellation: float = 2.0
    spread: float = 1.5
    yellow: float
    red: float


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """One way of valuing health. Weights are those of components that may be connected."""

    name: str
    version: int
    weights: dict[ComponentName, float]
    use: UseRule
    risk: RiskRule
    support: SupportRule = SupportRule()
    billing: BillingRule = BillingRule()
    thresholds: Thresholds = Thresholds()
    hysteresis: float = 5.0
    least_coverage: float = 0.5

    @property
    def label(self) -> str:
        """Name and version, as published with each score."""
        return f"{self.name}@{self.version}"


def validated(profile: Profile) -> Profile:
    """The profile; raises InvalidProfile for weights, bands or shapes that contradict themselves."""
    risk, use, bands = profile.risk, profile.use, profile.thresholds
    takes = profile.support.takes
    wrong = {
        "weights are above 0 and name components": not profile.weights or min(profile.weights.values()) <= 0,
        "0 < yellow < green < 100": not 0 < bands.yellow < bands.green < 100,
        "the bands are wider than the hysteresis": not 0 <= profile.hysteresis < bands.green - bands.yellow,
        "coverage is in 0–1": not 0 < profile.least_coverage <= 1,
        "0 <= calm < gone": not 0 <= use.calm < use.gone,
        "half-life, enough and gap are above 0": min(use.half_life_days, use.enough, use.least_gap_days) <= 0,
        "a worse ticket takes more, each at most half": sorted(takes, reverse=True) != list(takes) or max(takes) > 0.5,
        "0 < risk yellow < red < 1": not 0 < risk.yellow < risk.red < 1,
        "risk grows with lost health and silence": min(risk.health, risk.silence, risk.cancellation, risk.spread) < 0,
    }
    for rule, broken in wrong.items():
        if broken:
            raise InvalidProfile(f"{profile.name}: {rule}")
    return profile


# Use outweighs the rest: silence alone is red (35) where all else is perfect.
_WEIGHTS: dict[ComponentName, float] = {"use": 0.65, "support": 0.20, "billing": 0.15}

SUBSCRIPTION = Profile(
    name="subscription",
    version=1,
    weights=_WEIGHTS,
    use=UseRule(act="use", half_life_days=14, enough=3.0, least_gap_days=7, gone=3.0),
    risk=RiskRule(horizon_days=30, base=-3.9, health=3.2, silence=1.0, yellow=0.1, red=0.3),
)
SHOP = Profile(
    name="shop",
    version=1,
    weights=_WEIGHTS,
    use=UseRule(act="purchase", half_life_days=90, enough=0.5, least_gap_days=60, gone=2.0),
    risk=RiskRule(horizon_days=90, base=-0.6, health=2.2, silence=1.2, yellow=0.6, red=0.85),
)
APP = Profile(
    name="app",
    version=1,
    weights=_WEIGHTS,
    use=UseRule(act="opening", half_life_days=7, enough=2.0, least_gap_days=2, gone=4.0),
    risk=RiskRule(horizon_days=30, base=-1.8, health=2.8, silence=1.2, yellow=0.3, red=0.6),
)
BUILT_IN = {profile.name: validated(profile) for profile in (SUBSCRIPTION, SHOP, APP)}


def profile_of(rules: str) -> Profile:
    """The profile for the rule set that a journey names; the subscription's for one we do not know."""
    return BUILT_IN.get(rules, SUBSCRIPTION)
