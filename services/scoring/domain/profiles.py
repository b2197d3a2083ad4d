"""Health profiles as data: what counts, how much, and where the bands lie."""

from collections.abc import Iterator, Sequence
from typing import Literal, get_args

import msgspec

from jornada.rules import Condition
from services.scoring.domain.bands import INFINITE, Bands
from services.scoring.domain.words import STAGES

ComponentName = Literal["adoption", "support", "feedback", "enablement", "commercial", "relationship", "people"]
COMPONENTS: tuple[ComponentName, ...] = get_args(ComponentName)
LADDER = (7, 14, 30, 60, 90)
"""The half-lives, in days, by which a journey keeps its counts."""


class InvalidProfile(ValueError):
    """The profile contradicts itself. `flaws` names everything wrong: (where, as a JSON pointer, what)."""

    def __init__(self, name: str, flaws: list[tuple[str, str]]) -> None:
        super().__init__(f"{name}: " + "; ".join(f"{place} {why}" for place, why in flaws))
        self.flaws = flaws


class Thresholds(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`green` from here up, `yellow` from here up, `red` below."""

    green: float = 70.0
    yellow: float = 40.0


class BreadthRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Features used, each counting half after every `half_life_days` without it, against `enough`."""

    weight: float = 0.15
    half_life_days: float = 30.0
    enough: float = 1.5


class DepthRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The same count of value days as use's, against `enough` of them: who has more than use asks for still differs."""

    weight: float = 0.15
    enough: float = 8.0


class TrendRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Value days a day of late (half-life `short_days`) beside those of longer (`long_days`); 1 from `steady` on."""

    weight: float = 0.1
    short_days: int = 7
    long_days: int = 30
    steady: float = 0.8


class SeatsRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The share of an account's seats that people used within 30 days; 1 from `full` on."""

    weight: float = 0.25
    full: float = 0.8


class AdoptionRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How use is valued: the parts that stand here, by their weights, less what silence takes away from them all.

    Use itself (`use` is its weight) is the count of value days that halves every `half_life_days`, against `enough`: a
    saturating shape, of which the lower steps are worth more. `act` names the act of use in texts.

    The usual gap is the subject's own, shrunk towards the workspace's expected one as if that had been seen `shrink`
    times, and at least `least_gap_days`. Silence takes nothing up to `calm` usual gaps, and from `gone` of them on all
    but `left`.
    """

    act: Literal["use", "purchase", "opening"]
    half_life_days: int
    enough: float
    least_gap_days: float
    shrink: float = 10.0
    calm: float = 1.0
    gone: float
    left: float = 0.05
    use: float = 1.0
    depth: DepthRule | None = DepthRule()
    breadth: BreadthRule | None = None
    trend: TrendRule | None = None
    seats: SeatsRule | None = SeatsRule()


class SupportRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an open ticket takes away when opened, by severity 1–4; it doubles over `doubles_in_days`."""

    takes: tuple[float, float, float, float] = (0.4, 0.25, 0.12, 0.05)
    reopened: float = 1.5
    escalated: float = 1.25
    doubles_in_days: float = 14.0
    at_most: float = 0.95


class FeedbackRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Answers on a scale of 0–1, each weighing half after `half_life_days`, beside a `neutral` answer of `weight`.

    So an old answer drifts back to it. Nothing up to `worst`, 1 from `best` on.
    """

    half_life_days: int = 90
    neutral: float = 0.7
    weight: float = 0.5
    worst: float = 0.2
    best: float = 0.9


class EnablementRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The share of `steps` of the onboarding that were taken, and of the assigned courses that were completed."""

    steps: int = 3


class CommercialRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How it is paid, and how near the end of the contract is.

    A failed payment or an overdue invoice leaves `failed` at once and nothing after `gone_in_days`. A renewal that does
    not come by itself takes away up to `renewal` over the `renewal_days` before it, the end of a trial over
    `trial_days`.
    """

    failed: float = 0.7
    gone_in_days: float = 14.0
    renewal_days: float = 30.0
    renewal: float = 0.5
    trial_days: float = 7.0


class RelationshipRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether both sides spoke of late, and whether the customer speaks for us.

    1 up to `calm_days` since the earlier of the latest words of either side, nothing from `gone_days` on. Speaking for
    us is worth from `neutral` to 1, by a count that halves every `half_life_days`.
    """

    calm_days: float = 30.0
    gone_days: float = 120.0
    neutral: float = 0.7
    half_life_days: int = 90
    enough: float = 1.0


class PeopleRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How an account's people stand: 1 where nobody with a band is red, nothing from the share `gone` of them on.

    Beside that, by the weight `champions`, the share of its champions who did not fall silent.
    """

    gone: float = 0.5
    champions: float = 1.0


class When:
    """A condition of jornada.rules as a field of a document."""

    __slots__ = ("condition",)

    def __init__(self, condition: Condition) -> None:
        self.condition = condition

    def __eq__(self, other: object) -> bool:
        return isinstance(other, When) and self.condition == other.condition

    def __hash__(self) -> int:
        return hash(self.condition)


class Texts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What people read, in English and in Brazilian Portuguese."""

    en: str
    pt_br: str = msgspec.field(name="pt-BR")


class OwnVeto(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """While `when` holds the whole score is at most `at_most`, and `because` says why."""

    name: str
    when: When
    at_most: float
    because: Texts


class Applies(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whom a profile is for: at one of the stages, in one of the segments and personas, while `when` holds.

    What is left out holds of everybody.
    """

    stages: list[str] | None = None
    segments: list[str] | None = None
    personas: list[str] | None = None
    when: When | None = None


class VetoRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What caps the whole score at `at_most`: payment overdue for `overdue_days`, and a cancellation that stands.

    `own` are a workspace's, each with a cap of its own.
    """

    at_most: float = 35.0
    overdue_days: int = 30
    own: list[OwnVeto] = []


class RiskRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Churn risk made from health: log-odds of the well, what lost health and silence add, and how unsure it is."""

    horizon_days: int
    base: float
    health: float
    silence: float
    cancellation: float = 2.0
    spread: float = 1.5
    yellow: float
    red: float
    hysteresis: float = 0.03

    @property
    def bands(self) -> Bands:
        """Those of the probability, negative, so that more is better: green up to `yellow`, red above `red`."""
        return Bands(-self.yellow, -self.red, self.hysteresis)


class UpsellRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Upsell propensity: log-odds without a sign, and what each sign adds where it is as clear as can be.

    Seats are full from the share `full` on. A quota is near from `quota_days` before it runs out. Breadth is all there
    where `features` are used of late, and no other ever was. `attempt_kinds` are those of asking for what the plan
    leaves out.
    """

    base: float = -3.0
    seats: float = 2.2
    full: float = 0.8
    quota: float = 2.2
    quota_days: int = 30
    breadth: float = 0.8
    features: int = 5
    attempts: float = 1.8
    attempt_kinds: tuple[str, ...] = ("feature_gated", "paywall_viewed", "pricing_viewed", "upgrade_viewed")
    growth: float = 1.0
    promoter: float = 0.7


class Profile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One way of valuing health. Weights are those of components that may be connected.

    A workspace's own profile `applies` to some, the lowest `order` first, or stands in for a shipped one of its name.
    """

    name: str
    version: int = 1
    weights: dict[ComponentName, float]
    adoption: AdoptionRule
    risk: RiskRule
    support: SupportRule = SupportRule()
    feedback: FeedbackRule = FeedbackRule()
    enablement: EnablementRule = EnablementRule()
    commercial: CommercialRule = CommercialRule()
    relationship: RelationshipRule = RelationshipRule()
    people: PeopleRule = PeopleRule()
    vetoes: VetoRule = VetoRule()
    upsell: UpsellRule = UpsellRule()
    thresholds: Thresholds = Thresholds()
    hysteresis: float = 5.0
    least_coverage: float = 0.5
    order: int = 0
    applies: Applies | None = None

    @property
    def bands(self) -> Bands:
        """Those of health."""
        return Bands(self.thresholds.green, self.thresholds.yellow, self.hysteresis)

    @property
    def label(self) -> str:
        """Name and version, as published with each score."""
        return f"{self.name}@{self.version}"


def validated(profile: Profile) -> Profile:
    """The profile; raises InvalidProfile for weights, bands or shapes that contradict themselves."""
    flaws = [(place, why) for place, why, holds in _laws(profile) if not holds]
    if flaws:
        raise InvalidProfile(profile.name, flaws)
    return profile


_Law = tuple[str, str, bool]
"""Where, what must be, and whether it is."""


def _laws(profile: Profile) -> Iterator[_Law]:
    bands, risk = profile.thresholds, profile.risk
    yield "/weights", "must name a component", bool(profile.weights)
    for component, weight in profile.weights.items():
        yield f"/weights/{component}", "must be above 0 and at most 1000", 0 < weight <= 1000
    yield "/thresholds", "must be 0 < yellow < green < 100", 0 < bands.yellow < bands.green < 100
    wide = 0 <= profile.hysteresis < min(bands.green - bands.yellow, 100 - bands.green)
    yield "/hysteresis", "must be 0 or more, and less than a band is wide", wide
    yield "/least_coverage", "must be above 0 and at most 1", 0 < profile.least_coverage <= 1
    yield from _adoption(profile.adoption)
    yield from _support(profile.support)
    yield from _feedback(profile.feedback)
    yield "/enablement/steps", "must be 1 or more", profile.enablement.steps >= 1
    yield from _commercial(profile)
    yield from _relationship(profile.relationship)
    yield "/people/gone", "must be above 0 and at most 1", 0 < profile.people.gone <= 1
    yield "/people/champions", "must be 0 or more", 0 <= profile.people.champions < INFINITE
    yield from _own_vetoes(profile.vetoes.own)
    yield from _applies(profile)
    yield "/risk", "must be 0 < yellow < red < 1", 0 < risk.yellow < risk.red < 1
    narrow = 0 <= risk.hysteresis < min(risk.yellow, risk.red - risk.yellow)
    yield "/risk/hysteresis", "must be 0 or more, and less than a band is wide", narrow
    yield "/risk/horizon_days", "must be from 1 to 3650", 1 <= risk.horizon_days <= 3650
    for name in ("health", "silence", "cancellation", "spread"):
        yield f"/risk/{name}", "must be from 0 to 20", 0 <= getattr(risk, name) <= 20
    yield "/risk/base", "must be from -20 to 20", -20 <= risk.base <= 20
    yield from _upsell(profile.upsell)


def _adoption(rule: AdoptionRule) -> Iterator[_Law]:
    yield "/adoption/half_life_days", f"must be one of {LADDER}", rule.half_life_days in LADDER
    yield "/adoption/enough", "must be above 0", 0 < rule.enough < INFINITE
    yield "/adoption/least_gap_days", "must be above 0", 0 < rule.least_gap_days < INFINITE
    yield "/adoption/shrink", "must be 0 or more", 0 <= rule.shrink < INFINITE
    yield "/adoption/gone", "must be above calm, which is 0 or more", 0 <= rule.calm < rule.gone < INFINITE
    yield "/adoption/left", "must be from 0 to 1", 0 <= rule.left < 1
    yield "/adoption/use", "must be above 0", 0 < rule.use < INFINITE
    depth, breadth, trend, seats = rule.depth, rule.breadth, rule.trend, rule.seats
    if depth is not None:
        yield "/adoption/depth", "must have weight and enough above 0", min(depth.weight, depth.enough) > 0
    if breadth is not None:
        fit = min(breadth.weight, breadth.half_life_days, breadth.enough) > 0
        yield "/adoption/breadth", "must have weight, half-life and enough above 0", fit
    if trend is not None:
        known = trend.short_days in LADDER and trend.long_days in LADDER and trend.short_days < trend.long_days
        yield "/adoption/trend", f"must have a shorter and a longer of {LADDER} days", known
        yield "/adoption/trend", "must have weight and steady above 0", min(trend.weight, trend.steady) > 0
    if seats is not None:
        yield "/adoption/seats", "must have a weight above 0, and full from 0 to 1", seats.weight > 0 < seats.full <= 1


def _support(rule: SupportRule) -> Iterator[_Law]:
    ordered = sorted(rule.takes, reverse=True) == list(rule.takes)
    yield "/support/takes", "must not rise with milder severity", ordered
    yield "/support/takes", "must each be from 0 to 0.5", all(0 <= each <= 0.5 for each in rule.takes)
    yield "/support/at_most", "must be from 0 to 1", 0 <= rule.at_most <= 1
    yield "/support/doubles_in_days", "must be above 0", 0 < rule.doubles_in_days < INFINITE
    for name in ("reopened", "escalated"):
        yield f"/support/{name}", "must be 1 or more", 1 <= getattr(rule, name) < INFINITE


def _feedback(rule: FeedbackRule) -> Iterator[_Law]:
    yield "/feedback/half_life_days", f"must be one of {LADDER}", rule.half_life_days in LADDER
    yield "/feedback", "must be 0 <= worst < best <= 1", 0 <= rule.worst < rule.best <= 1
    yield "/feedback/neutral", "must be from 0 to 1", 0 <= rule.neutral <= 1
    yield "/feedback/weight", "must be above 0", 0 < rule.weight < INFINITE


def _commercial(profile: Profile) -> Iterator[_Law]:
    rule, vetoes = profile.commercial, profile.vetoes
    for name in ("failed", "renewal"):
        yield f"/commercial/{name}", "must be from 0 to 1", 0 <= getattr(rule, name) <= 1
    for name in ("gone_in_days", "renewal_days", "trial_days"):
        yield f"/commercial/{name}", "must be above 0", 0 < getattr(rule, name) < INFINITE
    yield "/vetoes/at_most", "must be from 0 to 100", 0 <= vetoes.at_most <= 100
    yield "/vetoes/overdue_days", "must be from 0 to 3650", 0 <= vetoes.overdue_days <= 3650


def _relationship(rule: RelationshipRule) -> Iterator[_Law]:
    yield "/relationship/gone_days", "must be above calm_days", 0 <= rule.calm_days < rule.gone_days < INFINITE
    yield "/relationship/neutral", "must be from 0 to 1", 0 <= rule.neutral <= 1
    yield "/relationship/half_life_days", f"must be one of {LADDER}", rule.half_life_days in LADDER
    yield "/relationship/enough", "must be above 0", 0 < rule.enough < INFINITE


MOST_VETOES = 20
MOST_NAMES = 100
LONGEST = 200
"""The most vetoes of one profile, names of one list, and characters of a name or text."""


def _own_vetoes(own: Sequence[OwnVeto]) -> Iterator[_Law]:
    yield "/vetoes/own", f"must be at most {MOST_VETOES}", len(own) <= MOST_VETOES
    yield "/vetoes/own", "must have names that differ", len({each.name for each in own}) == len(own)
    for place, each in enumerate(own):
        at = f"/vetoes/own/{place}"
        yield f"{at}/name", f"must have 1 to {LONGEST} characters", 1 <= len(each.name) <= LONGEST
        yield f"{at}/at_most", "must be from 0 to 100", 0 <= each.at_most <= 100
        for language, text in (("en", each.because.en), ("pt-BR", each.because.pt_br)):
            told = bool(text.strip()) and len(text) <= LONGEST
            yield f"{at}/because/{language}", f"must have 1 to {LONGEST} characters", told


def _applies(profile: Profile) -> Iterator[_Law]:
    yield "/order", "must be from -1000 to 1000", -1000 <= profile.order <= 1000
    if profile.applies is None:
        return
    for name in ("stages", "segments", "personas"):
        names: list[str] | None = getattr(profile.applies, name)
        told = names is None or 1 <= len(names) <= MOST_NAMES
        yield f"/applies/{name}", f"must name 1 to {MOST_NAMES}, or be left out", told
    for place, stage in enumerate(profile.applies.stages or ()):
        yield f"/applies/stages/{place}", f"must be one of {', '.join(sorted(STAGES))}", stage in STAGES


def _upsell(rule: UpsellRule) -> Iterator[_Law]:
    yield "/upsell/base", "must be from -20 to 20", -20 <= rule.base <= 20
    for name in ("seats", "quota", "breadth", "attempts", "growth", "promoter"):
        yield f"/upsell/{name}", "must be from 0 to 20", 0 <= getattr(rule, name) <= 20
    yield "/upsell/full", "must be above 0 and at most 1", 0 < rule.full <= 1
    yield "/upsell/quota_days", "must be from 1 to 365", 1 <= rule.quota_days <= 365
    yield "/upsell/features", "must be 1 or more", rule.features >= 1
    yield "/upsell/attempt_kinds", f"must be at most {MOST_NAMES}", len(rule.attempt_kinds) <= MOST_NAMES
