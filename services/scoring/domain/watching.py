"""What a workspace's streams tell hour by hour: which ones broke, which may have, and which are back."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import NamedTuple

from services.scoring.domain.freezing import Freeze
from services.scoring.domain.volumes import WEEK_HOURS, collapses, expected

HOUR = 3_600_000_000
"""Microseconds of an hour."""

LEAST = 30
"""Customers that must be missing: fewer may stay away by chance."""

WITHHELD_HOURS = 12
"""For how long at most nobody is judged because something may have broken: a night in which nothing is expected."""

_LOOKS_BACK_HOURS = WITHHELD_HOURS + 72
"""Past a weekend: what did not come even before then did not break now."""

MATTERS = 0.1
"""The share of a component's customers, over all streams that feed it, that must be missing for it to be frozen."""

OLDEST = timedelta(days=28)
"""How long a freeze stands at most: what it expects is by then what nobody knows any more."""

WATCHED_HOURS = 5 * WEEK_HOURS

Name = tuple[str, str]
"""A stream's source and kind."""


class Stream(NamedTuple):
    """What a source sends of a kind: about how many customers it came from in each hour of those that are watched.

    `components` are those that read the kind. `last` is when the latest arrived, in microseconds.
    """

    customers: Sequence[int]
    components: frozenset[str]
    last: int


class Streams(NamedTuple):
    """All streams of a workspace: their hours from `begin` (whole hours since 1970) to the running one.

    All that arrived before `until` (microseconds) is in them, and perhaps some that came later.
    """

    begin: int
    until: int
    by_name: Mapping[Name, Stream]

    @property
    def running(self) -> int:
        """The place of the hour that is not over."""
        return self.until // HOUR - self.begin


class Begun(NamedTuple):
    """A freeze to record: `week` holds the customers expected by the hour of the week, by whole hours since 1970."""

    freeze: Freeze
    customers: int
    week: Sequence[int]


class Standing(NamedTuple):
    """A freeze that stands, with the customers expected by the hour of the week."""

    freeze: Freeze
    week: Sequence[int]


class Ended(NamedTuple):
    """A freeze that is over, when that was, and whether because it came again."""

    freeze: Freeze
    at: int
    repaired: bool


class Seen(NamedTuple):
    """What there is to record, and from when on (microseconds) it is too early to judge anybody, if it is."""

    begun: Sequence[Begun]
    ended: Sequence[Ended]
    withheld_from: int | None


def seen(streams: Streams, standing: Collection[Standing], past: Collection[Freeze]) -> Seen:
    """What the hours say that are over, and the running one. `past` are the freezes that are over."""
    ended = [over for each in standing if (over := _over(each, streams)) is not None]
    frozen = {(each.freeze.source, each.freeze.kind) for each in standing}
    others = {name: stream for name, stream in streams.by_name.items() if name not in frozen and stream.components}
    known = {name: _known(streams, name, past) for name in streams.by_name}
    begun = [each for name in sorted(others) if (each := _broken(name, streams, known, past)) is not None]
    new = {(each.freeze.source, each.freeze.kind) for each in begun}
    suspects = [_suspect(name, streams, known) for name in others if name not in new]
    return Seen(begun, ended, min((since for since in suspects if since is not None), default=None))


_Known = Mapping[Name, Sequence[int | None]]


def _known(streams: Streams, name: Name, past: Collection[Freeze]) -> list[int | None]:
    """A stream's hours but those that were frozen: these tell nothing of what is expected."""
    counts: list[int | None] = list(streams.by_name[name].customers)
    for freeze in past:
        if (freeze.source, freeze.kind) == name and freeze.ended is not None:
            first, last = freeze.began // HOUR - streams.begin + 1, -(-freeze.ended // HOUR) - streams.begin
            for hour in range(max(first, 0), min(last, len(counts))):
                counts[hour] = None
    return counts


def _over(standing: Standing, streams: Streams) -> Ended | None:
    freeze = standing.freeze
    oldest = freeze.began + OLDEST // timedelta(microseconds=1)
    stream = streams.by_name.get((freeze.source, freeze.kind))
    found = None if stream is None else _repaired(standing, stream.customers[: streams.running], streams.begin)
    if found is not None:
        return Ended(freeze, found, repaired=True)
    return Ended(freeze, oldest, repaired=False) if streams.until >= oldest else None


