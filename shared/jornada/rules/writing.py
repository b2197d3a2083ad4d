"""From a condition to the JSON that states it: read back it is the same condition."""

from datetime import UTC, datetime, timedelta
from typing import Any, assert_never

from jornada.rules.language import All, Condition, Instant, Not, Some, Span, Test

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


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
            words = {comparison.word: _value(comparison.value) for comparison in comparisons}
            return {operand.key: operand.name, **within, **words}
        case _:
            assert_never(condition)


def _value(value: Any) -> Any:
    match value:
        case Span(number, unit):
            return f"{number} {unit}" if number == 1 else f"{number} {unit}s"
        case Instant(us):
            return (_EPOCH + timedelta(microseconds=us)).isoformat().replace("+00:00", "Z")
        case tuple():
            return [_value(each) for each in value]
        case _:
            return value
