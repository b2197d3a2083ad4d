"""A subject's health as a function of time alone: what it will be at any later instant if nothing more happens."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from jornada.events import JourneySnapshot, Measures
from jornada.instants import micros
from services.scoring.domain import vetoes
from services.scoring.domain.freezing import NOTHING, Freeze, Freezing, Thawed, ThawedUse, moved
from services.scoring.domain.parts import Part, Use
from services.scoring.domain.parts.adoption import AdoptionCourse
from services.scoring.domain.parts.commercial import commercial_course, contracted, unpaid_since
from services.scoring.domain.parts.enablement import EnablementCourse
from services.scoring.domain.parts.feedback import feedback_course
from services.scoring.domain.parts.people import people_course
from services.scoring.domain.parts.relationship import ADVOCACY, relationship_course
from services.scoring.domain.parts.support import SupportCourse
from services.scoring.domain.profiles import COMPONENTS, ComponentName, Profile
from services.scoring.domain.shapes import DAY


class Share(NamedTuple):
    """A known component and its share of the whole; shares sum to 1."""

    name: ComponentName
    weight: float
    part: Part


class Course:
    """The known components of one subject, the vetoes on it, and how much of the profile is known.

    From each of its `turns` to the next every component only rises or only falls, and the cap stands or does not.
    `frozen` are those that would be known, and are not while a freeze stands, each with the one that began first.
    `use` is the component that knows silence, where it is among the known ones.
    """

    __slots__ = (
        *("_at_most", "_seen", "_values", "_weights"),
        *("cancels", "coverage", "frozen", "overdue_from", "own", "shares", "turns", "use", "vetoed_from"),
    )

    def __init__(
        self, journey: JourneySnapshot, profile: Profile, connected: Collection[str], freezing: Freezing = NOTHING
    ) -> None:
        weights = profile.weights
        counting = [(name, part) for name, part in _parts(journey, profile) if name in connected and name in weights]
        frozen = freezing.standing
        self.frozen: dict[str, Freeze] = {name: frozen[name] for name, _ in counting if name in frozen}
        parts = [
            (name, _thawed(journey, profile, name, part, freezing)) for name, part in counting if name not in frozen
        ]
        uses = (part for _, part in parts if isinstance(part, AdoptionCourse | ThawedUse))
        self.use: Use | None = next(uses, None)
        known = sum(weights[name] for name, _ in parts)
        could = [name for name, _ in counting]
        counted = sum(weights[name] for name in could) + sum(_missing(weights, connected, could))
        self.coverage = known / counted if counted else 0.0
        self.shares = [Share(name, weights[name] / known, part) for name, part in parts]
        self._weights, self._values = [each.weight for each in self.shares], [part.value for _, part in parts]
        self._seen: tuple[int | None, list[float]] = None, []
        self._at_most = profile.vetoes.at_most
        billing = journey.measures.billing
        unpaid = unpaid_since(billing) if billing else None
        self.cancels = billing.cancels_at if billing else None
        self.overdue_from = None if unpaid is None else unpaid + profile.vetoes.overdue_days * DAY
        standing = 0 if self.cancels is not None else None
        begins = [each for each in (standing, self.overdue_from) if each is not None]
        self.vetoed_from = min(begins) if begins else None
        self.own = vetoes.standing(journey, profile.vetoes.own)
        turns = (turn for _, part in parts for turn in part.turns())
        self.turns = sorted({*begins, *turns, *(turn for each in self.own for turn in each.turns)})

    def values(self, at: int) -> list[float]:
        """The components' values, 0–1, in the order of `shares`."""
        seen, values = self._seen
        if seen != at:
            values = [value(at) for value in self._values]
            self._seen = at, values  # all scores are asked for the same instants
        return values

    def points(self, values: Sequence[float]) -> float:
        """The points that the components' values sum to, 0–100."""
        points = 0.0
        for weight, value in zip(self._weights, values, strict=True):
            points += weight * value
        return 100.0 * points

    def capped(self, points: float, at: int) -> float:
        """What the vetoes at an instant leave of points."""
        if self.vetoed_from is None and not self.own:
            return points
        vetoed = self.vetoed_from is not None and at >= self.vetoed_from
        caps = [each.veto.at_most for each in self.own if each.stands(at)]
        return min([points, *caps, self._at_most] if vetoed else [points, *caps])

    def total(self, values: Sequence[float], at: int) -> float:
        """The score that values make under the vetoes, not yet rounded."""
        return self.capped(self.points(values), at)


def received(measures: Measures) -> set[ComponentName]:
    """The components of which a journey shows that something was received."""
    shown = {name for name, field in _READS.items() if getattr(measures, field) is not None}
    if contracted(measures) is None:
        shown.discard("commercial")
    if measures.people:
        shown.add("people")
    return shown | {"relationship"} if any(kind in measures.counts for kind in ADVOCACY) else shown


def fed_by(kind: str, measures: Collection[str]) -> frozenset[ComponentName]:
    """The components that read a kind of touchpoint, which changes these measures of a journey.

    How an account's people stand is mostly what they use.
    """
    read = frozenset(name for name, field in _READS.items() if field in measures)
    read |= {"people"} if "adoption" in read else set()
    return read | {"relationship"} if kind in ADVOCACY else read


_READS: dict[ComponentName, str] = {
    "adoption": "use",
    "support": "support",
    "feedback": "feedback",
    "enablement": "learning",
    "commercial": "billing",
    "relationship": "contacts",
}
"""The measure that each component is made of; relationship also of the kinds by which customers speak for us."""


def _thawed(journey: JourneySnapshot, profile: Profile, name: ComponentName, part: Part, freezing: Freezing) -> Part:
    """The part as it is by the time that counts, where some was frozen since the journey began."""
    time = freezing.lived.get(name)
    if time is None or time.end <= micros(journey.first_seen_at):
        return part
    again = dict(_parts(moved(journey, name, time), profile))[name]
    return ThawedUse(again, time) if isinstance(again, AdoptionCourse) else Thawed(again, time)


def _parts(journey: JourneySnapshot, profile: Profile) -> Iterator[tuple[ComponentName, Part]]:
    """The components that are known of the subject, in their order."""
    adoption = _adoption(journey, profile)
    parts = {
        "adoption": adoption,
        "support": SupportCourse(journey.measures.support, profile.support),
        "feedback": feedback_course(journey.measures.feedback, profile.feedback),
        "enablement": _enablement(journey.measures, profile),
        "commercial": commercial_course(journey, profile.commercial),
        "relationship": relationship_course(journey.measures, profile.relationship),
        "people": people_course(journey, profile.people, adoption),
    }
    for name in COMPONENTS:
        part: Part | None = parts[name]
        if part is not None:
            yield name, part


def _missing(
    weights: Mapping[ComponentName, float], connected: Collection[str], known: Collection[str]
) -> Iterator[float]:
    """The weights of what is connected and not known of the subject. Nobody lacks people."""
    return (weight for name, weight in weights.items() if name in connected and name not in {*known, "people"})


def _adoption(journey: JourneySnapshot, profile: Profile) -> AdoptionCourse | None:
    use = journey.measures.use
    return None if use is None or not use.days_decayed else AdoptionCourse(journey, use, profile.adoption)


def _enablement(measures: Measures, profile: Profile) -> EnablementCourse | None:
    return None if measures.learning is None else EnablementCourse(measures.learning, profile.enablement)