def _repaired(standing: Standing, counts: Sequence[int], begin: int) -> int | None:
    """The end of the second of two hours in a row in which at least half of what is expected came."""
    back = 0
    for hour in range(max(standing.freeze.began // HOUR + 1 - begin, 0), len(counts)):
        awaited = standing.week[(begin + hour) % WEEK_HOURS]
        if awaited <= 0:
            continue
        back = back + 1 if 2 * counts[hour] >= awaited else 0
        if back == 2:
            return (begin + hour + 1) * HOUR
    return None


def _broken(name: Name, streams: Streams, known: _Known, past: Collection[Freeze]) -> Begun | None:
    """The freeze that begins, where a stream has collapsed: when the latest came, or the last hour before was over."""
    running, stream = streams.running, streams.by_name[name]
    newest = running - 1
    while newest > running - WITHHELD_HOURS and newest >= 0 and expected(known[name], newest) <= 0:
        newest -= 1
    if newest < 0 or 10 * stream.customers[newest] >= expected(known[name], newest):
        return None
    found = collapses(stream.customers[:running], LEAST)
    if not found or found[-1].repaired is not None:
        return None
    last = found[-1].last
    if any((each.source, each.kind) == name and (streams.begin + last + 1) * HOUR < (each.ended or 0) for each in past):
        return None
    began = min((streams.begin + last + 1) * HOUR, max(stream.last, (streams.begin + last) * HOUR))
    low = [hour for hour in range(last + 1, running) if expected(known[name], hour) > 0]
    components = frozenset(each for each in stream.components if _matters(name, each, streams, known, low))
    customers = sum(expected(known[name], hour) for hour in low) // max(len(low), 1)
    return Begun(Freeze(*name, components, began), customers, _week(known[name][: last + 1], streams.begin))


def _week(counts: Sequence[int | None], begin: int) -> list[int]:
    """What is expected after the counts by the hour of the week."""
    ahead = [*counts, *[None] * WEEK_HOURS]
    hours = range(len(counts), len(ahead))
    by_hour = {(begin + hour) % WEEK_HOURS: expected(ahead, hour) for hour in hours}
    return [by_hour[hour] for hour in range(WEEK_HOURS)]


def _matters(name: Name, component: str, streams: Streams, known: _Known, hours: Sequence[int]) -> bool:
    """Whether what is missing is much of all that feeds the component: under another name it may come all the same."""
    feeding = [each for each, stream in streams.by_name.items() if component in stream.components]
    awaited = {each: sum(expected(known[each], hour) for hour in hours) for each in feeding}
    came = {each: sum(streams.by_name[each].customers[hour] for hour in hours) for each in feeding}
    least = MATTERS * sum(awaited.values())
    return awaited[name] - came[name] >= least and sum(awaited.values()) - sum(came.values()) >= least


def _suspect(name: Name, streams: Streams, known: _Known) -> int | None:
    """Since when a stream may have broken, where so much is missing that it may be no chance; else None."""
    earliest = streams.until - WITHHELD_HOURS * HOUR
    since = [each for each in (_stopped(name, streams, known), _trickles(name, streams, known)) if each is not None]
    found = min(since, default=None)
    if found is None or found < earliest:
        return None
    hour = max(found // HOUR - streams.begin, 0)
    carries = any(_carries(name, each, streams, known, hour) for each in streams.by_name[name].components)
    return found if carries else None


def _carries(name: Name, component: str, streams: Streams, known: _Known, since: int) -> bool:
    feeding = [each for each, stream in streams.by_name.items() if component in stream.components]
    hours = range(since, streams.running + 1)
    awaited = {each: sum(expected(known[each], hour) for hour in hours) for each in feeding}
    return awaited[name] >= MATTERS * sum(awaited.values())


def _stopped(name: Name, streams: Streams, known: _Known) -> int | None:
    """When the latest arrived, where since then many were expected."""
    last = streams.by_name[name].last
    if last >= streams.until or last < streams.until - WITHHELD_HOURS * HOUR:
        return None
    return last if sum(missing for _, missing in _between(name, streams, known, last)) >= LEAST else None


def _trickles(name: Name, streams: Streams, known: _Known) -> int | None:
    """When the first of the hours began in each of which less than a tenth came, up to now and after one of more."""
    customers = streams.by_name[name].customers
    first, missing = None, 0.0
    for hour, awaited in _between(name, streams, known, streams.until - _LOOKS_BACK_HOURS * HOUR, backwards=True):
        if awaited <= 0 or (hour == streams.running and awaited < LEAST):
            continue
        if 10 * customers[hour] >= awaited:
            return None if first is None or missing < LEAST else (streams.begin + first) * HOUR
        first, missing = hour, missing + awaited
    return None


def _between(
    name: Name, streams: Streams, known: _Known, since: int, *, backwards: bool = False
) -> Iterator[tuple[int, float]]:
    """The hours from an instant to the last that is known, with how many are expected of that part of them."""
    hours = range(max(since // HOUR - streams.begin, 0), streams.running + 1)
    for hour in reversed(hours) if backwards else hours:
        begin = (streams.begin + hour) * HOUR
        part = min(streams.until, begin + HOUR) - max(since, begin)
        yield hour, max(expected(known[name], hour), 0) * part / HOUR
