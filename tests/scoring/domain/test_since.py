"""What changed since the journey before is told in parts that sum to the change, each by what it is."""

from datetime import datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jornada.events import JourneySnapshot, Measures, OpenTicket, Support
from services.scoring.domain.scores import FOLD, Configuration
from services.scoring.domain.since import Before, since_last
from tests.scoring.journeys import ALL, AT, connections, journey, journeys, later, score, use

DAY = timedelta(days=1)


@given(journeys(), journeys(), connections, connections, later, st.integers(FOLD - 1, FOLD))
def test_the_parts_sum_to_the_change(
    earlier: JourneySnapshot,
    newer: JourneySnapshot,
    then: frozenset[str],
    now: frozenset[str],
    at: datetime,
    fold: int,
) -> None:
    published = score(earlier, then, AT).health.score
    health = score(newer, now, at).health
    if published is None:
        return
    since = since_last(newer, Before(earlier, AT, published, fold), Configuration(now), at)
    if since is None:
        return
    assert health.score is not None
    assert since.change == pytest.approx(health.score - published, abs=1e-6)
    if fold == FOLD and then == now:
        assert since.config == since.model == 0.0


def test_silence_alone_is_time_and_what_happens_is_an_event() -> None:
    before = Before(journey(), AT, score(journey(), ALL, AT).health.score or 0.0, FOLD)
    silent = since_last(journey(version=2), before, Configuration(ALL), AT + 12 * DAY)
    assert silent is not None
    assert silent.event == silent.config == silent.model == 0.0
    assert silent.time < -10
    assert [each.name for each in silent.components] == ["adoption"]
    ticket = OpenTicket(ticket_id="t", opened_at=AT, severity=1)
    told = journey(
        version=2, measures=msgspec.structs.replace(journey().measures, support=Support(tickets=1, open=[ticket]))
    )
    happened = since_last(told, before, Configuration(ALL), AT)
    assert happened is not None
    assert happened.time == 0.0
    assert happened.event < -3
    assert [each.name for each in happened.components] == ["support"]


def test_what_connects_is_configuration_and_newer_rules_are_the_model() -> None:
    told = journey(measures=Measures(use=use()))
    only = score(told, frozenset({"adoption"}), AT).health.score
    assert only is not None
    configured = since_last(told, Before(told, AT, only, FOLD), Configuration(frozenset({"adoption", "support"})), AT)
    assert configured is not None
    assert (configured.event, configured.time, configured.model) == (0.0, 0.0, 0.0)
    assert configured.config > 0
    ruled = since_last(told, Before(told, AT, only - 5, FOLD - 1), Configuration(frozenset({"adoption"})), AT)
    assert ruled is not None
    assert (ruled.event, ruled.time, ruled.config) == (0.0, 0.0, 0.0)
    assert ruled.model == pytest.approx(5)
