"""Journeys as values, with keyword overrides, and strategies that draw them."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from hypothesis import strategies as st

from jornada.events import (
    Billing,
    Decayed,
    JourneySnapshot,
    Measures,
    Money,
    OpenTicket,
    Stage,
    SubjectId,
    SubjectType,
    Support,
    Use,
    WorkspaceId,
    derived_id,
)
from jornada.events.journeys import Identifier

AT = datetime(2026, 3, 2, 14, 5, tzinfo=UTC)
WORKSPACE = WorkspaceId(UUID("0198f3a2-7c11-7d2e-9c55-1f0a4b6d8e21"))
ALL = frozenset({"use", "support", "billing"})
LADDER = (7, 14, 30, 60, 90)


def use(last: datetime = AT, *, value_days: int = 20, count: float = 9.0, own_gap_days: int = 3) -> Use:
    """Use whose decayed counts are all `count` at the last value day."""
    decayed = [Decayed(half_life, count, last) for half_life in LADDER]
    return Use(last_value_at=last, value_days=value_days, own_gap_days=own_gap_days, days_decayed=decayed)


def used_on(days_ago: Sequence[float], at: datetime = AT, own_gap_days: int = 7) -> Use:
    """Use on these days before `at`."""
    decayed = [Decayed(half, sum(2.0 ** (-day / half) for day in days_ago), at) for half in LADDER]
    last = at - timedelta(days=min(days_ago))
    return Use(last_value_at=last, value_days=len(days_ago), own_gap_days=own_gap_days, days_decayed=decayed)


def journey(
    name: str = "ana",
    *,
    version: int = 1,
    as_of: datetime = AT,
    measures: Measures | None = None,
    stage: str = "active",
    type_: SubjectType = "customer",
    workspace: WorkspaceId = WORKSPACE,
    **more: Any,
) -> JourneySnapshot:
    """A journey that is well, as it stood at `as_of`."""
    begun = as_of - timedelta(days=200)
    known = Measures(
        use=use(as_of), support=Support(tickets=1), billing=Billing(plan="pro", mrr=Money("100.00", "BRL"))
    )
    identifier = Identifier("user_id" if type_ == "customer" else "account", name)
    told: dict[str, Any] = {
        "identifiers": [identifier],
        "first_seen_at": begun,
        "last_seen_at": as_of,
        "touchpoints": 40,
        "sessions": 20,
        "rules": "subscription",
        "live_at": as_of,
    } | more
    entered = Stage(name=stage, entered_at=begun)
    return JourneySnapshot(
        workspace=workspace,
        subject_type=type_,
        subject_id=subject_id(name),
        version=version,
        fold=1,
        as_of=as_of,
        stage=entered,
        stages=[entered],
        measures=known if measures is None else measures,
        **told,
    )


def subject_id(name: str) -> SubjectId:
    """The id of the subject of that name."""
    return SubjectId(derived_id("subject", name))


_instants = st.integers(0, 100 * 86_400_000_000).map(lambda before: AT - timedelta(microseconds=before))


@st.composite
def _uses(draw: st.DrawFn) -> Use:
    gap = draw(st.integers(1, 60))
    value_days = draw(st.integers(1, 100))
    return use(draw(_instants), value_days=value_days, count=draw(st.floats(1.0, 40.0)), own_gap_days=gap)


_tickets = st.builds(
    lambda at, severity, reopened: OpenTicket(ticket_id="t", opened_at=at, severity=severity, reopened=reopened),
    _instants,
    st.integers(1, 4),
    st.booleans(),
)
_supports = st.builds(lambda tickets: Support(tickets=len(tickets), open=tickets), st.lists(_tickets, max_size=3))
_billings = st.builds(
    lambda failed, cancels: Billing(payment_failed_since=failed, cancels_at=cancels),
    st.none() | _instants,
    st.none() | _instants,
)


@st.composite
def journeys(draw: st.DrawFn) -> JourneySnapshot:
    """Journeys of any health, as they stand at AT."""
    measures = Measures(
        use=draw(st.none() | _uses()), support=draw(st.none() | _supports), billing=draw(st.none() | _billings)
    )
    return journey(measures=measures, rules=draw(st.sampled_from(("subscription", "shop", "app"))))


connections = st.sets(st.sampled_from(sorted(ALL))).map(frozenset)
later = st.integers(0, 800 * 86_400_000_000).map(lambda after: AT + timedelta(microseconds=after))
