"""Accounts beside their people: what a person who was scored counts for, and what an account is scored with."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from jornada.bus.publisher import Subject
from jornada.bus.timers import Timer
from jornada.events import JourneySnapshot
from services.scoring.domain.champions import member
from services.scoring.domain.judging import HEALTH, Judged
from services.scoring.domain.people import peopled
from services.scoring.store.people import PEOPLE, Place, Step
from services.scoring.store.subjects import Known
from services.scoring.worker.scoring import subject_of


def is_account(journey: JourneySnapshot) -> bool:
    """Whether a journey is an account's."""
    return journey.subject_type == "account"


def concerns(timer: Timer, known: Known | None) -> bool:
    """Whether an account's timer is due."""
    return timer.name == PEOPLE or (known is not None and known.type == "account")


def with_people(journey: JourneySnapshot, steps: Mapping[Subject, Step]) -> JourneySnapshot:
    """An account's journey with its people as they stand now."""
    step = steps.get(subject_of(journey))
    return journey if step is None else peopled(journey, step.people)


def is_no_news(judged: Judged) -> bool:
    """Whether what an account is scored by is history, its own and its people's."""
    return is_account(judged.journey) and judged.cause == "other"


def counts(judged: Judged) -> bool:
    """Whether it tells what a person counts for in their account; what is not judged tells nothing."""
    if is_account(judged.journey) or judged.withheld or judged.scores.frozen:
        return False
    known = judged.recorded
    return HEALTH not in known or judged.journey.version == known[HEALTH].journey_version


def place(judged: Judged) -> Place:
    """Where a person counts for what from then on."""
    account, at = judged.journey.account_id, judged.scores.as_of
    counted = None if account is None else member(judged.journey, judged.scores)
    return Place(account, counted, at if judged.due else next_second(at), told=judged.due or judged.cause == "live")


def next_second(at: datetime) -> datetime:
    """The whole second, so that an account is scored once for all that happens to its people within one."""
    return at + timedelta(microseconds=-at.microsecond % 1_000_000)
