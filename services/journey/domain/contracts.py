"""What a contract's facts say: when it runs, what threatens it, when it is over."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from typing import NamedTuple

import msgspec

from jornada.instants import micros
from services.journey.domain.parts.joining import Register, either
from services.journey.domain.reading import Key, dated
from services.journey.domain.state import TRIAL, Contract

_DAY = 86_400_000_000
_UNPAID = 7 * _DAY
GRACE = 30 * _DAY
"""How long after its end a contract may still be renewed, in microseconds."""

STARTS = frozenset({"subscription_started", "subscription_renewed"})
CANCELLED = "subscription_cancelled"


class Period(NamedTuple):
    """A time during which a rule holds: from one place in event-time order until another, or until further notice."""

    rule: str
    begins: Key
    ends: Key | None


Truths = Mapping[str, Sequence[Period]]
"""By stage, when the condition that a workspace gave it was true; one that is not there has the rule set's rule."""


def condition_of(stage: str) -> str:
    """The name of the rule that is the condition of a stage."""
    return f"when.{stage}"


class Term(NamedTuple):
    """A time during which a contract runs, in microseconds, and the touchpoint that set its end."""

    begins: int
    ends: int | None
    message_id: str


def terms(contract: Sequence[Contract]) -> list[Term]:
    """When contracts ran and run, in order. A cancellation without a known start is of one that ran until then."""
    found: list[Term] = []
    for us, message_id, kind, effective in contract:
        runs = bool(found) and (found[-1].ends is None or found[-1].ends > us)
        if kind in STARTS:
            ends = effective if effective is not None and effective > us else None
            begins = found.pop().begins if runs else us
            found.append(Term(begins, ends, message_id))
        elif kind == CANCELLED and (runs or not found):
            begins = found.pop().begins if runs else us
            found.append(Term(begins, max(us, effective or us), message_id))
    return found


def started_at(contract: Sequence[Contract]) -> int | None:
    """When the latest contract that was said to start began, in microseconds: what is renewed in time goes on."""
    first = next((place for place, (_, _, kind, _) in enumerate(contract) if kind in STARTS), None)
    return None if first is None else terms(contract[first:])[-1].begins


def idle_from(running: Iterable[Term], us: int) -> int | None:
    """The first instant at or after `us` at which no contract runs; None for never."""
    for term in running:
        if term.begins <= us and (term.ends is None or us < term.ends):
            if term.ends is None:
                return None
            us = term.ends
    return us


def lapsed(running: Sequence[Term]) -> list[Key]:
    """Where a contract had been over for 30 days with no renewal, each with the touchpoint that set the end."""
    return [
        (term.ends + GRACE, term.message_id)
        for term, following in zip_longest(running, running[1:])
        if term.ends is not None and (following is None or following.begins > term.ends + GRACE)
    ]


def threats(contract: Sequence[Contract]) -> list[Period]:
    """When a payment had failed for 7 days unrecovered, and when a cancellation stood."""
    unpaid = _between("payment_failed", contract, {"payment_failed"}, {"payment_recovered"}, _UNPAID)
    cancelled = _between("cancellation", contract, {CANCELLED}, STARTS, 0)
    return [*unpaid, *cancelled]


def unpaid_since(contract: Sequence[Contract]) -> int | None:
    """The first payment failure after the last recovery, in microseconds; None while all is paid."""
    standing = _between("", contract, {"payment_failed"}, {"payment_recovered"}, 0)
    return standing[-1].begins[0] if standing and standing[-1].ends is None else None


def cancels_at(contract: Sequence[Contract]) -> int | None:
    """When the contract ends by the cancellation that stands, in microseconds; None without one."""
    ends: int | None = None
    for us, _, kind, effective in contract:
        if kind == CANCELLED:
            ends = us if effective is None else effective
        elif kind in STARTS:
            ends = None
    return ends


class Trial(NamedTuple):
    """The latest trial, in microseconds: when it began and when it ends, None where nobody said so."""

    begins: int | None
    ends: int | None


def trial(billing: Mapping[str, Register], contract: Sequence[Contract]) -> Trial:
    """The latest trial: over when somebody said, or when a contract starts or is renewed while it runs."""
    begins, ends = (_stated(billing.get(name)) for name in TRIAL)
    if begins is None:
        return Trial(None, ends)
    signed = next((us for us, _, kind, _ in contract if kind in STARTS and us > begins), None)
    return Trial(begins, either(ends, signed, min))


def _stated(register: Register | None) -> int | None:
    at = None if register is None else dated(msgspec.json.decode(register[2]))
    return None if at is None else micros(at)


def _between(
    rule: str, contract: Sequence[Contract], opening: Iterable[str], closing: Iterable[str], patience: int
) -> list[Period]:
    """From each first opening fact, `patience` microseconds later, until the next closing one."""
    found: list[Period] = []
    since: Key | None = None
    for us, message_id, kind, _ in contract:
        if kind in opening and since is None:
            since = (us + patience, message_id)
        elif kind in closing and since is not None:
            found.append(Period(rule, since, (us, message_id)))
            since = None
    return found if since is None else [*found, Period(rule, since, None)]
