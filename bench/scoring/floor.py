"""The floor of scoring: the arithmetic of health and churn risk for many subjects at once, in numpy.

It is for the journeys of `bench.scoring.stored`: shipped profiles, contracts but no trials, no conditions of a
workspace's own. It tells numbers alone, no texts and no upsell.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from math import log, nan
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import numpy as np

from bench.scoring.sides import Work
from bench.scoring.stored import COMPONENTS, CONNECTED, NOW
from jornada.events import Counted, JourneySnapshot, WorkspaceId, decode
from services.scoring.domain.profiles import ComponentName, Profile
from services.scoring.domain.shipped import shipped_for

Array = Any
DAY = 86_400e6
HORIZON = 3_650 * DAY
_TICKETS, _FEATURES, _SEAT_DAYS = 3, 8, 20
_CODES = ("unknown", "red", "yellow", "green")
_WITHOUT_BAND = frozenset({"visitor", "lead", "churned"})
_GROUPS: Sequence[tuple[str, Sequence[ComponentName]]] = (
    ("adoption", ("adoption",)),
    ("service", ("support", "feedback")),
    ("bond", ("enablement", "commercial", "relationship")),
)
_encoder = msgspec.json.Encoder()


class Told(NamedTuple):
    """What is told of one subject: numbers alone, None or NaN for what is unknown; instants in microseconds.

    `numbers` are those of each component's reason, `vetoes` the cap, and what it takes.
    """

    subject: UUID
    version: int
    band: str
    score: float | None
    coverage: float
    points: Sequence[float]
    weights: Sequence[float]
    values: Sequence[float]
    numbers: Sequence[float]
    vetoes: Sequence[float]
    crosses: tuple[str, int] | None
    risk_band: str
    risk: Sequence[float]
    factors: Sequence[float]


def work(batches: Sequence[Sequence[bytes]]) -> Work:
    """Batch by batch, each at once."""
    np.seterr(all="ignore")
    columns = [gathered((decode(row, JourneySnapshot) for row in rows), CONNECTED) for rows in batches]
    return {
        "whole": [partial(told, rows, NOW, CONNECTED) for rows in batches],
        "alone": [partial(evaluated, each, NOW.timestamp() * 1e6) for each in columns],
    }


def told(rows: Sequence[bytes], now: datetime, connected: Mapping[WorkspaceId, frozenset[str]]) -> list[bytes]:
    """The whole: decoded, gathered, evaluated at once, encoded."""
    columns = gathered((decode(row, JourneySnapshot) for row in rows), connected)
    return encoded(columns, evaluated(columns, now.timestamp() * 1e6))


class Columns(NamedTuple):
    """What of each subject the arithmetic needs, an array each; NaN where there is none."""

    who: Array
    known: Array
    bandless: Array
    weights: Array
    last: Array
    born: Array
    value_days: Array
    usual: Array
    kept: Array
    short: Array
    long: Array
    features: Array
    broad: Array
    newest: Array
    seats: Array
    seat_days: Array
    seat_people: Array
    opened: Array
    takes: Array
    mean: Array
    weight: Array
    answered: Array
    enabled: Array
    unpaid: Array
    renewal: Array
    lapses: Array
    cancels: Array
    inbound: Array
    outbound: Array
    talked: Array
    spoken: Array
    spoken_at: Array
    half_life: Array
    enough: Array
    least_gap: Array
    gone: Array
    breadth: Array
    trend: Array
    depth: Array
    base: Array
    health: Array
    silence: Array
    yellow: Array
    red: Array

    def some(self, which: Array) -> "Columns":
        return Columns(*(each[which] for each in self))


def gathered(journeys: Iterable[JourneySnapshot], connected: Mapping[WorkspaceId, frozenset[str]]) -> Columns:
    """The arrays, from decoded journeys, of which none is kept."""
    read = [(_plain(each), _lists(each), _who(each), _said(each, connected)) for each in journeys]
    plains, all_lists, who, said = zip(*read, strict=True)
    plain, ruled = np.array(plains, dtype=np.float64).T, np.array(said).T
    lists = [np.array(each) for each in zip(*all_lists, strict=True)]
    (last, born, value_days, own_gap, expected, gaps, *rest) = plain
    use14, use90, short, long, seats, *rest = rest
    mean, weight, answered, steps, courses, done, *rest = rest
    unpaid, renewal, lapses, cancels, inbound, outbound, talked, spoken, spoken_at, bandless = rest
    features, seat_days, seat_people, opened, takes = lists
    commerce, (weights, spread) = ruled[0] == 1, ruled[13:].reshape(2, len(COMPONENTS), -1).transpose(0, 2, 1)
    half_life, enough, least_gap, gone, breadth, trend, depth, base, health, silence, yellow, red = ruled[1:13]
    known_gaps = np.where(gaps > 0, gaps / (gaps + 10.0), 0.0)
    usual = np.exp(known_gaps * np.log(own_gap) + (1 - known_gaps) * np.log(expected))
    newest = np.nanmax(np.where(np.isnan(features), -np.inf, features), axis=1)
    broad = np.nansum(np.exp2((features - newest[:, None]) / (30 * DAY)), axis=1)
    shared = np.stack([np.where(steps > 0, np.clip(steps / 3, 0, 1), nan), done / courses])
    enabled = np.nansum(shared, axis=0) / np.maximum((~np.isnan(shared)).sum(axis=0), 1)
    has = {
        "adoption": ~np.isnan(last),
        "support": np.ones(len(last), bool),
        "feedback": ~np.isnan(answered),
        "enablement": ~np.isnan(steps),
        "commercial": ~np.isnan(lapses),
        "relationship": (talked > 0) | (spoken > 0),
    }
    known = np.stack([has[name] for name in COMPONENTS], axis=1) & (spread > 0)
    return Columns(
        who=_objects(who),
        known=known,
        bandless=bandless > 0,
        weights=weights * spread,
        last=last,
        born=born,
        value_days=value_days,
        usual=np.maximum(usual, least_gap),
        kept=np.where(commerce, use90, use14),
        short=short,
        long=long,
        features=features,
        broad=broad,
        newest=newest,
        seats=seats,
        seat_days=seat_days,
        seat_people=seat_people,
        opened=opened,
        takes=takes,
        mean=mean,
        weight=weight,
        answered=answered,
        enabled=enabled,
        unpaid=unpaid,
        renewal=renewal,
        lapses=lapses,
        cancels=cancels,
        inbound=inbound,
        outbound=outbound,
        talked=talked,
        spoken=spoken,
        spoken_at=spoken_at,
        half_life=half_life,
        enough=enough,
        least_gap=least_gap,
        gone=gone,
        breadth=breadth,
        trend=trend,
        depth=depth,
        base=base,
        health=health,
        silence=silence,
        yellow=yellow,
        red=red,
    )


def _us(at: datetime | None) -> float:
    return nan if at is None else at.timestamp() * 1e6


def _plain(journey: JourneySnapshot) -> tuple[float, ...]:
    """The numbers of one subject, in the order in which `gathered` takes them apart."""
    measures = journey.measures
    use, feedback, learning, billing = measures.use, measures.feedback, measures.learning, measures.billing
    contacts, referred = measures.contacts, measures.counts.get("referral_made")
    assert use is not None
    counts = use.days_decayed
    answered = None if feedback is None else feedback.level_decayed[4]
    return (
        _us(use.last_value_at),
        _us(journey.first_seen_at),
        use.value_days,
        use.own_gap_days,
        use.expected_gap_days,
        use.gaps,
        counts[1].value,
        counts[4].value,
        counts[0].value,
        counts[2].value,
        (billing.seats or 0) if billing is not None and journey.subject_type == "account" else 0,
        *((nan, nan, nan) if answered is None else (answered.mean, answered.weight, _us(answered.at))),
        *(
            (nan, nan, nan)
            if learning is None
            else (learning.onboarding_steps, learning.courses or nan, learning.courses_completed)
        ),
        *_billed(billing),
        *((nan, nan, 0) if contacts is None else (_us(contacts.inbound_at), _us(contacts.outbound_at), 1)),
        *_spoken(referred),
        journey.stage.name in _WITHOUT_BAND,
    )


def _billed(billing: Any) -> tuple[float, float, float, float]:
    if billing is None:
        return nan, nan, nan, nan
    failed = [*billing.overdue.values()]
    if billing.payment_failed_since is not None:
        failed.append(billing.payment_failed_since)
    ends = not billing.auto_renew and billing.cancels_at is None
    return (
        _us(min(failed, default=None)),
        _us(billing.renewal_at) if ends else nan,
        billing.auto_renew is False,
        _us(billing.cancels_at),
    )


def _spoken(count: Counted | None) -> tuple[float, float]:
    return (0.0, nan) if count is None else (count.decayed[4], _us(count.last_at))


def _lists(journey: JourneySnapshot) -> tuple[list[float], list[float], list[float], list[float], list[float]]:
    """What there may be several of, filled up to the same length: features, days with people, open tickets."""
    measures = journey.measures
    features = list(map(_us, measures.use.features.values())) if measures.use is not None else []
    by_day = measures.people_by_day
    tickets = measures.support.open if measures.support is not None else []
    return (
        _filled(features, _FEATURES, nan),
        _filled([day for day, _ in by_day], _SEAT_DAYS, 0.0),
        _filled([people for _, people in by_day], _SEAT_DAYS, 0.0),
        _filled([_us(each.opened_at) for each in tickets], _TICKETS, nan),
        _filled([_takes(each) for each in tickets], _TICKETS, 0.0),
    )


def _filled(values: list[Any], size: int, with_: float) -> list[float]:
    return values + [with_] * (size - len(values))


def _takes(ticket: Any) -> float:
    worse = (1.5 if ticket.reopened else 1.0) * (1.25 if ticket.escalated else 1.0)
    return min((0.4, 0.25, 0.12, 0.05)[ticket.severity - 1] * worse, 0.95)


def _who(journey: JourneySnapshot) -> tuple[UUID, int]:
    return journey.subject_id, journey.version


def _objects(who: Sequence[Any]) -> Array:
    array = np.empty(len(who), dtype=object)
    array[:] = who
    return array


def _said(journey: JourneySnapshot, connected: Mapping[WorkspaceId, frozenset[str]]) -> tuple[float, ...]:
    """What differs between the shipped profiles, and what a workspace has connected."""
    key = journey.workspace, journey.rules_base or journey.rules
    known = _SAID.get(key)
    if known is None:
        theirs = connected[journey.workspace]
        profile = shipped_for(key[1], theirs)
        known = _SAID[key] = (*_ruled(profile), *(float(name in theirs) for name in COMPONENTS))
    return known


_SAID: dict[tuple[UUID, str], tuple[float, ...]] = {}


def _ruled(profile: Profile) -> tuple[float, ...]:
    adoption, risk = profile.adoption, profile.risk
    assert adoption.depth is not None
    return (
        profile.name == "commerce",
        adoption.half_life_days,
        adoption.enough,
        adoption.least_gap_days,
        adoption.gone,
        0.0 if adoption.breadth is None else adoption.breadth.weight,
        0.0 if adoption.trend is None else adoption.trend.weight,
        adoption.depth.weight,
        risk.base,
        risk.health,
        risk.silence,
        risk.yellow,
        risk.red,
        *(profile.weights[name] for name in COMPONENTS),
    )


def evaluated(columns: Columns, now: float) -> dict[str, Array]:
    """Everything told, an array each."""
    c, at = columns, np.full(len(columns.last), now)
    weights = np.where(c.known, c.weights, 0.0)
    counted, known = c.weights.sum(axis=1), weights.sum(axis=1)
    coverage, shares = known / counted, weights / known[:, None]
    curve = _Curve(c, shares)
    values = curve.values(at)
    points = 100.0 * (shares * values).sum(axis=1)
    cap = curve.cap(at)
    score = _significant(np.minimum(points, cap))
    unknown = c.bandless | (coverage < 0.5)
    band = np.where(unknown, 0, _band(score))
    left, after = curve.crosses(at, np.where(unknown, nan, score))
    patience = curve.patience(at)
    factors = _factors(c, shares, values, patience)
    log_odds = factors.sum(axis=1)
    risk = _significant(np.stack([_logistic(log_odds + each) for each in (0.0, -1.5, 1.5)], axis=1))
    risk_band = np.where(unknown, 0, np.where(risk[:, 0] <= c.yellow, 3, np.where(risk[:, 0] <= c.red, 2, 1)))
    return {
        "band": band,
        "score": score,
        "coverage": _significant(coverage),
        "points": _significant(100.0 * shares * values),
        "weights": _significant(shares),
        "values": _significant(values),
        "numbers": _numbers(c, now, values, curve),
        "vetoes": np.stack([cap, _significant(np.minimum(cap - points, 0.0))], axis=1),
        "left": left,
        "after": after,
        "risk_band": risk_band,
        "risk": risk,
        "factors": factors,
    }


class _Curve:
    """Health of many as a function of time, each asked for an instant of its own."""

    def __init__(self, columns: Columns, shares: Array) -> None:
        self._c, self._shares = columns, shares

    def some(self, which: Array) -> "_Curve":
        return _Curve(self._c.some(which), self._shares[which])

    def values(self, at: Array) -> Array:
        """Subjects × components."""
        c = self._c
        told: dict[ComponentName, Array] = {
            "adoption": self._adoption(at),
            "support": self._support(at),
            "feedback": self._feedback(at),
            "enablement": c.enabled,
            "commercial": self._commercial(at),
            "relationship": self._relationship(at),
        }
        return np.where(c.known, np.stack([told[name] for name in COMPONENTS], axis=1), 0.0)

    def total(self, values: Array, at: Array) -> Array:
        return np.minimum(100.0 * (self._shares * values).sum(axis=1), self.cap(at))

    def cap(self, at: Array) -> Array:
        c = self._c
        vetoed = ~np.isnan(c.cancels) | (at >= c.unpaid + 30 * DAY)
        return np.where(vetoed, 35.0, np.inf)

    def patience(self, at: Array) -> Array:
        c = self._c
        return 1.0 - 0.95 * np.clip(((at - c.last) / DAY / c.usual - 1.0) / (c.gone - 1.0), 0, 1)

    def pieces(self, at: Array) -> tuple[Array, Array]:
        """The weights and values of adoption's pieces: use, depth, breadth, trend, seats."""
        c = self._c
        life = c.half_life * DAY
        kept = c.kept * np.exp2((c.last - at) / life)
        could = 1.0 - np.exp2((c.born - c.least_gap * DAY - np.maximum(at, c.born)) / life)
        short = c.short * np.exp2((c.last - at) / (7 * DAY)) * log(2) / 7
        long = c.long * np.exp2((c.last - at) / (30 * DAY)) * log(2) / 30
        broad = c.broad * np.exp2((np.where(np.isinf(c.newest), 0.0, c.newest) - at) / (30 * DAY))
        values = (
            1.0 - np.exp(-kept / (c.enough * could)),
            1.0 - np.exp(-kept / (8.0 * could)),
            1.0 - np.exp(-broad / 1.5),
            np.minimum(short / (long + 1e-9) / 0.8, 1.0),
            np.where(c.seats > 0, np.clip(self.seats_used(at) / np.maximum(c.seats, 1) / 0.8, 0, 1), 0.0),
        )
        breadth = np.where(np.isinf(c.newest), 0.0, c.breadth)
        weights = (np.ones_like(at), c.depth, breadth, c.trend, np.where(c.seats > 0, 0.25, 0.0))
        return np.stack(weights), np.stack(values)

    def seats_used(self, at: Array) -> Array:
        used, some = np.zeros_like(at), np.flatnonzero(self._c.seats > 0)
        oldest = at[some] // DAY - 30
        used[some] = (self._c.seat_people[some] * (self._c.seat_days[some] > oldest[:, None])).sum(axis=1)
        return used

    def _adoption(self, at: Array) -> Array:
        weights, values = self.pieces(at)
        return (weights * values).sum(axis=0) / weights.sum(axis=0) * self.patience(at)

    def _support(self, at: Array) -> Array:
        left, some = np.ones_like(at), np.flatnonzero(self._c.takes[:, 0] > 0)
        age = np.clip((at[some, None] - self._c.opened[some]) / (14 * DAY), 0, 1)
        left[some] = np.prod(1.0 - np.minimum(self._c.takes[some] * (1.0 + np.nan_to_num(age)), 0.95), axis=1)
        return left

    def _feedback(self, at: Array) -> Array:
        c = self._c
        weight = c.weight * np.exp2((c.answered - at) / (90 * DAY))
        return np.clip((0.7 + (c.mean - 0.7) * (weight / (0.5 + weight)) - 0.2) / 0.7, 0, 1)

    def _commercial(self, at: Array) -> Array:
        c = self._c
        failed = 0.7 * (1.0 - np.clip((at - c.unpaid) / DAY / 14, 0, 1))
        nearing = 1.0 - 0.5 * (1.0 - np.clip((c.renewal - at) / DAY / 30, 0, 1))
        ended = np.where(at >= c.renewal, 1.0 - c.lapses, nearing)
        return np.where(np.isnan(c.unpaid), 1.0, failed) * np.where(np.isnan(c.renewal), 1.0, ended)

    def _relationship(self, at: Array) -> Array:
        c = self._c
        contact = np.where(
            np.isnan(c.inbound) | np.isnan(c.outbound),
            0.5 * self._fresh(np.fmax(c.inbound, c.outbound), at),
            self._fresh(np.fmin(c.inbound, c.outbound), at),
        )
        count = np.where(c.spoken > 0, c.spoken * np.exp2((c.spoken_at - at) / (90 * DAY)), 0.0)
        speaks = 0.7 + 0.3 * (1.0 - np.exp(-count))
        both = np.where(c.talked > 0, contact, 0.0) + np.where(c.spoken > 0, speaks, 0.0)
        return both / np.maximum((c.talked > 0) * 1.0 + (c.spoken > 0), 1.0)

    def _fresh(self, since: Array, at: Array) -> Array:
        return np.nan_to_num(1.0 - np.clip(((at - since) / DAY - 30) / 90, 0, 1))

    def crosses(self, begin: Array, score: Array) -> tuple[Array, Array]:
        """When the band ends by time alone, and the one after it; NaN and 0 for never, or where `score` is NaN."""
        left, after = np.full(len(begin), nan), np.zeros(len(begin), np.int64)
        waiting = np.flatnonzero(~np.isnan(score))
        first, end = begin[waiting], begin[waiting] + HORIZON
        search = _Search(self.some(waiting), *_corridor(score[waiting]))
        while len(waiting):
            turn = search.curve.next_turn(first)
            jumps = turn <= end
            found = search.stretch(first, np.where(jumps, turn - 1, end))
            at_turn = np.where(jumps, turn, first)
            leaves = np.isnan(found) & jumps & (search.look(at_turn)[1] < 0)
            left[waiting] = np.where(leaves, at_turn, found)
            again = np.flatnonzero(np.isnan(left[waiting]) & jumps)
            waiting, first, end, search = waiting[again], at_turn[again], end[again], search.some(again)
        some = np.flatnonzero(~np.isnan(left))
        curve = self.some(some)
        after[some] = _band(_significant(curve.total(curve.values(left[some]), left[some])))
        return left, after

    def next_turn(self, at: Array) -> Array:
        c = self._c
        turns = np.stack([c.renewal, c.unpaid + 30 * DAY])
        return np.where(np.isnan(turns) | (turns <= at), np.inf, turns).min(axis=0)


