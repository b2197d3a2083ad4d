"""What profiles would have said: who left, who was warned, how much earlier, and how often in vain."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jornada.events import Billing, JourneySnapshot, Measures, Stage, Touchpoint
from jornada.instants import micros
from services.journey.domain.reading import read
from services.journey.domain.rules import SUBSCRIPTION
from services.journey.domain.whole import snapshots, subjects
from services.scoring.domain.freezing import Freeze
from services.scoring.domain.hindsight.facts import Left, departures
from services.scoring.domain.hindsight.tally import Asked, Tally, add
from services.scoring.domain.hindsight.warnings import Red, outcomes, standing, warned_at
from services.scoring.domain.profiles import COMPONENTS, Profile
from services.scoring.domain.scores import Configuration, score
from services.scoring.domain.shipped import SAAS
from services.scoring.domain.stating import stated
from tests.journey.makes import SOMEWHERE, at, touchpoint
from tests.scoring.journeys import ALL, AT, connections, journey, journeys, use

DAY = timedelta(days=1)
HORIZON = timedelta(days=SAAS.risk.horizon_days)
WEEKS = [at(7 * week) for week in range(1, 27)]
ASKED = Asked(instants=WEEKS, most=1_000)
USED = frozenset({"adoption"})


def configured(*own: Profile) -> Configuration:
    return Configuration(USED, own)


def strict(by_days: float = 20.0) -> Profile:
    """A profile of which red begins higher up."""
    return stated("saas", {"thresholds": {"yellow": 40 + by_days, "green": 75 + by_days / 2}, "hysteresis": 1}, 2)


_spans = st.tuples(st.integers(-40, 2), st.integers(1, 20))


@given(journeys(), connections, st.lists(st.tuples(st.sampled_from(COMPONENTS), _spans), max_size=2))
def test_a_standing_is_what_scores_say_without_their_reasons(
    snapshot: JourneySnapshot, connected: frozenset[str], frozen: list[tuple[str, tuple[int, int]]]
) -> None:
    days = [(name, snapshot.as_of + begin * DAY, length * DAY) for name, (begin, length) in frozen]
    freezes = tuple(
        Freeze("app", name, frozenset({name}), micros(begin), micros(begin + lasting)) for name, begin, lasting in days
    )
    own = stated("near", {"applies": {"when": {"until": "billing.renewal_at", "at_most": "90 days"}}}, 1)
    configuration = Configuration(connected, (own,), freezes=freezes)
    told, whole = standing(snapshot, configuration), score(snapshot, configuration, snapshot.as_of)
    assert (told.score, told.band, told.profile) == (whole.health.score, whole.health.band, whole.profile)


Life = dict[str, list[float]]
"""By customer, the days of their acts."""
_lives: st.SearchStrategy[Life] = st.dictionaries(
    st.sampled_from("abcdef"), st.lists(st.integers(0, 180 * 24).map(lambda hour: hour / 24), min_size=1, max_size=25)
).filter(bool)


def series_of(lives: Life) -> dict[str, list[JourneySnapshot]]:
    """Everybody's journey at every week by which anything counts."""
    told: list[Touchpoint] = []
    for name, days in lives.items():
        told.append(touchpoint(f"{name}s", min(days), event="Signed Up", user_id=name))
        told += [touchpoint(f"{name}{n}", day, event="Report Exported", user_id=name) for n, day in enumerate(days)]
    known = subjects(SOMEWHERE, [read(each) for each in told])
    found: dict[str, list[JourneySnapshot]] = {name: [] for name in lives}
    for week in WEEKS:
        for snapshot in snapshots(SOMEWHERE, known, SUBSCRIPTION, week):
            found[snapshot.identifiers[0].value].append(snapshot)
    return {name: series for name, series in found.items() if series}


def tallied(lives: Life, today: Configuration, changed: Configuration) -> Tally:
    tally = Tally()
    for series in series_of(lives).values():
        add(tally, series, today, changed, ASKED)
    return tally


@given(_lives)
@settings(max_examples=25)
def test_what_is_configured_today_changes_nothing(lives: Life) -> None:
    tally = tallied(lives, configured(), configured())
    assert tally.today == tally.changed
    assert (tally.turns, tally.who) == ({}, [])
    assert all(each == 0.0 for each in tally.earlier)
    assert len(tally.earlier) == len(tally.today.leads)


