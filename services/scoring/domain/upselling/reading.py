"""Which signs of upsell a journey shows, each with what it adds in log-odds where it is as clear as can be."""

from collections.abc import Collection, Iterator
from typing import NamedTuple

from jornada.events import Counted, JourneySnapshot, Measures
from jornada.instants import micros
from services.scoring.domain.profiles import LADDER, UpsellRule
from services.scoring.domain.seats import seats_of
from services.scoring.domain.shapes import DAY, halved
from services.scoring.domain.upselling import Sign
from services.scoring.domain.upselling.quotas import NearestQuota, quotas_of
from services.scoring.domain.upselling.signs import STEPS, Breadth, Fading, FullSeats, Standing
from services.scoring.domain.words import reason

PROMOTER = 9
"""The least answer to an NPS survey that a promoter gives."""

PROMOTER_DAYS = 180
HALF_LIFE_DAYS = 30
"""After so many days attempts, and people who came, count half."""

CAME, LEFT = ("account_added_user", "signed_up"), "account_removed_user"
"""Kinds by which an account's people come, which an app may send both, and go."""

GROWN = 0.25
"""Of an account's people the share that came of late from which on growth is as clear as can be."""


class Read(NamedTuple):
    """A sign by name, and what it adds at 1."""

    name: str
    log_odds: float
    sign: Sign


def signs_of(journey: JourneySnapshot, rule: UpsellRule) -> list[Read]:
    """The signs that can be told of the subject, 0 or not; none where nobody said anything that could tell."""
    measures = journey.measures
    seats, quotas = seats_of(journey), quotas_of(journey)
    found = {
        "seats": None if seats is None else FullSeats(seats, rule.full),
        "quota": NearestQuota(quotas, rule.quota_days) if quotas else None,
        "breadth": Breadth(measures.use, rule.features) if measures.use is not None and measures.use.features else None,
        "attempts": _attempts(measures, rule.attempt_kinds),
        "growth": _growth(measures) if journey.subject_type == "account" else None,
        "promoter": _promoter(measures),
    }
    named: dict[str, Sign | None] = {**found}
    return [Read(name, getattr(rule, name), sign) for name, sign in named.items() if sign is not None]


def _attempts(measures: Measures, kinds: Collection[str]) -> Fading | None:
    """How often they asked for what the plan leaves out; an upgrade gave it to them."""
    counts = [measures.counts[kind] for kind in kinds if kind in measures.counts]
    if not counts:
        return None
    upgraded = measures.counts.get("subscription_upgraded")
    since = max(micros(each.last_at) for each in counts)
    amount = sum(_left(each, since) for each in counts if upgraded is None or each.last_at > upgraded.last_at)
    told = reason("attempts_made", count=sum(each.total for each in counts), on=_day(counts))
    return Fading(amount, since, HALF_LIFE_DAYS, 1.0, told)


def _growth(measures: Measures) -> Fading | None:
    """How many more people came than left, beside how many there are."""
    counts = [measures.counts[kind] for kind in CAME if kind in measures.counts]
    if not counts:
        return None
    gone = [measures.counts[LEFT]] if LEFT in measures.counts else []
    since = max(micros(each.last_at) for each in [*counts, *gone])
    came = max(counts, key=lambda each: (_left(each, since), each.total))
    amount = _left(came, since) - sum(_left(each, since) for each in gone)
    told = reason("people_came", count=came.total, on=_day([came]))
    step = GROWN * max(measures.people, 1) / STEPS
    return Fading(amount, since, HALF_LIFE_DAYS, step, told)


def _promoter(measures: Measures) -> Standing | None:
    """Whether, within 180 days, they answered like a promoter or brought somebody."""
    return max(_promotes(measures), key=lambda each: each.turns(), default=None)


def _promotes(measures: Measures) -> Iterator[Standing]:
    feedback, referral = measures.feedback, measures.counts.get("referral_made")
    if feedback is not None and feedback.nps is not None and feedback.nps_at is not None:
        days = PROMOTER_DAYS if feedback.nps >= PROMOTER else 0
        on = feedback.nps_at.date().isoformat()
        yield Standing(micros(feedback.nps_at) + days * DAY, reason("nps_answered", score=feedback.nps, on=on))
    if referral is not None:
        until = micros(referral.last_at) + PROMOTER_DAYS * DAY
        yield Standing(until, reason("referred", on=_day([referral])))


def _left(count: Counted, at: int) -> float:
    decayed = count.decayed[LADDER.index(HALF_LIFE_DAYS)]
    return halved(decayed, micros(count.last_at), HALF_LIFE_DAYS, at)


def _day(counts: Collection[Counted]) -> str:
    return max(each.last_at for each in counts).date().isoformat()