class _Search:
    """Curves, each with the corridor in which it is to stay: the same search as scoring's, all subjects together."""

    def __init__(self, curve: _Curve, low: Array, high: Array) -> None:
        self.curve, self._low, self._high = curve, low, high

    def some(self, which: Array) -> "_Search":
        return _Search(self.curve.some(which), self._low[which], self._high[which])

    def look(self, at: Array) -> tuple[Array, Array]:
        """The values, and by how much each score lies within; negative is outside."""
        values = self.curve.values(at)
        return values, self.margin(values, at)

    def margin(self, values: Array, at: Array) -> Array:
        score = self.curve.total(values, at)
        return np.minimum(score - self._low, self._high - score)

    def stretch(self, begin: Array, end: Array) -> Array:
        """The first microsecond outside between two turns; NaN for none."""
        found, last = np.full(len(begin), nan), end.copy()
        (at_one, margin), (at_other, ends) = self.look(begin), self.look(end)
        out = np.flatnonzero(ends < 0)
        found[out] = self.some(out).narrowed(begin[out], margin[out], end[out], ends[out])
        last[out] = found[out] - 1
        one_way = (at_one >= at_other).all(axis=1) | (at_one <= at_other).all(axis=1)
        mixed = np.flatnonzero(~one_way)
        found[mixed] = self.some(mixed).earlier(begin[mixed], last[mixed], found[mixed])
        return found

    def narrowed(self, low: Array, in_: Array, high: Array, out: Array) -> Array:
        """Of what lies within and what lies outside: the one outside next to the one within."""
        low, in_, high, out = (each.copy() for each in (low, in_, high, out))
        step, wide = 8 * DAY, np.flatnonzero(low + 8 * DAY < high)
        while len(wide):
            there = low[wide] + step
            margin = self.some(wide).look(there)[1]
            gone, kept = wide[margin < 0], wide[margin >= 0]
            high[gone], out[gone] = there[margin < 0], margin[margin < 0]
            low[kept], in_[kept] = there[margin >= 0], margin[margin >= 0]
            step *= 4
            wide = kept[low[kept] + step < high[kept]]
        found, search, whose = high.copy(), self, np.arange(len(low))
        a, b, c, fa, fb, fc = high, low, np.full(len(low), nan), out, in_, np.full(len(low), nan)
        while len(whose):
            closed = np.abs(a - b) <= 1
            found[whose[closed]] = np.where(fa < 0, a, b)[closed]
            keep = np.flatnonzero(~closed)
            whose, a, b, c, fa, fb, fc = (each[keep] for each in (whose, a, b, c, fa, fb, fc))
            search = search.some(keep)
            at = np.where(b > a, 1.0, -1.0) * np.clip(
                np.rint(_share(a, b, c, fa, fb, fc) * abs(b - a)), 1, abs(b - a) - 1
            )
            at += a
            margin = search.look(at)[1]
            same = (margin < 0) == (fa < 0)
            b, fb, c, fc = np.where(same, b, a), np.where(same, fb, fa), np.where(same, a, b), np.where(same, fa, fb)
            a, fa = at, margin
        return found

    def earlier(self, begin: Array, last: Array, found: Array) -> Array:
        """The first outside before what was found, or that: by halves between bounds."""
        found, whose, one, other = found.copy(), np.arange(len(begin)), begin, last
        search, (at_one, _), (at_other, _) = self, self.look(one), self.look(other)
        while len(whose):
            bounds = (np.minimum(at_one, at_other), np.maximum(at_one, at_other))
            proved = np.minimum(*(search.margin(each, one) for each in bounds)) >= 0
            leaf = ~proved & (other - one <= 1) & (search.margin(at_other, other) < 0)
            np.fmin.at(found, whose[leaf], other[leaf])
            keep = np.flatnonzero(~proved & (other - one > 1) & ~(found[whose] <= one))
            whose, one, other, at_one, at_other = (each[keep] for each in (whose, one, other, at_one, at_other))
            search = search.some(keep)
            near = np.where(np.isnan(found[whose]), 2, 8)
            middle = other - np.maximum((other - one) // near, 1)
            between, margin = search.look(middle)
            np.fmin.at(found, whose[margin < 0], middle[margin < 0])
            later = np.flatnonzero(margin >= 0)
            search = search.some(np.concatenate([np.arange(len(whose)), later]))
            whose, one, other, at_one, at_other = (
                np.concatenate([whose, whose[later]]),
                np.concatenate([one, middle[later]]),
                np.concatenate([middle, other[later]]),
                np.concatenate([at_one, between[later]]),
                np.concatenate([between, at_other[later]]),
            )
        return found


def _share(a: Array, b: Array, c: Array, fa: Array, fb: Array, fc: Array) -> Array:
    """Of the way from a to b the part after which the edge may be, by Chandrupatla's rule."""
    along, up = (b - a) / (b - c), (fb - fa) / (fb - fc)
    safe = ((1 - up) ** 2 < 1 - along) & (up**2 < along)
    parabola = fa / (fb - fa) * fc / (fb - fc) + (c - a) / (b - a) * fa / (fc - fa) * fb / (fc - fb)
    return np.where(np.isnan(c), fa / (fa - fb), np.where(safe, parabola, 0.5))


def _factors(c: Columns, shares: Array, values: Array, patience: Array) -> Array:
    """In log-odds: base, silence, adoption, service, bond, cancellation."""
    costs = c.health[:, None] * shares * (1.0 - values)
    groups = [_significant(sum(costs[:, COMPONENTS.index(name)] for name in names)) for _, names in _GROUPS]
    silence = _significant(c.silence * (1.0 - patience))
    return np.stack([c.base, silence, *groups, np.where(np.isnan(c.cancels), 0.0, 2.0)], axis=1)


def _numbers(c: Columns, now: float, values: Array, curve: _Curve) -> Array:
    """What each component's reason tells in numbers, and which of adoption's pieces costs most."""
    at = np.full(len(c.last), now)
    weights, pieces = curve.pieces(at)
    spoken = np.where(np.isnan(c.inbound) | np.isnan(c.outbound), np.fmax(c.inbound, c.outbound), c.inbound)
    return np.stack(
        [
            _days(at - c.last),
            np.rint(c.usual),
            c.value_days,
            np.argmax(weights * (1.0 - pieces), axis=0),
            np.rint(100 * np.minimum(pieces[3] * 0.8, 1.0)),
            np.nansum((at[:, None] - 30 * DAY < c.features) & (c.features <= at[:, None]), axis=1),
            (~np.isnan(c.features)).sum(axis=1),
            curve.seats_used(at),
            (c.takes > 0).sum(axis=1),
            _days(at - np.nanmin(np.where(np.isnan(c.opened), np.inf, c.opened), axis=1)),
            np.rint(100 * c.mean),
            c.enabled,
            _days(at - c.unpaid),
            _days(c.renewal - at),
            np.nan_to_num(_days(at - np.fmin(spoken, np.where(np.isnan(c.outbound), spoken, c.outbound)))),
            _days(at - c.spoken_at),
        ],
        axis=1,
    )


def _days(us: Array) -> Array:
    return np.maximum(us, 0.0) // DAY


def _corridor(score: Array) -> tuple[Array, Array]:
    """What a score that is not rounded yet may be, for its band to be the same."""
    band, edges = _band(score), np.array([-np.inf, 40.0 - 5e-8, 70.0 - 5e-8, np.inf])
    return edges[band - 1], np.nextafter(edges[band], -np.inf)


def _band(score: Array) -> Array:
    return np.where(score >= 70.0, 3, np.where(score >= 40.0, 2, 1))


def _logistic(log_odds: Array) -> Array:
    return 1.0 / (1.0 + np.exp(-log_odds))


def _significant(value: Array) -> Array:
    """To 9 significant digits."""
    size = np.floor(np.log10(np.where(value == 0.0, 1.0, np.abs(value))))
    scale = 10.0 ** (8.0 - size)
    return np.where(np.isinf(value), value, np.rint(value * scale) / scale)


def encoded(columns: Columns, told_: dict[str, Array]) -> list[bytes]:
    """Each subject's numbers as one JSON array."""
    return [_encoder.encode(each) for each in _rows(columns, told_)]


def _rows(columns: Columns, told_: dict[str, Array]) -> Iterator[Told]:
    lists = {name: each.tolist() for name, each in told_.items()}
    names = ("score", "coverage", "points", "weights", "values", "numbers", "vetoes")
    bands, risk_bands = ([_CODES[code] for code in lists[name]] for name in ("band", "risk_band"))
    crossings = zip(lists["after"], lists["left"], strict=True)
    crosses = [(_CODES[after], int(left)) if after else None for after, left in crossings]
    rest = (crosses, risk_bands, lists["risk"], lists["factors"])
    for (id_, version), *numbers in zip(
        columns.who.tolist(), bands, *(lists[name] for name in names), *rest, strict=True
    ):
        yield Told(id_, version, *numbers)
