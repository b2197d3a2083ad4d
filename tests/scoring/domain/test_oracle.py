"""Scores from a journey's state are those of the raw events, however the state came about."""

import random
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jornada.events import JourneySnapshot, Touchpoint, WorkspaceId
from services.journey.domain import folding, state
from services.journey.domain.reading import read
from services.journey.domain.rules import SUBSCRIPTION
from services.journey.domain.snapshot import Standing, snapshot
from services.journey.domain.stages import timeline
from services.journey.domain.state import State
from tests.journey.makes import SOMEWHERE, at, touchpoint
from tests.scoring.journeys import ALL, score, subject_id
from tests.scoring.oracle import Event, health

_FREE: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "Report Exported": st.just({}),
    "Chart Shared": st.just({}),
    "Board Made": st.just({}),
    "Survey Responded": st.integers(0, 10).map(lambda score: {"survey_type": "nps", "score": score}),
    "Training Assigned": st.sampled_from("ab").map(lambda name: {"course_id": name}),
    "Training Completed": st.sampled_from("ab").map(lambda name: {"course_id": name}),
    "Onboarding Step Completed": st.sampled_from("abcd").map(lambda name: {"step": name}),
    "Payment Failed": st.just({}),
    "Payment Recovered": st.just({}),
    "Contact Logged": st.sampled_from(("inbound", "outbound")).map(lambda way: {"direction": way}),
    "Referral Made": st.just({}),
    "Subscription Started": st.fixed_dictionaries(
        {"renewal_in": st.integers(60, 160), "auto_renew": st.sampled_from((True, False, None))}
    ),
}


@st.composite
def lives(draw: st.DrawFn) -> list[Event]:
    """What one customer did within 100 days, each at an hour of its own; a ticket is resolved after it was opened."""
    hours = draw(st.lists(st.integers(0, 100 * 24 - 1), min_size=1, max_size=40, unique=True))
    events = [
        Event(hour / 24, name, draw(_FREE[name])) for hour in hours for name in (draw(st.sampled_from([*_FREE])),)
    ]
    tickets = draw(
        st.lists(st.tuples(st.integers(1, 4), st.integers(0, 90), st.none() | st.integers(1, 9)), max_size=3)
    )
    for number, (severity, opened, took) in enumerate(tickets):
        told = {"ticket_id": f"t{number}", "severity": severity}
        events.append(Event(opened + (number + 1) / 1_440, "Support Ticket Created", told))
        if took is not None:
            events.append(Event(opened + took + (number + 1) / 1_440, "Support Ticket Resolved", told))
    return events


def life(chance: random.Random) -> list[Event]:
    """One such life, by chance."""
    found = []
    for _ in range(30):
        name = chance.choice([*_FREE])
        properties: dict[str, dict[str, Any]] = {
            "Survey Responded": {"survey_type": "nps", "score": chance.randint(0, 10)},
            "Training Assigned": {"course_id": chance.choice("ab")},
            "Training Completed": {"course_id": chance.choice("ab")},
            "Onboarding Step Completed": {"step": chance.choice("abcd")},
            "Contact Logged": {"direction": chance.choice(("inbound", "outbound"))},
            "Subscription Started": {"renewal_in": chance.randint(60, 160), "auto_renew": chance.choice((True, None))},
        }
        found.append(Event(chance.randint(0, 100 * 24 - 1) / 24, name, properties.get(name, {})))
    return [event for event in found if sum(event.at == each.at for each in found) == 1]


def touchpoint_of(number: int, event: Event, workspace: WorkspaceId = SOMEWHERE) -> Touchpoint:
    """The event as it is sent."""
    properties = {name: value for name, value in event.properties.items() if value is not None}
    if "renewal_in" in properties:
        properties["renewal_at"] = at(properties.pop("renewal_in")).isoformat()
    return touchpoint(
        f"m{number}", event.at, event=event.name, user_id="ana", properties=properties, workspace=workspace
    )


def _journey(whole: State, days: float) -> JourneySnapshot:
    standing = Standing(workspace=SOMEWHERE, type="customer", id=subject_id("ana"), identifiers=[], sessions=1)
    told = snapshot(whole, standing, SUBSCRIPTION, at(days), 1, timeline(whole, SUBSCRIPTION))
    assert told is not None
    return told


def _folded(events: Sequence[Event]) -> State:
    return folding.fold(read(touchpoint_of(number, event)) for number, event in enumerate(events))


@given(lives(), st.integers(0, 24 * 120))
@settings(max_examples=200, deadline=None)
def test_a_score_from_the_state_is_that_of_the_raw_events(events: list[Event], later: int) -> None:
    last = max(event.at for event in events)
    days = last + later / 24
    told = score(_journey(_folded(events), last), ALL, at(days)).health
    expected, values = health(events, days)
    assert {each.name: each.value for each in told.components} == pytest.approx(values, abs=2e-6)
    assert told.score == pytest.approx(expected, abs=2e-4)


@given(lives(), st.randoms(), st.integers(0, 90))
def test_a_merge_gives_the_scores_that_one_life_would_have_given(
    events: list[Event], chance: random.Random, later: int
) -> None:
    last = max(event.at for event in events)
    numbered = list(enumerate(events))
    chance.shuffle(numbered)
    cut = chance.randint(0, len(numbered))
    one, other = (
        folding.fold(read(touchpoint_of(number, event)) for number, event in part)
        for part in (numbered[:cut], numbered[cut:])
    )
    now = at(last) + timedelta(days=later)
    merged, whole = (score(_journey(known, last), ALL, now) for known in (state.join(one, other), _folded(events)))
    assert (merged.health, merged.churn_risk, merged.upsell_propensity) == (
        whole.health,
        whole.churn_risk,
        whole.upsell_propensity,
    )
