"""Support: what is known of each ticket."""

from collections.abc import Mapping

import msgspec

from services.journey.domain.parts.joining import Register, earlier, either, greatest, later, merged
from services.journey.domain.reading import Key, Reading, whole

MOST_TICKETS = 500
LONGEST_NAME = 200
_STATUSES = {"ticket_opened": "open", "ticket_reopened": "reopened", "ticket_resolved": "resolved"}


class Ticket(msgspec.Struct, frozen=True, array_like=True):
    """A ticket. `first_response`, `resolution` and `contacts` are the latest said, whole numbers as text."""

    opened: Key | None = None
    status: Register | None = None
    severity: Register | None = None
    category: Register | None = None
    replied: Key | None = None
    resolved: Key | None = None
    escalated: Key | None = None
    reopened: Key | None = None
    first_response: Register | None = None
    resolution: Register | None = None
    contacts: Register | None = None

    @property
    def since(self) -> int | None:
        """From when on it has been open, in microseconds; None for one that is resolved or was never opened."""
        if self.status is None or self.status[2] == "resolved":
            return None
        return self.status[0] if self.opened is None else self.opened[0]

    @property
    def first_response_seconds(self) -> int | None:
        """How long the first answer took: as said, else until the first reply."""
        said = _said(self.first_response)
        return _seconds(self.opened, self.replied) if said is None else said

    @property
    def resolution_seconds(self) -> int | None:
        """How long the solution took: as said, else until the latest one."""
        said = _said(self.resolution)
        return _seconds(self.opened, self.resolved) if said is None else said

    @property
    def at_first_contact(self) -> bool | None:
        """Whether one contact resolved it; None while nobody has said how many it took."""
        number = _said(self.contacts)
        return None if number is None or self.resolved is None else number <= 1 and self.reopened is None


Tickets = Mapping[str, Ticket]


def join(a: Tickets, b: Tickets) -> Tickets:
    """All that is known of the tickets of both; of more than 500 of those with the greatest ids."""
    return greatest(merged(a, b, _both), MOST_TICKETS)


def single(reading: Reading) -> Tickets:
    """What one touchpoint says of a ticket."""
    kind = reading.kind
    if not kind.startswith("ticket_"):
        return {}
    given, key = reading.properties, reading.key
    named, category, level = given.get("ticket_id"), given.get("category"), whole(given.get("severity"))
    status = _STATUSES.get(kind)
    ticket = Ticket(
        opened=key if kind == "ticket_opened" else None,
        status=(*key, status) if status else None,
        severity=(*key, str(level)) if level is not None and 1 <= level <= 4 else None,
        category=(*key, category) if isinstance(category, str) else None,
        replied=key if kind == "ticket_replied" else None,
        resolved=key if kind == "ticket_resolved" else None,
        escalated=key if kind == "ticket_escalated" else None,
        reopened=key if kind == "ticket_reopened" else None,
        first_response=_number(reading, "first_response_seconds"),
        resolution=_number(reading, "resolution_seconds"),
        contacts=_number(reading, "contacts"),
    )
    name = str(named) if isinstance(named, str | int) else reading.touchpoint.message_id
    return {name[:LONGEST_NAME]: ticket}


def _both(a: Ticket, b: Ticket) -> Ticket:
    return Ticket(
        opened=earlier(a.opened, b.opened),
        status=either(a.status, b.status, max),
        severity=either(a.severity, b.severity, max),
        category=either(a.category, b.category, max),
        replied=earlier(a.replied, b.replied),
        resolved=later(a.resolved, b.resolved),
        escalated=later(a.escalated, b.escalated),
        reopened=later(a.reopened, b.reopened),
        first_response=either(a.first_response, b.first_response, max),
        resolution=either(a.resolution, b.resolution, max),
        contacts=either(a.contacts, b.contacts, max),
    )


def _number(reading: Reading, name: str) -> Register | None:
    number = whole(reading.properties.get(name))
    return (*reading.key, str(number)) if number is not None and number >= 0 else None


def _said(register: Register | None) -> int | None:
    return None if register is None else int(register[2])


def _seconds(begun: Key | None, ended: Key | None) -> int | None:
    return None if begun is None or ended is None or ended < begun else (ended[0] - begun[0]) // 1_000_000
