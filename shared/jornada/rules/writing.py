"""From a condition to the JSON that states it: read back it is the same condition."""

from typing import Any, assert_never

from jornada.instants import instant
from jornada.rules.language import All, Condition, Instant, Not, Some, Span, Test


def write(condition: Condition) -> dict[str, Any]:
    """The condition as JSON's objects, lists, texts and numbers (decimals stay decimals)."""
    match condition:
        case All(parts):
            return {"all": [write(part) for part in parts]}
        case Some(parts):
            return {"any": [write(part) for part in parts]}
        case Not(part):
            return {"not": write(part)}
        case Test(operand, comparisons):
            within = {} if operand.within is None else {"within": _value(operand.within)}
            half_life = {} if operand.half_life is None else {"half_life": _value(operand.half_life)}
            words = {comparison.word: _value(comparison.value) for comparison in comparisons}
            return {operand.key: operand.name, **within, **half_life, **words}
        case _:
            assert_never(condition)


def _value(value: Any) -> Any:
    match value:
        case Span(number, unit):
            return f"{number} {unit}" if number == 1 else f"{number} {unit}s"
        case Instant(us):
            return instant(us).isoformat().replace("+00:00", "Z")
        case tuple():
            return [_value(each) for each in value]
        case _:
            return value
