"""Upsell propensity by rule: who uses nearly all seats may want more, unless health says not to ask now."""

from datetime import datetime

from jornada.events import Factor, Health, JourneySnapshot, UpsellPropensity
from jornada.instants import micros
from services.scoring.domain.shapes import logistic, significant
from services.scoring.domain.words import reason

MODEL = "rules-1"
WINDOW_DAYS = 30
FULL = 0.8
_DAY = 86_400_000_000
_BASE = -3.0
_SEATS = 2.2


def upsell_propensity(journey: JourneySnapshot, health: Health, at: datetime) -> UpsellPropensity:
    """The probability that the subject would take more; without a number where nobody said how many seats there are."""
    seats = seats_of(journey)
    if seats is None:
        return UpsellPropensity(model=MODEL)
    used = seats_used(journey, at)
    factors = [Factor(name="base", contribution=_BASE, because=reason("usual_upsell"))]
    full = used >= FULL * seats
    if full:
        because = reason("seats_used", used=used, seats=seats, percent=100 * used // seats)
        factors.append(Factor(name="seats", contribution=_SEATS, because=because))
    low = full and health.band in {"red", "unknown"}
    return UpsellPropensity(
        model=MODEL,
        probability=significant(logistic(sum(factor.contribution for factor in factors))),
        factors=factors,
        gated_because=reason("health_too_low", band=health.band) if low else None,
    )


def seats_of(journey: JourneySnapshot) -> int | None:
    """The seats of the contract, else those that a trait states; None for none, or no positive whole number."""
    billing = journey.measures.billing
    stated = billing.seats if billing is not None and billing.seats is not None else journey.traits.get("seats")
    return stated if isinstance(stated, int) and not isinstance(stated, bool) and stated > 0 else None


def seats_used(journey: JourneySnapshot, at: datetime) -> int:
    """Distinct people with an act of use in the 30 days (UTC) up to that of `at`."""
    today = micros(at) // _DAY
    return sum(people for day, people in journey.measures.people_by_day if today - WINDOW_DAYS < day <= today)
