"""Journeys as scoring stores them, drawn: people and accounts of a subscription service, and customers of a shop."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random
from typing import Any, NamedTuple
from uuid import UUID

from jornada.events import (
    Billing,
    Contacts,
    Counted,
    Decayed,
    DecayedMean,
    Feedback,
    Identifier,
    JourneySnapshot,
    Learning,
    Measures,
    Milestone,
    Money,
    OpenTicket,
    Stage,
    SubjectId,
    Support,
    Use,
    WorkspaceId,
    derived_id,
    encode,
)
from services.scoring.domain import profiles

NOW = datetime(2026, 6, 1, 9, 30, tzinfo=UTC)
SERVICE = WorkspaceId(UUID("0198f3a2-7c11-7d2e-9c55-1f0a4b6d8e21"))
SHOP = WorkspaceId(UUID("0198f3a2-7c11-7d2e-9c55-1f0a4b6d8e22"))
CONNECTED = {
    SERVICE: frozenset({"adoption", "support", "feedback", "enablement", "commercial", "relationship"}),
    SHOP: frozenset({"adoption", "support", "feedback"}),
}
_LADDER = (7, 14, 30, 60, 90)
_FEATURES = ("report_exported", "dashboard_shared", "search_run", "alert_set", "file_sent", "page_made", "team_asked")
_ACTS = ("feature_used", "signed_in", "page_viewed", "email_opened", "link_clicked", "search_made")
_BOUGHT = ("order_completed", "product_viewed", "cart_changed", "page_viewed", "email_opened")

COMPONENTS = tuple(name for name in profiles.COMPONENTS if name != "people")
"""Those that are known of the drawn journeys: how an account's people stand is told by none."""


class Rhythm(NamedTuple):
    """How somebody acts: on so many days, so many days apart, and none for so many."""

    days: int
    gap: float
    silent: float


def stored(number: int, seed: int = 1) -> list[bytes]:
    """So many journeys, the same for the same seed: of twenty nine people, two accounts, nine customers of a shop."""
    draw = Random(seed)
    kinds: Sequence[Callable[[Random, int], JourneySnapshot]] = (*[_person] * 9, *[_account] * 2, *[_customer] * 9)
    return [encode(kinds[place % len(kinds)](draw, place)) for place in range(number)]


