"""When a customer and we last spoke to each other, each way: people to people, not what is sent to many."""

import msgspec

from services.journey.domain.parts.joining import either
from services.journey.domain.reading import Reading

INBOUND = frozenset({"chat_message_sent", "survey_responded", "ticket_opened", "ticket_reopened"})
"""Kinds by which the customer speaks to us."""

OUTBOUND = frozenset({"chat_message_received", "feedback_answered", "ticket_replied"})
"""Kinds by which somebody of ours answers them."""

LOGGED = "contact_logged"
"""The kind that says itself by its `direction` who spoke; without one it tells neither."""


class Contacts(msgspec.Struct, frozen=True, array_like=True):
    """When the customer last spoke to us, and one of us to them, in microseconds."""

    inbound: int | None = None
    outbound: int | None = None


NONE = Contacts()


def join(a: Contacts, b: Contacts) -> Contacts:
    """The latest of both, each way."""
    if a is NONE or b is NONE:
        return b if a is NONE else a
    return Contacts(either(a.inbound, b.inbound, max), either(a.outbound, b.outbound, max))


def single(reading: Reading) -> Contacts:
    """What one touchpoint says."""
    said = reading.properties.get("direction") if reading.kind == LOGGED else None
    if reading.kind in INBOUND or said == "inbound":
        return Contacts(inbound=reading.key[0])
    if reading.kind in OUTBOUND or said == "outbound":
        return Contacts(outbound=reading.key[0])
    return NONE
