"""What timers find over a stream of journeys is what looking every minute finds: every crossing, each once, in time."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jornada.events import Band, JourneySnapshot
from jornada.instants import micros
from services.scoring.domain.announcing import Recorded
from services.scoring.domain.bands import Bands
from services.scoring.domain.crossing import Curve, at
from services.scoring.domain.judging import CHURN_RISK, HEALTH, Judged, dues, judge
from services.scoring.domain.risk import RiskCourse
from tests.scoring.journeys import ALL, AT, journeys, score

MINUTE = 60_000_000
WATCHED_DAYS = 6


class Crossed(NamedTuple):
    """A crossing of one score, and when it was."""

    score: str
    from_: Band
    to: Band
    at: int


@st.composite
def streams(draw: st.DrawFn, days: int = 2) -> list[JourneySnapshot]:
    """Journeys of one subject that follow each other within days, at whole minutes, the first at AT."""
    gaps = draw(st.lists(st.integers(1, days * 1_440), max_size=3))
    instants = [AT + timedelta(minutes=sum(gaps[:place])) for place in range(len(gaps) + 1)]
    return [_at(draw(journeys()), when, version) for version, when in enumerate(instants, 1)]


def _at(journey: JourneySnapshot, when: datetime, version: int) -> JourneySnapshot:
    told = {"as_of": when, "last_seen_at": when, "live_at": when, "version": version}
    return msgspec.structs.replace(journey, rules="subscription", subject_type="customer", **told)


def by_timers(stream: Sequence[JourneySnapshot], days: int = WATCHED_DAYS) -> Iterator[Crossed]:
    """Each journey judged as it comes; between them only when a timer is due."""
    known: dict[str, Recorded] = {}
    for journey, until in _spans(stream, days):
        judged = judge(journey, score(journey, ALL, journey.as_of), known, "live")
        yield from _kept(judged)
        while (due := min((at for _, at in dues(judged)), default=until)) < until:
            judged = judge(journey, score(journey, ALL, due), judged.recorded, "silence", due=True)
            yield from _kept(judged)
        known = dict(judged.recorded)


def _kept(judged: Judged) -> Iterator[Crossed]:
    for kept in judged.kept:
        yield Crossed(kept.crossing.score, kept.crossing.from_, kept.crossing.to, micros(kept.crossing.at))


def by_polling(stream: Sequence[JourneySnapshot]) -> Iterator[Crossed]:
    """Each journey looked at every minute from its own on."""
    recorded: dict[str, Band] = {HEALTH: "unknown", CHURN_RISK: "unknown"}
    for journey, until in _spans(stream):
        scores = score(journey, ALL, journey.as_of)
        risk = RiskCourse(scores.course, scores.profile.risk)
        known = scores.health.band != "unknown"
        watched: list[tuple[str, Curve, Bands]] = [
            (HEALTH, scores.course, scores.profile.bands),
            (CHURN_RISK, risk, scores.profile.risk.bands),
        ]
        for now in range(micros(journey.as_of), micros(until), MINUTE):
            for name, curve, bands in watched:
                value = at(curve, now) if known else None
                band = "unknown" if value is None else bands.band(value)
                settled = bands.settled(recorded[name], value, band)
                if settled not in {recorded[name], "unknown"} and (recorded[name] != "unknown" or settled == "red"):
                    yield Crossed(name, recorded[name], settled, now)
                recorded[name] = settled


def _spans(stream: Sequence[JourneySnapshot], days: int = WATCHED_DAYS) -> list[tuple[JourneySnapshot, datetime]]:
    end = AT + timedelta(days=days)
    return list(zip(stream, [*(each.as_of for each in stream[1:]), end], strict=True))


@given(streams())
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_timers_find_what_polling_by_the_minute_finds(stream: list[JourneySnapshot]) -> None:
    timed, polled = sorted(by_timers(stream)), sorted(by_polling(stream))
    minutes = [each.at // MINUTE for each in timed]
    if len({(each.score, minute) for each, minute in zip(timed, minutes, strict=True)}) < len(timed):
        return  # Two within one minute are one to who looks once a minute.
    assert [each[:3] for each in timed] == [each[:3] for each in polled]
    for exact, late in zip(timed, polled, strict=True):
        assert late.at - MINUTE < exact.at <= late.at


@given(streams(), st.integers(0, 400))
@settings(max_examples=50, deadline=None)
def test_a_band_found_late_is_dated_to_the_instant_at_which_silence_brought_it(
    stream: list[JourneySnapshot], days: int
) -> None:
    journey = stream[0]
    now = journey.as_of + timedelta(days=days)
    since, health = journey.as_of, score(journey, ALL, journey.as_of).health
    while health.crosses is not None and health.crosses.at <= now:
        since, health = health.crosses.at, score(journey, ALL, health.crosses.at).health
    recorded = judge(journey, score(journey, ALL, now), {}, "live").recorded[HEALTH]
    if recorded.band != "unknown":
        assert recorded.since == since
