"""A subject's health as a function of time alone: what it will be at any later instant if nothing more happens.

Every part falls or stays as time passes, so the whole does.
"""

from collections.abc import Collection
from typing import NamedTuple, Protocol

from jornada.events import Billing, JourneySnapshot, Measures, OpenTicket, Support, Use
from jornada.instants import micros
from services.scoring.domain.profiles import COMPONENTS, BillingRule, ComponentName, Profile, SupportRule, UseRule
from services.scoring.domain.shapes import DAY, ramp, saturate


class Part(Protocol):
    """One component's value over time (microseconds since 1970): 0–1, never rising."""

    def value(self, at: int) -> float: ...


class Share(NamedTuple):
    """A known component and its share of the whole; shares sum to 1."""

    name: ComponentName
    weight: float
    part: Part


class UseCourse:
    """Value days, decayed, against what the subject's time with us could hold; less what its silence takes away."""

    __slots__ = ("_at", "_born", "_count", "_enough", "_half_life", "_least", "_rule", "last", "usual", "value_days")

    def __init__(self, use: Use, rule: UseRule, born: int) -> None:
        self.usual = max(use.own_gap_days, rule.least_gap_days)
        wanted = max(rule.half_life_days, 2 * self.usual)
        count = min(use.days_decayed, key=lambda each: (abs(each.half_life_days - wanted), each.half_life_days))
        self._rule = rule
        self._count, self._at = count.value, micros(count.at)
        self._half_life = count.half_life_days * DAY
        self._enough = rule.enough
        self._born, self._least = born, rule.least_gap_days * DAY
        self.last = micros(use.last_value_at)
        self.value_days = use.value_days

    def value(self, at: int) -> float:
        patience = self.patience(at)
        if patience == 0.0:
            return 0.0
        count = self._count * 2.0 ** ((self._at - at) / self._half_life)
        # Who came last week cannot have a month of use: less is enough.
        enough = self._enough * (1.0 - 2.0 ** (-(max(at - self._born, 0) + self._least) / self._half_life))
        return saturate(count, enough) * patience

    def patience(self, at: int) -> float:
        """What silence leaves: 1 within the usual gap, 0 once the subject has been away for several."""
        gaps = (at - self.last) / DAY / self.usual
        return 1.0 - ramp(gaps, self._rule.calm, self._rule.gone)


class SupportCourse:
    """Open tickets, each taking the more away the worse and the older it is."""

    __slots__ = ("_at_most", "_doubles", "_tickets")

    def __init__(self, support: Support | None, rule: SupportRule) -> None:
        self._doubles = rule.doubles_in_days * DAY
        self._at_most = rule.at_most
        self._tickets = [(micros(each.opened_at), _takes(each, rule)) for each in (support.open if support else ())]

    def value(self, at: int) -> float:
        left = 1.0
        for opened, takes in self._tickets:
            left *= 1.0 - min(takes * (1.0 + ramp((at - opened) / self._doubles, 0.0, 1.0)), self._at_most)
        return left


class BillingCourse:
    """Payments: 1 in order, falling from the first failure on."""

    __slots__ = ("_failed", "_rule", "_since")

    def __init__(self, billing: Billing, rule: BillingRule) -> None:
        self._rule = rule
        self._since = micros(billing.payment_failed_since) if billing.payment_failed_since else None

    def value(self, at: int) -> float:
        if self._since is None:
            return 1.0
        return self._rule.failed * (1.0 - ramp((at - self._since) / DAY, 0.0, self._rule.gone_in_days))


def contracted(measures: Measures) -> Billing | None:
    """What is known of a contract and of how it is paid: a trial alone says nothing of either."""
    billing = measures.billing
    if billing is None or (billing.trial_started_at is None and billing.trial_ends_at is None):
        return billing
    tried = Billing(trial_started_at=billing.trial_started_at, trial_ends_at=billing.trial_ends_at)
    return None if billing == tried else billing


def _takes(ticket: OpenTicket, rule: SupportRule) -> float:
    severity = min(max(ticket.severity, 1), len(rule.takes))
    return min(rule.takes[severity - 1] * (rule.reopened if ticket.reopened else 1.0), rule.at_most)


class Course:
    """The known components of one subject, the vetoes on it, and how much of the profile is known."""

    __slots__ = ("_at_most", "cancels", "coverage", "overdue_from", "shares", "vetoed_from")

    def __init__(self, journey: JourneySnapshot, profile: Profile, connected: Collection[str]) -> None:
        parts = _parts(journey, profile, connected)
        counted = sum(weight for name, weight in profile.weights.items() if name in connected)
        known = sum(profile.weights[name] for name, _ in parts)
        self.coverage = known / counted if counted else 0.0
        self.shares = [Share(name, profile.weights[name] / known, part) for name, part in parts]
        self._at_most = profile.billing.veto_at_most
        billing = journey.measures.billing
        failed = billing.payment_failed_since if billing else None
        self.cancels = billing.cancels_at if billing else None
        self.overdue_from = micros(failed) + profile.billing.overdue_days * DAY if failed else None
        standing = 0 if self.cancels is not None else None
        begins = [each for each in (standing, self.overdue_from) if each is not None]
        self.vetoed_from = min(begins) if begins else None

    def uncapped(self, at: int) -> float:
        """The sum of the components' points, 0–100."""
        points = 0.0
        for _, weight, part in self.shares:
            points += weight * part.value(at)
        return 100.0 * points

    def score(self, at: int) -> float:
        """The points under the vetoes, not yet rounded."""
        points = self.uncapped(at)
        vetoed = self.vetoed_from is not None and at >= self.vetoed_from
        return min(points, self._at_most) if vetoed else points


def _parts(journey: JourneySnapshot, profile: Profile, connected: Collection[str]) -> list[tuple[ComponentName, Part]]:
    """The components that are connected and known of the subject, in the profile's order."""
    measures = journey.measures
    parts: dict[ComponentName, Part] = {}
    if measures.use is not None and measures.use.days_decayed:
        parts["use"] = UseCourse(measures.use, profile.use, micros(journey.first_seen_at))
    parts["support"] = SupportCourse(measures.support, profile.support)
    billing = contracted(measures)
    if billing is not None:
        parts["billing"] = BillingCourse(billing, profile.billing)
    return [
        (name, parts[name]) for name in COMPONENTS if name in parts and name in connected and name in profile.weights
    ]
