"""What was done about a subject: alerts told, messages sent, held or suppressed."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from services.console.domain.reading import Document, band, instant, text

_STATES = {"waiting": "pending", "claimed": "pending", "send": "sent", "hold": "held", "suppress": "suppressed"}


@dataclass(frozen=True, slots=True)
class Action:
    """One thing done: `what` is `alerted`, `sent`, `held`, `suppressed`, …; `why` is a code, a reason or several."""

    what: str
    at: datetime | None
    why: object = ""
    campaign: str = ""
    score: str = ""
    from_: str = ""
    to: str = ""
    until: datetime | None = None


def alerted(alert: Document) -> Action:
    """An alert as an action."""
    because = alert.get("because")
    return Action(
        "alerted",
        instant(alert.get("at")),
        because or "",
        score=text(alert.get("score")),
        from_=band(alert.get("from")),
        to=band(alert.get("to")),
    )


def decided(decision: Document) -> Action:
    """A campaign's decision as an action."""
    state = text(decision.get("state")) or text(decision.get("outcome"))
    return Action(
        _STATES.get(state, state or "pending"),
        instant(decision.get("at")) or instant(decision.get("created_at")),
        decision.get("reason") or "",
        campaign=text(decision.get("campaign")),
        until=instant(decision.get("held_until")),
    )


def newest_first(actions: Iterable[Action]) -> tuple[Action, ...]:
    """The actions in order of time, newest first; the undated at the end."""
    return tuple(sorted(actions, key=lambda action: -(action.at.timestamp() if action.at else 0)))
