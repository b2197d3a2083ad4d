"""Feedback: what was answered, on a scale from 0 to 1, and whether somebody answered that."""

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

import msgspec

from services.journey.domain.decay import LADDER, Sum, moment, plus, times
from services.journey.domain.parts.joining import latest
from services.journey.domain.reading import NANO, Key, Reading, amount, nanos

MOST_ANSWERS = 100
MOST_REPLIES = 500
WITHIN = 14 * 86_400_000_000
"""How soon feedback must be answered to count as answered, in microseconds."""

SCALES: Mapping[str, tuple[int, int]] = {"nps": (0, 10), "csat": (1, 5), "ces": (1, 7)}
"""The scale of a survey that names none."""


class Answer(NamedTuple):
    """An answer: its place, its survey, its score in billionths, and where that lies on its scale, in billionths."""

    us: int
    message_id: str
    survey: str
    score: int
    level: int


Fading = tuple[Sum, Sum]
"""What all answers weigh, and their levels by what each weighs, each weighing half after every half-life."""


class Surveys(msgspec.Struct, frozen=True, array_like=True):
    """Answers to surveys; replies that name one (place, its message id); when we contacted the customer.

    `fading` adds up all answers, also those that are no longer told, for each half-life of the ladder.
    """

    answers: list[Answer] = []
    replies: list[tuple[int, str, str]] = []
    contacts: list[Key] = []
    fading: list[Fading] = []

    def of(self, survey: str) -> list[Answer]:
        """The answers to a survey, in order."""
        return [answer for answer in self.answers if answer.survey == survey]

    def latest(self, survey: str) -> Answer | None:
        """The latest answer to a survey."""
        found = self.of(survey)
        return found[-1] if found else None

    def replied_at(self, answer: Answer) -> int | None:
        """When feedback was answered, by a reply that names it or by a contact, within 14 days; in microseconds."""
        named = [us for us, _, message_id in self.replies if message_id == answer.message_id]
        found = [us for us in (*named, *(us for us, _ in self.contacts)) if answer.us <= us <= answer.us + WITHIN]
        return min(found, default=None)


NONE = Surveys()


def join(a: Surveys, b: Surveys) -> Surveys:
    """What both say; the latest of each."""
    if a is NONE or b is NONE:
        return b if a is NONE else a
    return Surveys(
        answers=latest(a.answers, b.answers, MOST_ANSWERS),
        replies=latest(a.replies, b.replies, MOST_REPLIES),
        contacts=latest(a.contacts, b.contacts, MOST_REPLIES),
        fading=_together(a.fading, b.fading),
    )


def single(reading: Reading) -> Surveys:
    """What one touchpoint says. A score outside its scale is no answer."""
    match reading.kind:
        case "survey_responded":
            answer = _answer(reading)
            return NONE if answer is None else Surveys(answers=[answer], fading=_fading(answer))
        case "feedback_answered":
            named = reading.properties.get("feedback_message_id")
            return Surveys(replies=[(*reading.key, named)]) if isinstance(named, str) else NONE
        case "contact_logged" if reading.properties.get("direction") == "outbound":
            return Surveys(contacts=[reading.key])
        case _:
            return NONE


def _fading(answer: Answer) -> list[Fading]:
    weights = (moment(answer.us // 1_000_000, half_life) for half_life in LADDER)
    return [(weight, times(weight, answer.level)) for weight in weights]


def _together(a: list[Fading], b: list[Fading]) -> list[Fading]:
    if not a or not b:
        return a or b
    return [(plus(w, v), plus(m, n)) for (w, m), (v, n) in zip(a, b, strict=True)]


def _answer(reading: Reading) -> Answer | None:
    survey, score = reading.properties.get("survey_type"), amount(reading.properties.get("score"))
    if not isinstance(survey, str) or survey not in SCALES or score is None:
        return None
    least, most = (
        given if (given := amount(reading.properties.get(name))) is not None else Decimal(shipped)
        for name, shipped in zip(("scale_min", "scale_max"), SCALES[survey], strict=True)
    )
    if not least <= score <= most or least == most:
        return None
    return Answer(*reading.key, survey, nanos(score), int((score - least) * NANO / (most - least)))
