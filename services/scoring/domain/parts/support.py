"""Support: open tickets, each taking the more away the worse and the older it is."""

from collections.abc import Sequence

from jornada.events import OpenTicket, Reason, Support
from jornada.instants import micros
from services.scoring.domain.profiles import SupportRule
from services.scoring.domain.shapes import DAY, ramp, whole_days
from services.scoring.domain.words import reason

SEVERE = 2
"""Up to this severity, 1 being the worst, a ticket is severe."""


class SupportCourse:
    """What the open tickets leave, each taking its share of what the others left."""

    def __init__(self, support: Support | None, rule: SupportRule) -> None:
        self._doubles = rule.doubles_in_days * DAY
        self._at_most = rule.at_most
        self._open = support.open if support else []
        self._tickets = [(micros(each.opened_at), _takes(each, rule)) for each in self._open]

    def value(self, at: int) -> float:
        left = 1.0
        for opened, takes in self._tickets:
            left *= 1.0 - min(takes * (1.0 + ramp((at - opened) / self._doubles, 0.0, 1.0)), self._at_most)
        return left

    def turns(self) -> Sequence[int]:
        return ()

    def because(self, at: int) -> Reason:
        if not self._tickets:
            return reason("no_open_tickets")
        return reason(
            "open_tickets",
            count=len(self._tickets),
            worst=min(ticket.severity for ticket in self._open),
            oldest_days=whole_days(min(opened for opened, _ in self._tickets), at),
        )


def _takes(ticket: OpenTicket, rule: SupportRule) -> float:
    severity = min(max(ticket.severity, 1), len(rule.takes))
    worse = (rule.reopened if ticket.reopened else 1.0) * (rule.escalated if ticket.escalated else 1.0)
    return min(rule.takes[severity - 1] * worse, rule.at_most)