class Brute:
    """The same, worked out from the acts themselves and from scores asked for every six hours."""

    def __init__(self, lives: Life, configuration: Configuration) -> None:
        self.bands: Counter[str] = Counter()
        self.left: list[tuple[str, datetime]] = []
        self.warnings: Counter[str] = Counter()
        self.leads: list[float] = []
        for name, series in series_of(lives).items():
            self._add(name, [at(day) for day in lives[name]], series, configuration)

    def _add(
        self, name: str, acts: Sequence[datetime], series: Sequence[JourneySnapshot], configuration: Configuration
    ) -> None:
        away = {week: max(act for act in acts if act <= week) + HORIZON for week in WEEKS if min(acts) <= week}
        away = {week: since for week, since in away.items() if since <= week}
        left = sorted({since for since in away.values() if since > WEEKS[0]})
        self.left += [(name, each) for each in left]
        looked_at = {each.as_of: score(each, configuration, each.as_of).health.band for each in series}
        self.bands[looked_at[WEEKS[-1]]] += 1
        begins = [
            each
            for before, each in pairwise([None, *series])
            if each is not None
            and looked_at[each.as_of] == "red"
            and (before is None or looked_at[before.as_of] != "red")
        ]
        reds = [(self._since(each, series, configuration), each.as_of) for each in begins]
        for since, seen in reds:
            if since > WEEKS[0]:
                self.warnings[self._outcome(since, left, away, acts)] += 1
            assert since <= seen
        for each in left:
            stood = [
                since
                for since, seen in reds
                if since < each
                and any(
                    looked_at[week] == "red" or week == seen
                    for week in self._spell(seen, looked_at)
                    if self._over(week, looked_at) > each - HORIZON
                )
            ]
            if stood:
                self.leads.append((each - min(stood)) / DAY)

    def _since(
        self, journey: JourneySnapshot, series: Sequence[JourneySnapshot], configuration: Configuration
    ) -> datetime:
        earlier = [each.as_of for each in series if each.as_of < journey.as_of]
        begin = max([journey.last_seen_at, *earlier[-1:]])
        hours = timedelta(hours=6)
        since = journey.as_of
        while since - hours >= begin and self._red(journey, since - hours, configuration):
            since -= hours
        return begin if since - begin < hours and self._red(journey, begin, configuration) else since

    def _red(self, journey: JourneySnapshot, when: datetime, configuration: Configuration) -> bool:
        told = msgspec.structs.replace(journey, as_of=min(when, journey.as_of))
        return score(told, configuration, when).health.band == "red"

    def _spell(self, seen: datetime, looked_at: Mapping[datetime, str]) -> list[datetime]:
        weeks = [week for week in sorted(looked_at) if week >= seen]
        over = next((place for place, week in enumerate(weeks) if looked_at[week] != "red"), len(weeks))
        return weeks[:over]

    def _over(self, week: datetime, looked_at: Mapping[datetime, str]) -> datetime:
        """When the week's red was seen to be over."""
        return next(
            (each for each in sorted(looked_at) if each > week and looked_at[each] != "red"),
            datetime.max.replace(tzinfo=week.tzinfo),
        )

    def _outcome(
        self, since: datetime, left: Sequence[datetime], away: dict[datetime, datetime], acts: Sequence[datetime]
    ) -> str:
        if any(since < each <= since + HORIZON for each in left):
            return "right"
        following = min(week for week in WEEKS if week >= since)
        if away.get(following, since + DAY) <= since:
            back = next((week for week in WEEKS if week > following and week not in away), None)
            if back is None or max(act for act in acts if act <= back) > since + HORIZON:
                return "late"
        return "open" if since + HORIZON > WEEKS[-1] else "in_vain"


@given(_lives, st.sampled_from((10.0, 20.0, 30.0)))
@settings(max_examples=20)
def test_the_counts_are_those_worked_out_from_the_acts_themselves(lives: Life, by_days: float) -> None:
    both = configured(), configured(strict(by_days))
    tally = tallied(lives, *both)
    for side, configuration in zip((tally.today, tally.changed), both, strict=True):
        brute = Brute(lives, configuration)
        assert side.bands == brute.bands
        assert sum(tally.left.values()) == len(brute.left)
        assert side.warnings == brute.warnings
        assert sorted(side.leads) == pytest.approx(sorted(brute.leads), abs=0.25 + 1e-6)
        if brute.leads:
            assert side.lead_days == pytest.approx(median(brute.leads), abs=0.25 + 1e-6)


def test_a_stricter_profile_warns_earlier_of_who_falls_silent_and_in_vain_of_who_comes_back() -> None:
    steady = [float(day) for day in range(0, 60, 2)]
    lives = {"goes": steady, "returns": [*steady, *(float(day) for day in range(71, 182, 2))]}
    tally = tallied(lives, configured(), configured(strict(30.0)))
    assert tally.left == {"silence": 1}
    assert len(tally.today.leads) == len(tally.changed.leads) == 1
    assert tally.changed.leads[0] > tally.today.leads[0] + 2
    assert tally.earlier_days == pytest.approx(tally.changed.leads[0] - tally.today.leads[0])
    assert (tally.today.precision, tally.changed.precision) == (1.0, 0.5)
    assert tally.changed.warnings == {"right": 1, "in_vain": 1}


