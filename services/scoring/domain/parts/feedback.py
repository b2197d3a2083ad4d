"""Feedback: what customers answer, beside a neutral answer to which old ones drift back."""

from collections.abc import Sequence
from datetime import datetime

from jornada.events import DecayedMean, Feedback, Reason
from jornada.instants import micros
from services.scoring.domain.profiles import FeedbackRule
from services.scoring.domain.shapes import halved, ramp
from services.scoring.domain.words import reason


class FeedbackCourse:
    """The mean of all answers, whose weight halves, and the neutral one, whose weight stays."""

    def __init__(self, feedback: Feedback, mean: DecayedMean, rule: FeedbackRule) -> None:
        self._feedback, self._rule = feedback, rule
        self._mean, self._weight, self._since = mean.mean, mean.weight, micros(mean.at)

    def value(self, at: int) -> float:
        rule = self._rule
        weight = halved(self._weight, self._since, rule.half_life_days, at)
        level = rule.neutral + (self._mean - rule.neutral) * (weight / (rule.weight + weight))
        return ramp(level, rule.worst, rule.best)

    def turns(self) -> Sequence[int]:
        return ()

    def because(self, at: int) -> Reason:
        survey, answered_at = _latest(self._feedback)
        on = answered_at.date().isoformat()
        if survey == "nps":
            return reason("nps_answered", score=self._feedback.nps, on=on)
        return reason(f"{survey}_answered", percent=round(100 * self._feedback.levels.get(survey, self._mean)), on=on)


def _latest(feedback: Feedback) -> tuple[str, datetime]:
    answered = [
        (at, survey)
        for survey, at in (("ces", feedback.ces_at), ("csat", feedback.csat_at), ("nps", feedback.nps_at))
        if at is not None
    ]
    at, survey = max(answered)
    return survey, at


def feedback_course(feedback: Feedback | None, rule: FeedbackRule) -> FeedbackCourse | None:
    """The course of the answers on a known scale; None where there was none."""
    if feedback is None or not any((feedback.nps_at, feedback.csat_at, feedback.ces_at)):
        return None
    mean = next((each for each in feedback.level_decayed if each.half_life_days == rule.half_life_days), None)
    return None if mean is None else FeedbackCourse(feedback, mean, rule)
