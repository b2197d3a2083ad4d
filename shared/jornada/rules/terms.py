"""What a condition may name, and which comparisons suit it."""

from collections.abc import Container, Mapping
from enum import StrEnum

import msgspec


class Sort(StrEnum):
    """What sort of value an operand has; a trait's is known only when it is looked at (`any`)."""

    TEXT = "text"
    NUMBER = "number"
    SPAN = "span"
    INSTANT = "instant"
    ANY = "any"


ORDER = ("at_least", "at_most", "above", "below")
"""≥, ≤, >, <."""

COMPARISONS: Mapping[Sort, frozenset[str]] = {
    Sort.TEXT: frozenset({"is", "in", "exists"}),
    Sort.NUMBER: frozenset({"is", "in", "exists", *ORDER}),
    Sort.SPAN: frozenset({"exists", *ORDER}),
    Sort.INSTANT: frozenset({"exists", *ORDER}),
    Sort.ANY: frozenset({"is", "in", "has", "exists", *ORDER}),
}
WORDS = frozenset().union(*COMPARISONS.values())

OPERANDS = ("stage", "trait", "measure", "date", "since", "until", "silence", "count", "days", "decayed")
COUNTED = frozenset({"count", "days"})
"""Operands that take `within`."""

TRAIT = "trait."
"""How the name of a date that is a trait begins."""

_STAGE: Mapping[str, Sort] = {"name": Sort.TEXT, "age": Sort.SPAN}


class Terms(msgspec.Struct, frozen=True):
    """The names that a workspace's conditions may use. A measure `revenue.*` stands for every name so begun."""

    stages: frozenset[str]
    kinds: Container[str]
    measures: Mapping[str, Sort]
    dates: frozenset[str]
    half_lives: frozenset[int] = frozenset()
    """Those by which counts are kept that halve with time, in days."""
    barred: frozenset[str] = frozenset()
    """Operands that hang on the answer, so that a condition would ask for itself."""
    windows: bool = True
    """Whether there are counts by day, without which nobody can say what was within a window, or on how many days."""

    def sort(self, key: str, name: str) -> Sort | None:
        """The sort of an operand; None for a name that there is not."""
        match key:
            case "stage":
                return _STAGE.get(name)
            case "trait":
                return Sort.ANY if name else None
            case "measure":
                family, _, member = name.partition(".")
                return self.measures.get(name, self.measures.get(f"{family}.*") if member else None)
            case "date" | "since" | "until":
                known = name in self.dates or (name.startswith(TRAIT) and name != TRAIT)
                return (Sort.INSTANT if key == "date" else Sort.SPAN) if known else None
            case _:
                return (Sort.SPAN if key == "silence" else Sort.NUMBER) if name in self.kinds else None
