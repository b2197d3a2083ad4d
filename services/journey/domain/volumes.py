"""What sources send: touchpoints by source, kind and hour of arrival, and of roughly how many customers they are."""

from collections.abc import Callable, Iterable
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from jornada.events import SubjectId
from services.journey.domain.reading import Reading

HOUR_SECONDS = 3_600

REGISTERS = 64
RANKS = 16
BITS = REGISTERS * RANKS
"""A sketch of customers: a bit a register and rank. Two are joined by `or`, in any order and as often as one likes."""


class Stream(NamedTuple):
    """What one source sends of one kind within one hour; `hour` is whole hours since 1970, UTC."""

    hour: int
    source: str
    kind: str


class Volume(NamedTuple):
    """How many touchpoints, when the last one arrived, and the sketch of whose they are."""

    touchpoints: int
    last_received_at: datetime
    customers: int


def counted(told: Iterable[tuple[SubjectId, Reading]], hashed: Callable[[int, SubjectId], int]) -> dict[Stream, Volume]:
    """Counts newly accepted touchpoints, each with whose it is; `hashed` gives 32 bits of a subject in an hour.

    Counted by arrival, as it is asked whether a source still sends. What was history on arrival is no sign of that,
    and what we sent ourselves is nobody's.
    """
    touchpoints: dict[Stream, int] = {}
    last: dict[Stream, datetime] = {}
    subjects: dict[Stream, set[SubjectId]] = {}
    for subject, reading in told:
        told_ = reading.touchpoint
        if told_.history or reading.ours:
            continue
        stream = Stream(int(told_.received_at.timestamp()) // HOUR_SECONDS, told_.source, reading.kind)
        if stream not in touchpoints:
            touchpoints[stream], last[stream], subjects[stream] = 0, told_.received_at, set()
        touchpoints[stream] += 1
        last[stream] = max(last[stream], told_.received_at)
        subjects[stream].add(subject)
    return {
        stream: Volume(number, last[stream], sketched(hashed(stream.hour, each) for each in subjects[stream]))
        for stream, number in touchpoints.items()
    }


def sketched(hashes: Iterable[int]) -> int:
    """The sketch of those with these hashes (32 bits each)."""
    sketch = 0
    for each in hashes:
        sketch |= 1 << _bit(each)
    return sketch


def _bit(hashed: int) -> int:
    """Any register alike; every further rank half as likely as the one before, the last as the one before it."""
    register, rest = hashed % REGISTERS, hashed // REGISTERS | 1 << (RANKS - 1)
    return register * RANKS + (rest & -rest).bit_length() - 1


@lru_cache(BITS + 1)
def customers(bits: int) -> int:
    """About how many customers set so many bits of a sketch: those of whom as many are expected.

    Exact but by one or two for a dozen, within a tenth (standard error) up to a million; more than two million are
    told as that.
    """
    low, high = 0, 2**21
    while low < high:
        middle = (low + high) // 2
        if _expected(middle) < bits - 0.5:
            low = middle + 1
        else:
            high = middle
    return low


def _expected(customers: int) -> float:
    """How many bits so many customers set on average."""
    return sum(REGISTERS * (1 - (1 - share) ** customers) for share in _SHARES)


_SHARES = [2.0 ** -min(rank + 1, RANKS - 1) / REGISTERS for rank in range(RANKS)]
