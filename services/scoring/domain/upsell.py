"""Upsell propensity by rule: who uses nearly all seats may want more, unless health says not to ask now."""

from datetime import datetime

from jornada.events import Factor, Health, JourneySnapshot, UpsellPropensity
from jornada.instants import micros
from services.scoring.domain.seats import seats_of
from services.scoring.domain.shapes import logistic, significant
from services.scoring.domain.words import reason

MODEL = "rules-1"
FULL = 0.8
_BASE = -3.0
_SEATS = 2.2


def upsell_propensity(journey: JourneySnapshot, health: Health, at: datetime) -> UpsellPropensity:
    """The probability that the subject would take more; without a number where nobody said how many seats there are."""
    seats = seats_of(journey)
    if seats is None:
        return UpsellPropensity(model=MODEL)
    used = seats.used(micros(at))
    factors = [Factor(name="base", contribution=_BASE, because=reason("usual_upsell"))]
    full = used >= FULL * seats.number
    if full:
        factors.append(Factor(name="seats", contribution=_SEATS, because=seats.because(micros(at))))
    low = full and health.band in {"red", "unknown"}
    return UpsellPropensity(
        model=MODEL,
        probability=significant(logistic(sum(factor.contribution for factor in factors))),
        factors=factors,
        gated_because=reason("health_too_low", band=health.band) if low else None,
    )
