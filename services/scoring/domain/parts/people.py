"""People: how many of an account's stand in the red, and whether its champions fell silent."""

from collections.abc import Sequence

from jornada.events import JourneySnapshot, Reason
from jornada.instants import micros
from services.scoring.domain.parts.adoption import AdoptionCourse
from services.scoring.domain.people import People, people_of
from services.scoring.domain.profiles import PeopleRule
from services.scoring.domain.shapes import ramp, whole_days
from services.scoring.domain.words import reason


class PeopleCourse:
    """The mean of both, champions as far as there are any, times what the whole account's silence leaves.

    Nobody of an account that is silent is well, though nobody may be red yet.
    """

    def __init__(self, people: People, rule: PeopleRule, adoption: AdoptionCourse | None = None) -> None:
        self._people, self._adoption = people, adoption
        well = 1.0 - ramp(people.red / people.banded, 0.0, rule.gone)
        if people.champions:
            speaking = 1.0 - people.silent / people.champions
            well = (well + rule.champions * speaking) / (1.0 + rule.champions)
        self._value = well

    def value(self, at: int) -> float:
        return self._value * self._left(at)

    def turns(self) -> Sequence[int]:
        return ()

    def because(self, at: int) -> Reason:
        people = self._people
        if self._adoption is not None and self._left(at) < self._value:
            return reason("nobody_seen", days=whole_days(self._adoption.last, at))
        if people.silent_since is None:
            return reason("people_red", red=people.red, people=people.banded)
        return reason(
            "champions_silent",
            red=people.red,
            people=people.banded,
            silent=people.silent,
            champions=people.champions,
            days=whole_days(micros(people.silent_since), at),
        )

    def _left(self, at: int) -> float:
        return 1.0 if self._adoption is None else self._adoption.patience(at)


def people_course(journey: JourneySnapshot, rule: PeopleRule, adoption: AdoptionCourse | None) -> PeopleCourse | None:
    """The course of an account's people; None where none of them has a band."""
    people = people_of(journey)
    return PeopleCourse(people, rule, adoption) if people is not None and people.banded else None