def _contract(weeks: int, **billing: object) -> list[JourneySnapshot]:
    told = Billing(started_at=AT - 300 * DAY, **billing)  # type: ignore[arg-type]
    return [
        journey(as_of=AT + week * 7 * DAY, measures=Measures(use=use(AT - 90 * DAY), billing=told))
        for week in range(weeks)
    ]


def test_who_has_a_contract_leaves_with_it_and_not_by_silence() -> None:
    ends = AT + 10 * DAY
    assert departures(_contract(4), HORIZON) == []
    assert departures(_contract(4, cancels_at=ends), HORIZON) == [Left(ends, "contract")]
    assert departures(_contract(4, renewal_at=ends, auto_renew=True), HORIZON) == []
    assert departures(_contract(4, renewal_at=ends), HORIZON) == []
    assert departures(_contract(4, renewal_at=ends, auto_renew=False), HORIZON) == [Left(ends, "contract")]
    lapsed = [
        msgspec.structs.replace(each, stage=Stage(name="churned", entered_at=ends, rule="contract_ended"))
        for each in _contract(4, renewal_at=ends)
    ]
    assert departures(lapsed, HORIZON) == [Left(ends, "contract")]
    back = [*_contract(3, cancels_at=ends), *_contract(5)[3:], *_contract(8, cancels_at=AT + 36 * DAY)[5:]]
    assert departures(back, HORIZON) == [
        Left(ends, "contract", AT + 21 * DAY),
        Left(AT + 36 * DAY, "contract"),
    ]


def test_who_has_not_begun_or_only_tries_cannot_leave() -> None:
    silent = Measures(use=use(AT - 90 * DAY))
    assert departures([journey(measures=silent)], HORIZON) == [Left(AT - 60 * DAY, "silence")]
    assert departures([journey(measures=silent, stage="lead")], HORIZON) == []
    tries = Billing(trial_started_at=AT - 95 * DAY, trial_ends_at=AT - 80 * DAY)
    assert departures([journey(measures=msgspec.structs.replace(silent, billing=tries))], HORIZON) == []
    deleted = Stage(name="churned", entered_at=AT - DAY, rule="account_deleted")
    gone = msgspec.structs.replace(journey(), stage=deleted)
    assert departures([gone], HORIZON) == [Left(AT - DAY, "deletion")]


def test_a_warning_counts_while_the_horizon_before_the_leaving_lasts() -> None:
    left = Left(AT, "silence")
    before = AT - HORIZON
    assert warned_at(left, [], HORIZON) is None
    assert warned_at(left, [Red(AT)], HORIZON) is None
    assert warned_at(left, [Red(before - 9 * DAY, before)], HORIZON) is None
    assert warned_at(left, [Red(before - 9 * DAY, before + DAY)], HORIZON) == before - 9 * DAY
    assert warned_at(left, [Red(before + DAY, before + 2 * DAY), Red(AT - DAY)], HORIZON) == before + DAY


def test_a_warning_turns_out_by_what_is_known_at_the_end() -> None:
    begin, end = AT - 300 * DAY, AT
    left = [Left(AT - 100 * DAY, "silence", AT - 80 * DAY)]

    def told(days: int) -> list[str]:
        return list(outcomes([Red(AT - days * DAY)], left, HORIZON, begin, end))

    assert told(300) == []
    assert (told(131), told(130), told(101)) == (["in_vain"], ["right"], ["right"])
    assert told(100) == told(80) == ["in_vain"]
    left = [Left(AT - 100 * DAY, "silence", AT - 69 * DAY)]
    assert (told(100), told(99), told(69)) == (["late"], ["in_vain"], ["in_vain"])
    left = [Left(AT - 20 * DAY, "silence")]
    assert (told(20), told(10)) == (["late"], ["late"])
    left = []
    assert (told(30), told(29)) == (["in_vain"], ["open"])


def test_who_would_change_band_is_listed_the_most_urgent_first_and_no_more_than_asked() -> None:
    tally, asked = Tally(), Asked(instants=[AT - DAY, AT], most=3)
    today, changed = Configuration(ALL), Configuration(ALL, (strict(30.0),))
    for number in range(30):
        measures = Measures(use=use(AT - number * DAY))
        add(tally, [journey(f"c{number}", measures=measures)], today, changed, asked)
    changes = sum(number for to in tally.turns.values() for number in to.values())
    assert changes > len(tally.who) == 3
    assert {each.changed.band for each in tally.who} == {"red"}
    scores = [each.changed.score or 0.0 for each in tally.who]
    assert scores == sorted(scores)
    assert all(each.today.band != each.changed.band for each in tally.who)
    assert sum(tally.today.bands.values()) == sum(tally.changed.bands.values()) == 30
