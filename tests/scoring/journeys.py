"""Journeys as values, with keyword overrides, and strategies that draw them."""

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, get_args
from uuid import UUID

from hypothesis import strategies as st

from jornada.events import (
    Band,
    Billing,
    Contacts,
    Counted,
    Decayed,
    DecayedMean,
    Feedback,
    JourneySnapshot,
    Learning,
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
from jornada.instants import micros
from services.scoring.domain import scores
from services.scoring.domain.people import Member, people, peopled
from services.scoring.domain.profiles import COMPONENTS
from services.scoring.domain.scores import Configuration, Scores

AT = datetime(2026, 3, 2, 14, 5, tzinfo=UTC)
WORKSPACE = WorkspaceId(UUID("0198f3a2-7c11-7d2e-9c55-1f0a4b6d8e21"))
ALL = frozenset(COMPONENTS)
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


def score(journey: JourneySnapshot, connected: Collection[str], at: datetime) -> Scores:
    """The scores where only what is connected was said."""
    return scores.score(journey, Configuration(frozenset(connected)), at)


def subject_id(name: str) -> SubjectId:
    """The id of the subject of that name."""
    return SubjectId(derived_id("subject", name))


_instants = st.integers(0, 100 * 86_400_000_000).map(lambda before: AT - timedelta(microseconds=before))


DAY = 86_400_000_000


@st.composite
def _uses(draw: st.DrawFn) -> Use:
    """Value days as they could have been: of each half-life the count is that of the same days."""
    days = sorted(draw(st.sets(st.integers(0, 200), min_size=1, max_size=40)))
    last = draw(_instants)
    decayed = [Decayed(half, sum(2.0 ** (-(day - days[0]) / half) for day in days), last) for half in LADDER]
    features = draw(st.dictionaries(st.sampled_from("abcdefgh"), _instants, max_size=5))
    return Use(
        last_value_at=last,
        value_days=len(days),
        own_gap_days=draw(st.integers(1, 60)),
        days_decayed=decayed,
        features=features,
        gaps=min(len(days) - 1, 20),
        expected_gap_days=draw(st.sampled_from((0, 2, 7, 180))),
    )


_tickets = st.builds(
    lambda at, severity, reopened: OpenTicket(ticket_id="t", opened_at=at, severity=severity, reopened=reopened),
    _instants,
    st.integers(1, 4),
    st.booleans(),
)
_supports = st.builds(lambda tickets: Support(tickets=len(tickets), open=tickets), st.lists(_tickets, max_size=3))
_dates = st.integers(-100 * DAY, 400 * DAY).map(lambda after: AT + timedelta(microseconds=after))
_billings = st.builds(
    Billing,
    payment_failed_since=st.none() | _instants,
    cancels_at=st.none() | _dates,
    overdue=st.dictionaries(st.sampled_from("abc"), _instants, max_size=2),
    renewal_at=st.none() | _dates,
    auto_renew=st.none() | st.booleans(),
    trial_ends_at=st.none() | _dates,
    seats=st.none() | st.integers(1, 20),
)


@st.composite
def _feedbacks(draw: st.DrawFn) -> Feedback:
    at = draw(_instants)
    survey = draw(st.sampled_from(("nps", "csat", "ces")))
    mean, weight = draw(st.floats(0, 1)), draw(st.floats(1.0, 6.0))
    told: dict[str, Any] = {survey: draw(st.integers(0, 10)), f"{survey}_at": at}
    means = [DecayedMean(half_life_days=half, mean=mean, weight=weight, at=at) for half in LADDER]
    return Feedback(answers=1, levels={survey: mean}, level_decayed=means, **told)


_learnings = st.builds(
    lambda courses, completed, steps: Learning(
        courses=courses, courses_completed=min(courses, completed), onboarding_steps=steps
    ),
    st.integers(0, 5),
    st.integers(0, 5),
    st.integers(0, 9),
)
_counted = st.builds(
    lambda at, total: Counted(total=total, last_at=at, decayed=[float(total)] * len(LADDER)),
    _instants,
    st.integers(1, 4),
)
_contacts = st.builds(Contacts, inbound_at=st.none() | _instants, outbound_at=st.none() | _instants)


members = st.builds(
    lambda band, champion, silent_since: Member(band, champion, silent_since if champion else None),
    st.sampled_from(get_args(Band)),
    st.booleans(),
    st.none() | _instants,
)
peoples = st.builds(lambda found: people(Counter(found), AT), st.lists(members, max_size=12))


@st.composite
def journeys(draw: st.DrawFn) -> JourneySnapshot:
    """Journeys of any health, as they stand at AT."""
    days = draw(st.dictionaries(st.integers(micros(AT) // DAY - 59, micros(AT) // DAY), st.integers(1, 9), max_size=4))
    measures = Measures(
        use=draw(st.none() | _uses()),
        support=draw(st.none() | _supports),
        billing=draw(st.none() | _billings),
        feedback=draw(st.none() | _feedbacks()),
        learning=draw(st.none() | _learnings),
        contacts=draw(st.none() | _contacts),
        counts=draw(st.dictionaries(st.sampled_from(("referral_made", "product_reviewed")), _counted, max_size=2)),
        people=sum(days.values()),
        people_by_day=sorted(days.items()),
    )
    rules = draw(st.sampled_from(("subscription", "shop", "app")))
    if draw(st.booleans()):
        return journey(measures=measures, rules=rules)
    drawn = journey(measures=measures, rules=rules, type_="account")
    return peopled(drawn, draw(peoples)) if draw(st.booleans()) else drawn


connections = st.sets(st.sampled_from(COMPONENTS)).map(frozenset)
later = st.integers(0, 800 * DAY).map(lambda after: AT + timedelta(microseconds=after))