def _person(draw: Random, place: int) -> JourneySnapshot:
    rhythm = Rhythm(draw.choice((1, 3, 12, 30, 60)), draw.choice((1.0, 1.5, 3.0, 7.0)), draw.expovariate(1 / 9))
    measures = Measures(
        use=_use(draw, rhythm, 7),
        support=_support(draw, 0.1),
        feedback=_feedback(draw, 0.35),
        learning=_learning(draw) if draw.random() < 0.5 else None,
        contacts=_contacts(draw) if draw.random() < 0.3 else None,
        counts=_counts(draw, _ACTS, rhythm.silent, "referral_made" if draw.random() < 0.05 else None),
        milestones=[Milestone("first_value", _before(draw, 200))],
    )
    account = SubjectId(derived_id("account", place // 10))
    traits = {"plan": "pro", "role": draw.choice(("admin", "member")), "country": "BR"}
    return _journey(SERVICE, place, measures, rhythm, rules="subscription", account_id=account, traits=traits)


def _account(draw: Random, place: int) -> JourneySnapshot:
    rhythm = Rhythm(draw.choice((20, 60, 90)), 1.2, draw.expovariate(1 / 4))
    seats, today = draw.randint(3, 60), NOW.toordinal() - datetime(1970, 1, 1, tzinfo=UTC).toordinal()
    days = sorted(draw.sample(range(today - 45, today + 1), draw.randint(3, 20)))
    by_day = [(day, draw.randint(1, 3)) for day in days]
    measures = Measures(
        use=_use(draw, rhythm, 7),
        support=_support(draw, 0.3),
        billing=_billing(draw, seats),
        feedback=_feedback(draw, 0.6),
        learning=_learning(draw),
        contacts=_contacts(draw),
        counts=_counts(draw, (*_ACTS, "account_added_user"), rhythm.silent, None),
        people=sum(people for _, people in by_day),
        people_by_day=by_day,
        milestones=[Milestone("first_value", _before(draw, 300)), Milestone("activation", _before(draw, 200))],
    )
    begun = (NOW - timedelta(days=20)).date().isoformat()
    quotas = {"quotas": {"exports": {"used": draw.randint(10, 400), "limit": 500, "since": begun}}}
    traits = {"name": f"Company {place}", "owner": "ana@example.com"} | (quotas if draw.random() < 0.3 else {})
    return _journey(SERVICE, place, measures, rhythm, rules="subscription", subject_type="account", traits=traits)


def _customer(draw: Random, place: int) -> JourneySnapshot:
    rhythm = Rhythm(draw.choice((1, 2, 4, 9, 25)), draw.choice((7.0, 20.0, 45.0)), draw.expovariate(1 / 40))
    measures = Measures(
        use=_use(draw, rhythm, 60),
        support=_support(draw, 0.08),
        feedback=_feedback(draw, 0.2),
        revenue=[Money(f"{rhythm.days * 79.9:.2f}", "BRL")],
        counts=_counts(draw, _BOUGHT, rhythm.silent, None),
        consents={"email/marketing": draw.choice(("granted", "denied"))},
    )
    return _journey(SHOP, place, measures, rhythm, rules="shop", traits={"name": f"Customer {place}", "city": "Recife"})


def _journey(workspace: WorkspaceId, place: int, measures: Measures, rhythm: Rhythm, **told: Any) -> JourneySnapshot:
    begun = NOW - timedelta(days=rhythm.silent + rhythm.days * rhythm.gap + 20)
    names = ("lead", "onboarding", "active", "churned" if rhythm.silent > 6 * rhythm.gap + 60 else "loyal")
    entered = [begun + timedelta(days=5 * step) for step in range(len(names))]
    stages = [
        Stage(name=name, entered_at=at, left_at=left, rule=f"{name}_by_use", message_id=f"m-{place}")
        for name, at, left in zip(names, entered, [*entered[1:], None], strict=True)
    ]
    type_ = told.setdefault("subject_type", "customer")
    last = NOW - timedelta(days=rhythm.silent)
    return JourneySnapshot(
        workspace=workspace,
        subject_id=SubjectId(derived_id("subject", place)),
        version=place + 1,
        fold=1,
        as_of=last,
        identifiers=[
            Identifier("user_id" if type_ == "customer" else "account", f"{type_}-{place}"),
            *([Identifier("email", f"c{place}@example.com")] if type_ == "customer" else []),
        ],
        stage=stages[-1],
        stages=stages,
        first_seen_at=begun,
        last_seen_at=last,
        touchpoints=rhythm.days * 4 + 3,
        sessions=rhythm.days,
        measures=measures,
        live_at=last,
        **told,
    )


def _use(draw: Random, rhythm: Rhythm, expected: int) -> Use:
    ago = [0.0]
    while len(ago) < rhythm.days:
        ago.append(ago[-1] + max(1.0, draw.expovariate(1 / rhythm.gap)))
    last = NOW - timedelta(days=rhythm.silent)
    gaps = sorted(round(later - earlier) for earlier, later in pairwise(ago[:21]))
    known = len(gaps) >= 4
    return Use(
        last_value_at=last,
        value_days=len(ago),
        own_gap_days=max(1, gaps[len(gaps) * 9 // 10]) if known else expected,
        days_decayed=[Decayed(half, sum(2.0 ** (-day / half) for day in ago), last) for half in _LADDER],
        features={
            name: last - timedelta(days=draw.random() * 60)
            for name in draw.sample(_FEATURES, draw.randint(0, len(_FEATURES)))
        },
        gaps=len(gaps),
        expected_gap_days=expected,
        mean_gap_days=sum(gaps) / len(gaps) if gaps else None,
    )


def _support(draw: Random, troubled: float) -> Support | None:
    if draw.random() < 0.5:
        return None
    opened = draw.choice((1, 1, 1, 2)) if draw.random() < 2 * troubled else 0
    tickets = [
        OpenTicket(
            ticket_id=f"t-{number}",
            opened_at=_before(draw, 25),
            severity=draw.choice((1, 2, 3, 3, 4)),
            category="billing",
            reopened=draw.random() < 0.1,
            escalated=draw.random() < 0.1,
        )
        for number in range(opened)
    ]
    return Support(tickets=opened + 2, open=tickets, resolved=2, first_response_seconds=5400.0)


def _feedback(draw: Random, answering: float) -> Feedback | None:
    if draw.random() >= answering:
        return None
    at, level = _before(draw, 150), draw.randint(0, 10)
    told: dict[str, Any] = draw.choice(({"nps": level, "nps_at": at}, {"csat": level / 2, "csat_at": at}))
    means = [DecayedMean(half_life_days=half, mean=level / 10, weight=1.0 + draw.random(), at=at) for half in _LADDER]
    return Feedback(answers=1, levels={"nps" if "nps" in told else "csat": level / 10}, level_decayed=means, **told)


def _learning(draw: Random) -> Learning:
    courses = draw.choice((0, 0, 3, 5))
    done = draw.randint(0, courses)
    return Learning(
        courses=courses, courses_completed=done, onboarding_steps=draw.randint(0, 5), latest_at=_before(draw, 90)
    )


def _contacts(draw: Random) -> Contacts:
    return Contacts(
        inbound_at=_before(draw, 120) if draw.random() < 0.8 else None,
        outbound_at=_before(draw, 90) if draw.random() < 0.9 else None,
    )


def _counts(draw: Random, kinds: Sequence[str], silent: float, rare: str | None) -> dict[str, Counted]:
    told = [*draw.sample(kinds, draw.randint(2, len(kinds))), *([rare] if rare else [])]
    return {
        kind: Counted(
            total=draw.randint(1, 40),
            last_at=NOW - timedelta(days=silent + draw.random() * 20),
            decayed=[draw.uniform(0.2, half / 4) for half in _LADDER],
        )
        for kind in told
    }


def _billing(draw: Random, seats: int) -> Billing:
    return Billing(
        plan="pro",
        mrr=Money(f"{seats * 49}.00", "BRL"),
        seats=seats,
        renewal_at=NOW + timedelta(days=draw.uniform(-20, 300)) if draw.random() < 0.7 else None,
        cancels_at=NOW + timedelta(days=draw.uniform(-5, 40)) if draw.random() < 0.04 else None,
        payment_failed_since=_before(draw, 12) if draw.random() < 0.06 else None,
        overdue={"inv-1": _before(draw, 50)} if draw.random() < 0.06 else {},
        auto_renew=draw.choice((None, True, False)),
        started_at=_before(draw, 300),
    )


def _before(draw: Random, days: float) -> datetime:
    return NOW - timedelta(days=draw.random() * days)
