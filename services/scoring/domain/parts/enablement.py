"""Enablement: how far the onboarding and the assigned courses have come. It holds while nothing happens."""

from collections.abc import Sequence

from jornada.events import Learning, Reason
from services.scoring.domain.profiles import EnablementRule
from services.scoring.domain.shapes import ramp
from services.scoring.domain.words import reason


class EnablementCourse:
    """The mean of the two shares, as far as either is known."""

    def __init__(self, learning: Learning, rule: EnablementRule) -> None:
        self._learning = learning
        shares = []
        if learning.onboarding_steps:
            shares.append(ramp(learning.onboarding_steps, 0, rule.steps))
        if learning.courses:
            shares.append(learning.courses_completed / learning.courses)
        self._value = sum(shares) / len(shares) if shares else 0.0

    def value(self, at: int) -> float:
        return self._value

    def turns(self) -> Sequence[int]:
        return ()

    def because(self, at: int) -> Reason:
        told = self._learning
        if not told.courses:
            return reason("onboarding_steps", steps=told.onboarding_steps)
        return reason("courses_completed", completed=told.courses_completed, courses=told.courses)
