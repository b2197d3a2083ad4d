"""Conditions over a journey: read from JSON, judged at an instant, and able to say when their answer will change."""

from jornada.rules.checking import Flaw, Invalid, parse
from jornada.rules.evaluating import View, changes, holds, next_change
from jornada.rules.language import All, Condition, Not, Some, Test
from jornada.rules.terms import Sort, Terms
from jornada.rules.writing import write

__all__ = [
    "All",
    "Condition",
    "Flaw",
    "Invalid",
    "Not",
    "Some",
    "Sort",
    "Terms",
    "Test",
    "View",
    "changes",
    "holds",
    "next_change",
    "parse",
    "write",
]
