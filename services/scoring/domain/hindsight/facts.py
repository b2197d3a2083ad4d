"""Who left, and when: by contract where there is one, else by using nothing for the whole horizon."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from jornada.events import Billing, JourneySnapshot
from services.scoring.domain.parts.commercial import contracted

By = Literal["contract", "silence", "deletion"]
NOT_YET = frozenset({"visitor", "lead"})
"""Stages of those who have not begun: they cannot leave."""


class Left(NamedTuple):
    """A subject that left: at which instant, by what shows it, and by when it was back, if it was."""

    at: datetime
    by: By
    back_at: datetime | None = None


def departures(series: Sequence[JourneySnapshot], horizon: timedelta) -> list[Left]:
    """Every time at which the subject left, in order; whoever comes back can leave again."""
    found: list[Left] = []
    away = False
    for journey in series:
        left = _left(journey, horizon)
        if left is not None and not away:
            found.append(left)
        elif left is None and away:
            found[-1] = found[-1]._replace(back_at=_back_at(found[-1], journey))
        away = left is not None
    return found


def _back_at(left: Left, journey: JourneySnapshot) -> datetime:
    use = journey.measures.use
    return use.last_value_at if left.by == "silence" and use is not None else journey.as_of


def follows(journey: JourneySnapshot, horizon: timedelta) -> bool:
    """Whether the subject could leave at the journey's instant: it has begun, is no mere trial, and is not away."""
    return journey.stage.name not in NOT_YET and not _tries(journey) and _left(journey, horizon) is None


def _left(journey: JourneySnapshot, horizon: timedelta) -> Left | None:
    """Since when the subject has been away at the journey's instant; None while it is not."""
    if journey.stage.name == "churned" and journey.stage.rule == "account_deleted":
        return Left(journey.stage.entered_at, "deletion")
    if journey.stage.name in NOT_YET or _tries(journey):
        return None
    contract = _contract(journey)
    if contract is not None:
        ended = _ended(contract, journey)
        return None if ended is None else Left(ended, "contract")
    use = journey.measures.use
    if use is None or use.last_value_at + horizon > journey.as_of:
        return None
    return Left(use.last_value_at + horizon, "silence")


def _contract(journey: JourneySnapshot) -> Billing | None:
    """What is known of a contract that runs or ran; payments alone are none."""
    billing = contracted(journey.measures)
    dated = billing is not None and (billing.started_at or billing.renewal_at or billing.cancels_at)
    return billing if dated else None


def _tries(journey: JourneySnapshot) -> bool:
    billing = journey.measures.billing
    tried = billing is not None and (billing.trial_started_at is not None or billing.trial_ends_at is not None)
    return tried and (billing is None or billing.started_at is None)


def _ended(contract: Billing, journey: JourneySnapshot) -> datetime | None:
    """When the contract ended by the journey's instant: cancelled, or not renewed by word or for 30 days after."""
    if contract.cancels_at is not None:
        return contract.cancels_at if contract.cancels_at <= journey.as_of else None
    renewal = contract.renewal_at
    if renewal is None or renewal > journey.as_of:
        return None
    lapsed = journey.stage.name == "churned" and journey.stage.rule == "contract_ended"
    return renewal if contract.auto_renew is False or lapsed else None
