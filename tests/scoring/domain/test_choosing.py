"""Which profile holds, when another one will, and that crossings are exact over it."""

from datetime import datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from jornada.events import Billing, Counted, Health, JourneySnapshot, Measures, OpenTicket, Support
from jornada.events.journeys import Membership
from jornada.instants import micros
from jornada.rules import Terms
from services.journey.domain import view as journeys_view
from services.journey.domain.vocabulary import ALL_KINDS
from services.scoring.domain import crossing
from services.scoring.domain.choosing import choices
from services.scoring.domain.course import Course
from services.scoring.domain.health import bandless
from services.scoring.domain.overriding import Override
from services.scoring.domain.profiles import Profile
from services.scoring.domain.scores import Configuration, score
from services.scoring.domain.stating import stated
from services.scoring.domain.view import TERMS, SnapshotView
from tests.scoring.conditions import conditions
from tests.scoring.journeys import ALL, AT, connections, journey, journeys, later, use

DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
MICRO = timedelta(microseconds=1)


def own(name: str = "own", **document: Any) -> Profile:
    """A workspace's own profile."""
    return stated(name, {"applies": {}, **document}, 1)


_INSTANTS = st.integers(-60 * 86_400_000_000, 60 * 86_400_000_000).map(lambda us: AT + timedelta(microseconds=us))
_PAST = _INSTANTS.filter(lambda at: at <= AT)
_WELL = st.builds(
    lambda billing, opened, seen: journey(
        measures=Measures(
            use=use(count=40.0, own_gap_days=60),
            support=Support(tickets=1, open=[OpenTicket(ticket_id="t", opened_at=opened, severity=4)]),
            billing=billing,
            counts={"signed_in": Counted(total=2, last_at=seen, decayed=[1.5] * 5)},
        )
    ),
    st.builds(Billing, renewal_at=_INSTANTS, auto_renew=st.just(True), trial_ends_at=st.none() | _INSTANTS),
    _PAST,
    _PAST,
)
"""Journeys that are well for weeks, with dates of which conditions may ask."""


@st.composite
def configurations(draw: st.DrawFn) -> Configuration:
    """Workspaces with a few profiles of their own, by conditions, and with vetoes by conditions."""
    found = []
    for name in draw(st.sets(st.sampled_from("abc"), min_size=1)):
        veto = {
            "name": "v",
            "when": draw(conditions()),
            "at_most": draw(st.sampled_from((10, 50, 80))),
            "because": {"en": "a", "pt-BR": "b"},
        }
        document = {
            "base": draw(st.sampled_from(("saas", "commerce", "services", "app"))),
            "order": draw(st.integers(0, 1)),
            "thresholds": draw(st.sampled_from(({}, {"green": 90, "yellow": 60}, {"green": 50, "yellow": 20}))),
            "vetoes": {"own": [veto] if draw(st.booleans()) else []},
            "least_coverage": draw(st.sampled_from((0.05, 0.5))),
            "applies": draw(st.just({}) | st.builds(lambda when: {"when": when}, conditions())),
        }
        found.append(stated(name, document, 1))
    own_ones = tuple(sorted(found, key=lambda each: (each.order, each.name)))
    return Configuration(draw(st.just(ALL) | connections), own_ones)


def band(snapshot: JourneySnapshot, configuration: Configuration, at: datetime) -> str:
    """The band at an instant, by what holds then alone."""
    connected, own_ones = configuration.connected, configuration.own
    now = micros(at)
    profile = choices(snapshot, own_ones, connected, now, now)[0].profile
    course = Course(snapshot, profile, connected)
    return "unknown" if bandless(snapshot, course, profile) else profile.bands.band(crossing.at(course, now))


POLLS = [each * MINUTE for each in range(1_440)] + [each * DAY / 4 for each in range(4, 400)]
"""By the minute for a day, by the quarter of a day for a hundred."""


@given(_WELL | journeys(), configurations(), st.integers(0, 86_400_000_000))
@settings(max_examples=80, deadline=None)
def test_the_crossing_is_what_polling_finds_though_profiles_and_vetoes_come_and_go(
    snapshot: JourneySnapshot, configuration: Configuration, offset: int
) -> None:
    at = AT + timedelta(microseconds=offset)
    begun = score(snapshot, configuration, at).health
    assert begun.band == band(snapshot, configuration, at)
    if begun.band == "unknown":
        return
    crosses = begun.crosses
    polled = next((each for each in POLLS if band(snapshot, configuration, at + each) != begun.band), None)
    if polled is not None:
        assert crosses is not None
        assert crosses.at <= at + polled
    if crosses is not None:
        assert band(snapshot, configuration, crosses.at) == crosses.band != begun.band
        assert band(snapshot, configuration, max(at, crosses.at - MICRO)) == begun.band


@given(_WELL | journeys(), configurations(), later, st.integers(0, 60 * 86_400_000_000))
@settings(max_examples=200, deadline=None)
def test_until_it_is_to_be_said_again_the_same_profile_holds_and_from_then_on_another(
    snapshot: JourneySnapshot, configuration: Configuration, at: datetime, more: int
) -> None:
    begun = score(snapshot, configuration, at)
    then = at + timedelta(microseconds=more)
    if begun.again_at is None or then < begun.again_at:
        assert score(snapshot, configuration, then).profile == begun.profile
    if begun.again_at is not None:
        assert score(snapshot, configuration, begun.again_at).profile != begun.profile
        assert score(snapshot, configuration, begun.again_at - MICRO).profile == begun.profile


