"""Freezes: while next to nobody sends what feeds a component it is unknown, and that time is no silence afterwards."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Generic, NamedTuple, TypeVar

from msgspec.structs import replace

from jornada.events import JourneySnapshot, Reason
from jornada.instants import instant, micros
from services.scoring.domain.parts import Part, Use
from services.scoring.domain.parts.relationship import ADVOCACY
from services.scoring.domain.profiles import ComponentName
from services.scoring.domain.shapes import DAY
from services.scoring.domain.volumes import lived


class Freeze(NamedTuple):
    """A fact: from `began` on (microseconds) what a source sends of a kind came from next to nobody, until `ended`.

    `components` are those that it feeds to an extent that matters.
    """

    source: str
    kind: str
    components: frozenset[str]
    began: int
    ended: int | None = None

    def stands(self, at: int) -> bool:
        """Whether it holds at an instant; at its end it is over."""
        return self.began <= at and (self.ended is None or at < self.ended)


class Lived:
    """The time that counts beside frozen spans: instants before a span lie as much later as it was long.

    So from the end of the last one on every instant is what it is, and two instants are as far apart as the time
    between them that was not frozen.
    """

    __slots__ = ("_spans", "end")

    def __init__(self, spans: Iterable[tuple[int, int]]) -> None:
        self._spans: list[tuple[int, int]] = []
        for begin, end in sorted(spans):
            if self._spans and begin <= self._spans[-1][1]:
                self._spans[-1] = (self._spans[-1][0], max(self._spans[-1][1], end))
            else:
                self._spans.append((begin, end))
        self.end = self._spans[-1][1]

    def at(self, when: int) -> int:
        """Where an instant lies (microseconds); all of a span lie at its end."""
        return when if when >= self.end else self.end - lived(self._spans, when, self.end)

    def first(self, lies_at: int) -> int:
        """The first instant that lies there or later."""
        found = lies_at
        for begin, end in reversed(self._spans):
            if found > end:
                break
            if found == end:
                return begin
            found -= end - begin
        return found


class Freezing(NamedTuple):
    """What freezes make of an instant: which component is frozen by which, and what time counts for others."""

    standing: Mapping[str, Freeze] = {}
    lived: Mapping[str, Lived] = {}


NOTHING = Freezing()


def freezing(freezes: Sequence[Freeze], at: int) -> Freezing:
    """What freezes make of an instant; those that begin later make nothing of it."""
    if not freezes:
        return NOTHING
    standing: dict[str, Freeze] = {}
    spans: dict[str, list[tuple[int, int]]] = {}
    for freeze in sorted(freezes, key=lambda each: (each.began, each.source, each.kind)):
        for component in sorted(freeze.components):
            if freeze.stands(at):
                standing.setdefault(component, freeze)
            elif component in _MOVES and freeze.ended is not None and freeze.began < freeze.ended <= at:
                spans.setdefault(component, []).append((freeze.began, freeze.ended))
    return Freezing(standing, {component: Lived(theirs) for component, theirs in spans.items()})


def turns(freezes: Collection[Freeze], at: int) -> int | None:
    """When the next one begins or ends after an instant, as far as is known."""
    edges = (edge for each in freezes if each.components for edge in (each.began, each.ended) if edge is not None)
    return min((edge for edge in edges if edge > at), default=None)


def thawed_at(freezes: Collection[Freeze], at: int) -> int | None:
    """When the latest one that is over at an instant ended."""
    ends = (each.ended for each in freezes if each.components and each.ended is not None)
    return max((end for end in ends if end <= at), default=None)


_P = TypeVar("_P", bound=Part)


class Thawed(Generic[_P]):
    """A component by the time that counts; its part is made of a journey whose instants were moved alike."""

    def __init__(self, part: _P, time: Lived) -> None:
        self._part, self._lived = part, time

    def value(self, at: int) -> float:
        return self._part.value(self._lived.at(at))

    def turns(self) -> Sequence[int]:
        return [self._lived.first(each) for each in self._part.turns()]

    def because(self, at: int) -> Reason:
        return self._part.because(self._lived.at(at))


class ThawedUse(Thawed[Use]):
    """Use by the time that counts, and what silence makes of it."""

    @property
    def last(self) -> int:
        return self._part.last

    def patience(self, at: int) -> float:
        return self._part.patience(self._lived.at(at))

    def absence(self, at: int) -> Reason:
        return self._part.absence(self._lived.at(at))

    def falls_silent(self) -> int | None:
        at = self._part.falls_silent()
        return None if at is None else self._lived.first(at)


def moved(journey: JourneySnapshot, component: ComponentName, time: Lived) -> JourneySnapshot:
    """The journey with the instants that silence is counted from where they lie; dates that were said stay."""
    return _MOVES[component](journey, time)


def _use(journey: JourneySnapshot, time: Lived) -> JourneySnapshot:
    use, days = journey.measures.use, journey.measures.people_by_day
    if use is not None:
        use = replace(
            use,
            last_value_at=_at(use.last_value_at, time),
            days_decayed=[replace(each, at=_at(each.at, time)) for each in use.days_decayed],
            features={name: _at(at, time) for name, at in use.features.items()},
        )
    people = [(time.at(day * DAY) // DAY, number) for day, number in days]
    measures = replace(journey.measures, use=use, people_by_day=people)
    return replace(journey, measures=measures, first_seen_at=_at(journey.first_seen_at, time))


def _tickets(journey: JourneySnapshot, time: Lived) -> JourneySnapshot:
    support = journey.measures.support
    if support is None:
        return journey
    opened = [replace(each, opened_at=_at(each.opened_at, time)) for each in support.open]
    return replace(journey, measures=replace(journey.measures, support=replace(support, open=opened)))


def _answers(journey: JourneySnapshot, time: Lived) -> JourneySnapshot:
    feedback = journey.measures.feedback
    if feedback is None:
        return journey
    means = [replace(each, at=_at(each.at, time)) for each in feedback.level_decayed]
    return replace(journey, measures=replace(journey.measures, feedback=replace(feedback, level_decayed=means)))


def _contacts(journey: JourneySnapshot, time: Lived) -> JourneySnapshot:
    measures, contacts = journey.measures, journey.measures.contacts
    if contacts is not None:
        both = (contacts.inbound_at, contacts.outbound_at)
        inbound, outbound = (None if at is None else _at(at, time) for at in both)
        contacts = replace(contacts, inbound_at=inbound, outbound_at=outbound)
    counts = {
        kind: replace(each, last_at=_at(each.last_at, time)) if kind in ADVOCACY else each
        for kind, each in measures.counts.items()
    }
    return replace(journey, measures=replace(measures, contacts=contacts, counts=counts))


_MOVES: Mapping[ComponentName, Callable[[JourneySnapshot, Lived], JourneySnapshot]] = {
    "adoption": _use,
    "people": _use,
    "support": _tickets,
    "feedback": _answers,
    "relationship": _contacts,
}
"""How silence counts in each component. Enablement knows no time, and what is paid when is a date that was said."""


def _at(when: datetime, time: Lived) -> datetime:
    return instant(time.at(micros(when)))
