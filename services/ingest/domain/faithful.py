"""Whether an event can be stored and read back unchanged, and its value if so."""

import json
import re
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from services.ingest.domain.codes import Refusal
from services.ingest.domain.outline import outline

DEPTH = 32
KEYS = 500
KEY_BYTES = 256
LARGEST_INTEGER = 2**53 - 1

_SUSPECT = re.compile(rb"\\u00(?:00|3[aA])")
_LONG_DIGITS = b"0" * 16
_LONG_TEXT = b" " * (KEY_BYTES + 1)
_DIGITS = bytes(48 if chr(byte) in "0123456789" else 32 for byte in range(256))
_QUOTES = bytes(byte if chr(byte) == '"' else 32 for byte in range(256))


class Unfaithful(NamedTuple):
    """Why an event cannot be stored as sent; `value` is what could be read of it, for finding its id."""

    code: Refusal
    message: str
    value: dict[str, Any]


def oversize(raw: bytes, limit: int) -> Unfaithful:
    """What is said of an event that is too large."""
    found = faithful(raw)
    known = found.value if isinstance(found, Unfaithful) else found
    return Unfaithful("event_too_large", f"An event may have at most {limit} bytes.", known)


def faithful(raw: bytes) -> dict[str, Any] | Unfaithful:
    """The event of a valid JSON text (strict UTF-8), or why it would not come back as it was sent."""
    value = quick(raw)
    return careful(raw) if value is None else value


def quick(raw: bytes) -> dict[str, Any] | None:
    """The event if it is certainly faithful; None where only a careful look can tell."""
    if b"\\u" in raw and _SUSPECT.search(raw):
        return None
    try:
        value = _decoder.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    if type(value) is dict and (_mirrored(raw, value) or _plain(value, raw.count(b":"))):
        return value
    return None


def _mirrored(raw: bytes, value: dict[str, Any]) -> bool:
    """Whether the value, written again, is the very text it was read from, and the text too plain to break a rule.

    Then no key was there twice and no number moved. Sixteen digits in a row may be an integer out of range, a text
    longer than a key may be a key, shorter ones with a quote between them too, and as many brackets as levels may be
    levels: those are for a closer look.
    """
    plain = (
        raw.count(b"{") + raw.count(b"[") <= DEPTH
        and raw.count(b":") <= KEYS
        and b'\\"' not in raw
        and _LONG_DIGITS not in raw.translate(_DIGITS)
        and _LONG_TEXT not in raw.translate(_QUOTES)
    )
    if not plain:
        return False
    again = _encoder.encode(value)
    return again == raw or msgspec.json.format(again, indent=0) == raw


def _plain(value: dict[str, Any], colons: int) -> bool:
    """Whether no rule is broken, by a walk: for texts with escapes or spaces of another style.

    An object's members are as many as the colons outside its strings: fewer say that a key was there twice.
    """
    waiting: list[tuple[Any, int]] = [(value, 1)]
    while waiting:
        each, depth = waiting.pop()
        if depth > DEPTH:
            return False
        if type(each) is dict:
            if len(each) > KEYS:
                return False
            colons -= len(each)
            for key in each:
                if len(key) > KEY_BYTES // 4:
                    return False
                colons -= key.count(":")
            each = each.values()
        for inner in each:
            kind = type(inner)
            if kind is str:
                colons -= inner.count(":")
            elif kind is dict or kind is list:
                waiting.append((inner, depth + 1))
            elif kind is int and not -LARGEST_INTEGER <= inner <= LARGEST_INTEGER:
                return False
    return colons == 0


def careful(raw: bytes) -> dict[str, Any] | Unfaithful:
    """As `faithful`, slowly, with the reason."""
    problems: list[Refusal] = []

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            problems.append("duplicate_key")
        return found

    def integer(digits: str) -> int:
        if len(digits) > 17 or abs(int(digits)) > LARGEST_INTEGER:
            problems.append("number_out_of_range")
            return 0
        return int(digits)

    def number(digits: str) -> float:
        if not exact(digits):
            problems.append("number_inexact")
            return 0.0
        return float(digits)

    try:
        value = json.loads(raw.decode(), object_pairs_hook=members, parse_int=integer, parse_float=number)
    except RecursionError:
        return _unfaithful("too_deep", _scalars(raw))
    if not isinstance(value, dict):
        return _unfaithful("not_an_object", {})
    problems += _shape(value)
    return _unfaithful(problems[0], value) if problems else value


def _scalars(raw: bytes) -> dict[str, Any]:
    """The outermost plain members of an event that is too deep to be built."""
    plain = [part for part in outline(raw).parts if part.key is not None and part.value[:1] not in {b"{", b"["}]
    return {json.loads(part.key or b""): json.loads(part.value) for part in plain if len(part.value) <= KEY_BYTES}


def exact(digits: str) -> bool:
    """Whether a number's nearest double says the same number, digit for digit."""
    try:
        nearest = float(digits)
        return nearest - nearest == 0 and Decimal(repr(nearest)) == Decimal(digits)
    except ArithmeticError:
        return False


def _shape(value: dict[str, Any]) -> list[Refusal]:
    problems: list[Refusal] = []
    waiting: list[tuple[Any, int]] = [(value, 1)]
    while waiting:
        each, depth = waiting.pop()
        if isinstance(each, str):
            problems += _text(each)
        elif depth > DEPTH and isinstance(each, dict | list):
            problems.append("too_deep")
        elif isinstance(each, dict):
            if len(each) > KEYS:
                problems.append("too_many_keys")
            if any(len(key.encode("utf-8", "surrogatepass")) > KEY_BYTES for key in each):
                problems.append("key_too_long")
            waiting += [(inner, depth + 1) for inner in (*each, *each.values())]
        elif isinstance(each, list):
            waiting += [(inner, depth + 1) for inner in each]
    return problems


def _text(text: str) -> list[Refusal]:
    if "\x00" in text:
        return ["nul_character"]
    return ["lone_surrogate"] if any("\ud800" <= character <= "\udfff" for character in text) else []


def _unfaithful(code: Refusal, value: dict[str, Any]) -> Unfaithful:
    return Unfaithful(code, _MESSAGES[code], value)


def _exactly(digits: str) -> float:
    number = float(digits)
    if repr(number) != digits and not exact(digits):
        raise ValueError("inexact")
    return number


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(float_hook=_exactly)
_MESSAGES: dict[Refusal, str] = {
    "duplicate_key": "An object has the same key twice.",
    "key_too_long": f"A key may have at most {KEY_BYTES} bytes.",
    "lone_surrogate": "A text holds half of a surrogate pair, which is no character.",
    "not_an_object": "An event is a JSON object.",
    "nul_character": "A text holds the character U+0000.",
    "number_inexact": "A number has more digits or range than a double keeps; send it as text.",
    "number_out_of_range": "An integer lies beyond ±(2^53−1); send it as text.",
    "too_deep": f"An event may be nested at most {DEPTH} deep.",
    "too_many_keys": f"An object may have at most {KEYS} keys.",
}
