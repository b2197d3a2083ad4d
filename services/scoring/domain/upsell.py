"""Upsell propensity by rule: what says that a subject may take more, and what says not to ask now."""

from collections.abc import Sequence
from datetime import datetime

from jornada.events import Factor, Health, JourneySnapshot, Reason, Support, UpsellPropensity
from jornada.instants import micros
from services.scoring.domain.crossing import HORIZON_DAYS
from services.scoring.domain.parts.support import SEVERE
from services.scoring.domain.profiles import UpsellRule
from services.scoring.domain.shapes import DAY, logistic, significant, whole_days
from services.scoring.domain.upselling.reading import Read, signs_of
from services.scoring.domain.words import reason

MODEL = "rules-2"


def upsell_propensity(journey: JourneySnapshot, health: Health, rule: UpsellRule, at: datetime) -> UpsellPropensity:
    """The probability that the subject would take more; without a number where nobody said anything that could tell.

    The factors are log-odds and sum to the probability's. The gate stands beside it and never changes it.
    """
    now, signs = micros(at), signs_of(journey, rule)
    gate = _gate(journey.measures.support, health, now)
    if not signs:
        return UpsellPropensity(model=MODEL, gated_because=gate)
    factors = [Factor(name="base", contribution=rule.base, because=reason("usual_upsell"))]
    factors += [
        Factor(name=read.name, contribution=contribution, because=read.sign.because(now))
        for read, contribution in zip(signs, _contributions(signs, now), strict=True)
        if contribution
    ]
    return UpsellPropensity(
        model=MODEL,
        probability=significant(logistic(sum(factor.contribution for factor in factors))),
        factors=factors,
        gated_because=gate,
    )


def next_turn(journey: JourneySnapshot, rule: UpsellRule, at: int) -> int | None:
    """The first instant after `at` at which the contributions change by time alone, both in microseconds; None if none.

    Between two of them nothing does, the gate apart: it turns with the band of health.
    """
    signs = signs_of(journey, rule)
    now = _contributions(signs, at)
    last = at + HORIZON_DAYS * DAY
    later = sorted({turn for read in signs for turn in read.sign.turns() if at < turn <= last})
    return next((turn for turn in later if _contributions(signs, turn) != now), None)


def _contributions(signs: Sequence[Read], at: int) -> list[float]:
    return [significant(read.log_odds * read.sign.value(at)) for read in signs]


def _gate(support: Support | None, health: Health, at: int) -> Reason | None:
    """Why nobody should ask now: health, else an open ticket that is severe, the worst of them."""
    if health.band in {"red", "unknown"}:
        return reason("health_too_low", band=health.band)
    severe = [each for each in support.open if each.severity <= SEVERE] if support is not None else []
    if not severe:
        return None
    worst = min(severe, key=lambda each: (each.severity, each.opened_at, each.ticket_id))
    return reason("severe_ticket_open", severity=worst.severity, days=whole_days(micros(worst.opened_at), at))
