"""What a condition is made of: tests of one operand each, joined by all, any and not."""

from collections.abc import Mapping
from decimal import Decimal

import msgspec

UNITS: Mapping[str, int] = {"minute": 60_000_000, "hour": 3_600_000_000, "day": 86_400_000_000, "week": 604_800_000_000}
"""Units of spans, in microseconds."""

DAY = UNITS["day"]

Scalar = str | bool | int | Decimal
"""A value that traits and measures have, and that they are compared with."""


class Span(msgspec.Struct, frozen=True):
    """A length of time as it was written, `14 days`."""

    number: int
    unit: str

    @property
    def micros(self) -> int:
        """In microseconds."""
        return self.number * UNITS[self.unit]


class Instant(msgspec.Struct, frozen=True):
    """An instant, in microseconds since 1970."""

    us: int


class Operand(msgspec.Struct, frozen=True):
    """What a test looks at: `key` says how, `name` what; `within` narrows counts to the last UTC days, today's too.

    What was seen once counts half after `half_life`, a quarter after two of them.
    """

    key: str
    name: str
    within: Span | None = None
    half_life: Span | None = None


class Comparison(msgspec.Struct, frozen=True):
    """What must be true of the operand: a word (`at_least`), and what it is compared with."""

    word: str
    value: Scalar | Span | Instant | tuple[Scalar, ...]


class Test(msgspec.Struct, frozen=True):
    """True where every comparison is. Of an operand that is not there only `exists: false` is true."""

    __test__ = False  # it is no test of pytest's

    operand: Operand
    comparisons: tuple[Comparison, ...]


class All(msgspec.Struct, frozen=True):
    """True where each part is."""

    parts: "tuple[Condition, ...]"


class Some(msgspec.Struct, frozen=True):
    """True where any part is."""

    parts: "tuple[Condition, ...]"


class Not(msgspec.Struct, frozen=True):
    """True where its part is not."""

    part: "Condition"


Condition = Test | All | Some | Not
