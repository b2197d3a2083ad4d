"""The ladder of churn models: what a model is, those of this release, and which one may serve."""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from jornada.events import ChurnRisk, Health
from services.scoring.domain.course import Course
from services.scoring.domain.crossing import Curve
from services.scoring.domain.features import SCHEMA
from services.scoring.domain.profiles import Profile
from services.scoring.domain.risk import MODEL, RiskCourse, churn_risk


class Model(Protocol):
    """A churn model. It is told the features and no more, and is pure: the same always gives the same."""

    @property
    def level(self) -> int:
        """Its rung, from 1."""

    @property
    def name(self) -> str:
        """Its name and version, as published with each score."""

    def risk(self, health: Health, course: Course, profile: Profile, at: datetime) -> ChurnRisk:
        """The probability at an instant with its interval, and factors in log-odds that sum to the probability's.

        Without a number where health has no band.
        """

    def curve(self, course: Course, profile: Profile) -> Curve:
        """The probability over time, negative, so that more is better: it is what `risk` says at each instant."""


class LevelOne:
    """Made from health and silence, untrained: its parameters are the profile's. It always serves where no other may.

    Where what is left of health only falls in silence the probability never falls.
    """

    level = 1
    name = MODEL

    def risk(self, health: Health, course: Course, profile: Profile, at: datetime) -> ChurnRisk:
        return churn_risk(health, course, profile, at)

    def curve(self, course: Course, profile: Profile) -> Curve:
        return RiskCourse(course, profile.risk)


LEVEL_ONE: Model = LevelOne()
_RUNGS: Mapping[int, Model] = {each.level: each for each in (LEVEL_ONE,)}


def refused(level: int, schema: str) -> str | None:
    """Why a registered model of that level and feature schema cannot serve in this release; None where it can."""
    if level not in _RUNGS:
        return f"level {level} is not known to this release"
    return None if schema == SCHEMA else f"it learned from other features ({schema}) than this release tells ({SCHEMA})"


def serving(level: int, schema: str) -> Model:
    """The model that serves where that one is the champion: level 1 where it cannot."""
    return LEVEL_ONE if refused(level, schema) else _RUNGS[level]
