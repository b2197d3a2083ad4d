"""While a freeze stands a component is unknown and nobody is judged; afterwards that time was never there."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import msgspec
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from jornada.events import Billing, JourneySnapshot, Measures, Support
from jornada.instants import instant, micros
from services.scoring.domain.announcing import Recorded
from services.scoring.domain.champions import falls_silent
from services.scoring.domain.course import Course
from services.scoring.domain.features import PATIENCE, features
from services.scoring.domain.freezing import Freeze, Lived, freezing
from services.scoring.domain.judging import CHURN_RISK, HEALTH, dues, judge, withheld
from services.scoring.domain.profiles import COMPONENTS
from services.scoring.domain.risk import RiskCourse
from services.scoring.domain.scores import Configuration, Scores, score
from services.scoring.domain.shapes import DAY
from services.scoring.domain.shipped import SAAS
from tests.scoring.domain.test_streams import MINUTE, Crossed, streams
from tests.scoring.journeys import ALL, AT, journey, journeys, later, use

HOUR = 60 * MINUTE
NOW = micros(AT)


def freeze(began: int, ended: int | None, *components: str) -> Freeze:
    return Freeze("app", "feature_used", frozenset(components or ("adoption",)), began, ended)


def scored(told: JourneySnapshot, at: datetime, *freezes: Freeze) -> Scores:
    return score(told, Configuration(ALL, freezes=freezes), at)


spans = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 20)), min_size=1, max_size=4).map(
    lambda pairs: [(begin, begin + length) for begin, length in pairs]
)


@given(spans, st.integers(-5, 90), st.integers(-5, 90))
def test_two_instants_are_as_far_apart_as_the_time_between_them_that_counts(
    frozen: list[tuple[int, int]], a: int, b: int
) -> None:
    time, first, last = Lived(frozen), min(a, b), max(a, b)
    counts = sum(not any(begin <= at < end for begin, end in frozen) for at in range(first, last))
    assert time.at(last) - time.at(first) == counts
    assert time.at(time.end + abs(a)) == time.end + abs(a)
    assert time.first(time.at(a)) == next(at for at in range(-100, 100) if time.at(at) >= time.at(a))


@given(journeys(), later, st.integers(1, 1_000))
def test_before_a_freeze_nothing_differs(told: JourneySnapshot, at: datetime, ahead: int) -> None:
    begins = micros(at) + ahead * HOUR
    plain, frozen = scored(told, at), scored(told, at, freeze(begins, begins + DAY, *COMPONENTS))
    assert (frozen.health, frozen.churn_risk) == (plain.health, plain.churn_risk)
    assert frozen.again_at is not None and frozen.again_at <= instant(begins)


@given(journeys(), later, st.sampled_from(COMPONENTS))
def test_while_it_stands_the_component_is_left_out(told: JourneySnapshot, at: datetime, name: str) -> None:
    plain, frozen = scored(told, at), scored(told, at, freeze(micros(at), None, name))
    left = [each.name for each in plain.health.components if each.name != name]
    assert [each.name for each in frozen.health.components] == left
    if len(left) == len(plain.health.components):
        assert frozen.health == plain.health
        return
    assert [each.component for each in frozen.health.frozen] == [name]
    assert frozen.health.coverage < plain.health.coverage
    assert frozen.health.crosses is None and frozen.churn_risk.probability is None
    assert list(dues(judge(told, frozen, {}, "silence"))) == []


def test_health_that_is_mostly_use_is_unknown_and_says_since_when_in_both_languages() -> None:
    health = scored(journey(), AT, freeze(NOW - HOUR, None)).health
    assert health.band == "unknown" and health.unknown_because is not None
    assert health.unknown_because.text == {
        "en": "next to nothing of feature_used from app since 13:05 UTC on 2 Mar 2026: it is not known",
        "pt-BR": "quase nada de feature_used vindo de app desde 02/03/2026 às 13:05 UTC: não se sabe",
    }


@given(journeys(), st.integers(0, 200 * 24), st.integers(1, 60 * 24), st.integers(0, 200 * 24))
@settings(suppress_health_check=[HealthCheck.filter_too_much])
def test_after_it_all_is_as_if_that_time_had_not_been(
    told: JourneySnapshot, before: int, hours: int, after: int
) -> None:
    assume(told.subject_type == "customer")
    began = NOW + before * HOUR
    ended, plain = began + hours * HOUR, Course(told, SAAS, ALL)
    timeless = {"commercial", "enablement"}
    at = ended + after * HOUR
    frozen = Course(told, SAAS, ALL, freezing([freeze(began, ended, *COMPONENTS)], at))
    values = dict(zip((share.name for share in frozen.shares), frozen.values(at), strict=True))
    for share, then, now in zip(plain.shares, plain.values(at - hours * HOUR), plain.values(at), strict=True):
        assert values[share.name] == pytest.approx(now if share.name in timeless else then, abs=1e-9)


@given(journeys(), st.integers(0, 200 * 24), st.integers(1, 60 * 24), st.integers(0, 200 * 24))
def test_after_it_churn_risk_and_champions_know_silence_as_if_that_time_had_not_been(
    told: JourneySnapshot, before: int, hours: int, after: int
) -> None:
    assume(told.subject_type == "customer")
    began = NOW + before * HOUR
    ended, plain = began + hours * HOUR, Course(told, SAAS, ALL)
    at = ended + after * HOUR
    thawed = Course(told, SAAS, ALL, freezing([freeze(began, ended)], at))
    now, then = features(thawed, at), features(plain, at - hours * HOUR)
    assert now.get(PATIENCE) == pytest.approx(then.get(PATIENCE), abs=1e-9)
    assert RiskCourse(thawed, SAAS.risk).values(at)[-1] == pytest.approx(then.get(PATIENCE, 1.0), abs=1e-9)
    champion = msgspec.structs.replace(told, traits={"role_in_account": "champion"}, account_id=told.subject_id)
    silent_at = falls_silent(champion, plain)
    if silent_at is not None and micros(silent_at) >= began:
        assert falls_silent(champion, thawed) == silent_at + timedelta(hours=hours)


@given(journeys(), st.integers(1, 200 * 24), st.integers(1, 60 * 24), st.integers(1, 200 * 24))
def test_instants_before_it_are_seen_as_they_were(told: JourneySnapshot, before: int, hours: int, back: int) -> None:
    assume(told.subject_type == "customer")
    began = NOW + before * HOUR
    ended, then = began + hours * HOUR, NOW + min(back, before) * HOUR
    seen = Course(told, SAAS, ALL, freezing([freeze(began, ended, *COMPONENTS)], ended))
    assert seen.values(then) == pytest.approx(Course(told, SAAS, ALL).values(then), abs=1e-9)


def test_what_came_meanwhile_counts_as_at_the_end() -> None:
    came = NOW + 5 * HOUR
    told = journey(measures=Measures(use=use(instant(came)), support=Support(tickets=1), billing=Billing(plan="pro")))
    ended = NOW + 50 * HOUR
    seen = Course(told, SAAS, ALL, freezing([freeze(NOW, ended)], ended + HOUR))
    fresh = journey(measures=Measures(use=use(instant(ended)), support=Support(tickets=1), billing=Billing(plan="pro")))
    assert seen.values(ended + HOUR)[0] == pytest.approx(Course(fresh, SAAS, ALL).values(ended + HOUR)[0])


def by_timers(stream: Sequence[JourneySnapshot], end: datetime, configuration: Configuration) -> Iterator[Crossed]:
    """Each journey judged as it comes; between them only when a timer is due."""
    known: dict[str, Recorded] = {}
    for told, until in zip(stream, [*(each.as_of for each in stream[1:]), end], strict=True):
        judged = judge(told, score(told, configuration, told.as_of), known, "live")
        while True:
            known = known if judged.withheld else dict(judged.recorded)
            for kept in judged.kept:
                yield Crossed(kept.crossing.score, kept.crossing.from_, kept.crossing.to, micros(kept.crossing.at))
            due = min((at for _, at in dues(judged)), default=until)
            if due >= until:
                break
            judged = judge(told, score(told, configuration, due), known, "silence", due=True)


def by_polling(stream: Sequence[JourneySnapshot], end: datetime, configuration: Configuration) -> Iterator[Crossed]:
    """Each journey looked at every minute in which nothing of it is frozen."""
    recorded = {HEALTH: "unknown", CHURN_RISK: "unknown"}
    for told, until in zip(stream, [*(each.as_of for each in stream[1:]), end], strict=True):
        edges = [edge for each in configuration.freezes for edge in (each.began, each.ended) if edge is not None]
        begins = sorted({micros(told.as_of), *(each for each in edges if micros(told.as_of) < each < micros(until))})
        for begin, last in zip(begins, [*begins[1:], micros(until)], strict=True):
            scores = score(told, configuration, instant(begin))
            if scores.frozen:
                continue
            risk = RiskCourse(scores.course, scores.profile.risk)
            bare = scores.health.band == "unknown"
            for now in range(begin, last, MINUTE):
                for name, curve, bands in (
                    (HEALTH, scores.course, scores.profile.bands),
                    (CHURN_RISK, risk, scores.profile.risk.bands),
                ):
                    value = None if bare else curve.total(curve.values(now), now)
                    band = "unknown" if value is None else bands.band(value)
                    settled = bands.settled(recorded[name], value, band)  # type: ignore[arg-type]
                    if settled not in {recorded[name], "unknown"} and (recorded[name] != "unknown" or settled == "red"):
                        yield Crossed(name, recorded[name], settled, now)  # type: ignore[arg-type]
                    recorded[name] = settled


@given(
    streams(),
    st.lists(st.tuples(st.integers(0, 3 * 1_440), st.integers(60, 1_440), st.sampled_from(COMPONENTS)), max_size=3),
)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_timers_find_under_freezes_what_polling_by_the_minute_finds(
    stream: list[JourneySnapshot], drawn: list[tuple[int, int, str]]
) -> None:
    freezes = tuple(
        Freeze("app", f"kind{n}", frozenset({name}), NOW + begin * MINUTE, NOW + (begin + length) * MINUTE)
        for n, (begin, length, name) in enumerate(drawn)
    )
    configuration, end = Configuration(ALL, freezes=freezes), AT + timedelta(days=6)
    timed = sorted(by_timers(stream, end, configuration))
    polled = sorted(by_polling(stream, end, configuration))
    if len({(each.score, each.at // MINUTE) for each in timed}) < len(timed):
        return  # Two within one minute are one to who looks once a minute.
    assert [each[:3] for each in timed] == [each[:3] for each in polled]
    for exact, late in zip(timed, polled, strict=True):
        assert late.at - MINUTE < exact.at <= late.at


def test_who_is_held_back_is_recorded_as_before_and_has_no_timer_of_time() -> None:
    told = msgspec.structs.replace(journey(), as_of=AT)
    known = {HEALTH: Recorded("green", AT), CHURN_RISK: Recorded("green", AT)}
    judged = withheld(told, scored(told, AT + timedelta(days=90)), known)
    assert (judged.recorded, judged.kept, list(dues(judged))) == (known, (), [])