def test_the_first_that_applies_is_chosen() -> None:
    stays = [Membership(name="big", entered_at=AT)]
    everybody = own("z")
    among = Configuration(
        ALL,
        (
            own("a", applies={"stages": ["loyal"]}),
            own("b", applies={"segments": ["big"], "personas": ["cfo"]}),
            own("c", applies={"segments": ["small", "big"]}),
            everybody,
        ),
    )

    def chosen(**more: Any) -> str:
        return score(journey(**more), among, AT).profile.name

    assert chosen() == "z"
    assert chosen(stage="loyal") == "a"
    assert chosen(segments=stays) == "c"
    assert chosen(segments=stays, personas=[Membership(name="cfo", entered_at=AT)]) == "b"


def test_an_own_profile_stands_in_for_the_one_that_ships_under_its_name() -> None:
    saas = stated("saas", {"thresholds": {"green": 75}}, 2)
    configuration = Configuration(ALL, (saas,))
    assert score(journey(), configuration, AT).profile.label == "saas@2"
    assert score(journey(rules="shop"), configuration, AT).profile.label == "commerce@1"
    assert score(journey(rules="own", rules_base="shop"), configuration, AT).profile.label == "commerce@1"


def test_a_renewal_that_nears_brings_another_profile_at_its_very_instant() -> None:
    billing = Billing(plan="pro", renewal_at=AT + 100 * DAY, auto_renew=True)
    snapshot = journey(measures=Measures(use=use(), billing=billing))
    strict = own(
        thresholds={"green": 99.5, "yellow": 99},
        hysteresis=0,
        applies={"when": {"until": "billing.renewal_at", "at_most": "98 days"}},
    )
    begun = score(snapshot, Configuration(ALL, (strict,)), AT)
    assert (begun.profile.name, begun.again_at) == ("saas", AT + 2 * DAY)
    assert begun.health.crosses is not None
    assert begun.health.crosses.at == AT + 2 * DAY


def _vetoed(at_most: float, name: str, when: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "when": when, "at_most": at_most, "because": {"en": f"{name}!", "pt-BR": f"{name}?"}}


def test_own_vetoes_cap_the_score_while_they_hold_and_are_listed_with_their_texts() -> None:
    counts = {"signed_in": Counted(total=3, last_at=AT, decayed=[3.0] * 5)}
    snapshot = journey(measures=Measures(use=use(), billing=Billing(cancels_at=AT + 20 * DAY), counts=counts))
    vetoes = [
        _vetoed(50, "away", {"silence": "signed_in", "at_least": "2 days"}),
        _vetoed(10, "long away", {"silence": "signed_in", "at_least": "3 days"}),
    ]
    configuration = Configuration(ALL, (own(vetoes={"own": vetoes}),))

    def told(at: datetime) -> tuple[Health, list[str]]:
        health = score(snapshot, configuration, at).health
        return health, [veto.text["en"] for veto in health.vetoes if veto.values["points"]]

    assert told(AT)[0].score == 35.0
    health, costly = told(AT + 2 * DAY)
    assert (health.score, len(health.vetoes)) == (35.0, 2)
    assert costly == ["cancellation takes effect on 22 Mar 2026"]
    health, costly = told(AT + 3 * DAY)
    assert (health.score, costly) == (10.0, ["long away!"])
    assert [veto.text["pt-BR"] for veto in health.vetoes][1:] == ["away?", "long away?"]
    assert told(AT + 3 * DAY - MICRO)[0].score == 35.0


def test_what_a_published_journey_is_asked_has_the_names_that_journey_knows() -> None:
    theirs: Terms = journeys_view.TERMS
    assert (TERMS.measures, TERMS.dates, TERMS.stages) == (theirs.measures, theirs.dates, theirs.stages)
    assert TERMS.half_lives == theirs.half_lives
    assert all(kind in TERMS.kinds for kind in ALL_KINDS)
    assert "Sign in" not in TERMS.kinds


@given(st.integers(1, 30), st.sampled_from((7, 14, 30, 60, 90)), st.integers(1, 20_000_000_000))
def test_a_count_that_halves_falls_below_a_level_at_its_very_second(total: int, half_life: int, level: int) -> None:
    counts = {"signed_in": Counted(total=total, last_at=AT, decayed=[float(total)] * 5)}
    view = SnapshotView(journey(measures=Measures(counts=counts)))
    at = view.decays_below("signed_in", half_life, level)
    assert at is not None
    assert view.decayed("signed_in", half_life, at) < level
    if at > micros(AT):
        assert view.decayed("signed_in", half_life, at - 1) >= level
    assert view.decays_below("never_seen", half_life, level) is None


@given(journeys(), connections, later, st.none() | st.floats(0, 100), st.integers(1, 400))
def test_an_override_is_what_is_shown_until_it_ends_and_computes_nothing(
    snapshot: JourneySnapshot, connected: frozenset[str], at: datetime, value: float | None, days: int
) -> None:
    until = at + days * DAY
    override = Override(value, "green" if value is None else None, "Carla", "on leave", at, until)
    configuration = Configuration(connected)
    plain, said = score(snapshot, configuration, at), score(snapshot, configuration, at, override)
    assert (said.health, said.churn_risk, said.upsell_propensity) == (
        plain.health,
        plain.churn_risk,
        plain.upsell_propensity,
    )
    assert said.shown.computed is not None
    assert (said.shown.computed.band, said.shown.computed.score) == (plain.health.band, plain.health.score)
    assert said.shown.band == ("green" if value is None else plain.profile.bands.band(value))
    assert said.shown.score == (plain.health.score if value is None else value)
    assert said.again_at == until
    last, over = (score(snapshot, configuration, until - less, override) for less in (MICRO, timedelta(0)))
    assert last.shown.override is not None
    assert (over.shown, over.again_at) == (over.health, None)
    tomorrow = override._replace(since=at + DAY)
    assert score(snapshot, configuration, at, tomorrow).shown.override is None
