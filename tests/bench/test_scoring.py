"""The bench of scoring: a cut hides what comes after it, and areas are what counting pairs gives."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from bench.scoring.comparison import SIMPLE, at_cut, healths
from bench.scoring.data_sets import Cut, Purchase
from bench.scoring.folding import told
from bench.scoring.ranking import auc, auc_interval
from bench.scoring.stored import CONNECTED, NOW, stored
from jornada.events import JourneySnapshot, decode, encode
from services.scoring.domain.scores import Configuration, score

CUT = Cut(datetime(2026, 3, 1, tzinfo=UTC), timedelta(days=28))
END = CUT.at + CUT.horizon

_hours = st.integers(-24 * 90, 24 * 60)
_bought = st.lists(st.tuples(st.sampled_from("abcd"), _hours), max_size=25).map(
    lambda drawn: [
        Purchase(who, str(number), CUT.at + timedelta(hours=hours)) for number, (who, hours) in enumerate(drawn)
    ]
)
_labelled = st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=2, max_size=40).filter(
    lambda drawn: len({label for _, label in drawn}) == 2
)


def _names(bought: Sequence[Purchase]) -> set[str]:
    return {each.customer for each in bought}


@settings(max_examples=60)
@given(_bought)
def test_known_is_who_bought_up_to_the_cut_and_churned_who_did_not_within_the_horizon(bought: list[Purchase]) -> None:
    known = {each.journey.identifiers[0].value: each for each in told(bought, CUT)}
    assert set(known) == _names([each for each in bought if each.at <= CUT.at])
    returned = _names([each for each in bought if CUT.at < each.at <= END])
    assert {name for name, each in known.items() if each.churned} == set(known) - returned


@settings(max_examples=60)
@given(_bought)
def test_nothing_after_the_cut_is_seen_in_a_journey(bought: list[Purchase]) -> None:
    before = [each for each in bought if each.at <= CUT.at]
    alone = [(encode(each.journey), each.bought) for each in told(before, CUT)]
    assert [(encode(each.journey), each.bought) for each in told(bought, CUT)] == alone


@given(_labelled)
def test_the_area_is_the_share_of_pairs_in_order_ties_counting_half(drawn: list[tuple[int, bool]]) -> None:
    gone, stayed = ([score for score, label in drawn if label is wanted] for wanted in (True, False))
    won = sum((one > other) + (one == other) / 2 for one in gone for other in stayed)
    scores, labels = zip(*drawn, strict=True)
    assert abs(auc(scores, labels) - won / (len(gone) * len(stayed))) < 1e-12


def test_the_interval_narrows_as_customers_are_many_and_holds_the_area() -> None:
    draw = random.Random(7)
    drawn = [(draw.gauss(1.0 if label else 0.0, 1.0), label) for label in [True, False, False] * 400]
    scores, labels = [score for score, _ in drawn], [label for _, label in drawn]
    few, many = auc_interval(scores[:90], labels[:90]), auc_interval(scores, labels)
    assert many == auc_interval(scores, labels)
    assert many.low < many.median < many.high
    # Hanley and McNeil's standard error of an area of .76 with 400 and 800 is .015.
    assert 0.045 < many.high - many.low < 0.075 < few.high - few.low


def test_a_cut_counts_bands_and_ranks_by_every_count() -> None:
    regular = [Purchase("a", f"a{week}", CUT.at + timedelta(days=1 - 7 * week)) for week in range(20)]
    gone = [Purchase("b", f"b{week}", CUT.at - timedelta(days=90 + 7 * week)) for week in range(3)]
    known = told([*regular, *gone], CUT)
    found = at_cut(known, CUT.at)
    assert (found.customers, found.churned, found.health.median) == (2, 1, 1.0)
    assert found.simple == dict.fromkeys(SIMPLE, 1.0)
    bands = sorted(each.band for each in healths(known, CUT.at))
    assert sorted(band for band, (many, _) in found.bands.items() if many) == sorted(set(bands))
    assert sum(many for many, _ in found.bands.values()) == 2


def test_the_journeys_drawn_are_the_same_again_and_of_every_band() -> None:
    drawn = stored(60)
    assert stored(60) == drawn
    journeys: list[JourneySnapshot] = [decode(each, JourneySnapshot) for each in drawn]
    told = [score(each, Configuration(CONNECTED[each.workspace]), NOW).health for each in journeys]
    assert {each.band for each in told} == {"green", "yellow", "red", "unknown"}
