"""The ladder: models are told one set of features, and say the same at an instant as over time."""

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from jornada.events import JourneySnapshot
from jornada.instants import micros
from services.scoring.domain import crossing
from services.scoring.domain.features import FEATURES, SCHEMA, features
from services.scoring.domain.ladder import LEVEL_ONE, refused, serving
from tests.scoring.journeys import ALL, AT, connections, journeys, later, score

_KINDS = {each.name: each for each in FEATURES}


@given(journeys(), connections, later)
def test_features_are_numbers_of_the_names_that_the_schema_lists(
    snapshot: JourneySnapshot, connected: frozenset[str], at: datetime
) -> None:
    told = features(score(snapshot, connected, AT).course, micros(at))
    assert told.keys() <= _KINDS.keys()
    assert all(0.0 <= value <= 1.0 for value in told.values())
    assert len(_KINDS) == len(FEATURES)


@given(journeys(), later, st.integers(0, 400))
def test_what_is_said_to_fall_or_to_hold_in_silence_does(snapshot: JourneySnapshot, at: datetime, after: int) -> None:
    course = score(snapshot, ALL, AT).course
    first, then = features(course, micros(at)), features(course, micros(at + timedelta(days=after)))
    assert first.keys() == then.keys()
    for name, value in then.items():
        if _KINDS[name].in_silence == "falls":
            assert value <= first[name] + 1e-12, name
        if _KINDS[name].in_silence == "holds":
            assert value == first[name], name


@given(journeys(), connections, later)
def test_a_model_says_over_time_what_it_says_at_each_instant(
    snapshot: JourneySnapshot, connected: frozenset[str], at: datetime
) -> None:
    told = score(snapshot, connected, at)
    if told.churn_risk.probability is not None:
        curve = told.model.curve(told.course, told.profile)
        assert crossing.at(curve, micros(told.as_of)) == -told.churn_risk.probability
        assert told.churn_risk.model == told.model.name


@given(st.integers(-1, 9), st.sampled_from((SCHEMA, "", "0" * 16)))
def test_whatever_is_registered_something_serves(level: int, schema: str) -> None:
    assert serving(level, schema) is LEVEL_ONE
    assert (refused(level, schema) is None) == (level == 1 and schema == SCHEMA)


def test_another_schema_is_another_set_of_features() -> None:
    """A change of it is one of what models learn from: trained ones no longer serve."""
    assert SCHEMA == "8a0ae6d3f5f54dc6"
