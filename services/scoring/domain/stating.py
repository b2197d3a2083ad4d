"""From the document that states a profile to the profile: what is said over its base, or everything that is wrong."""

from collections.abc import Iterator, Mapping
from math import isfinite
from types import NoneType
from typing import Any, get_args, get_origin

import msgspec

from jornada.rules import Invalid, parse, write
from services.scoring.domain.profiles import InvalidProfile, Profile, When, validated
from services.scoring.domain.shipped import SHIPPED
from services.scoring.domain.view import TERMS

BASE = "base"
_SAID_ELSEWHERE = frozenset({"name", "version"})
_LEAST, _MOST = 1e-6, 1e6
Flaw = tuple[str, str]
"""Where, as a JSON pointer, and what is wrong."""


def stated(name: str, document: Mapping[str, Any], version: int) -> Profile:
    """The profile that a document states: its `base`, a shipped one, with what the document says laid over it.

    Objects are laid over each other, all else replaces what is there; null takes a weight or an optional part away.
    Raises InvalidProfile, which names everything wrong.
    """
    if not _kept(document):
        raise InvalidProfile(name, [("", "holds a number or a text that cannot be kept")])
    base = document.get(BASE, name if name in SHIPPED else "saas")
    if not isinstance(base, str) or base not in SHIPPED:
        raise InvalidProfile(name, [(f"/{BASE}", f"must be one of {', '.join(SHIPPED)}")])
    said = {key: value for key, value in document.items() if key != BASE}
    elsewhere = [(_under("", key), "is not said here") for key in said if key in _SAID_ELSEWHERE]
    whole = _laid(described(SHIPPED[base]), said) | {"name": name, "version": version}
    if isinstance(whole["weights"], dict):
        whole["weights"] = {key: value for key, value in whole["weights"].items() if value is not None}
    flaws = elsewhere + list(_flaws(whole, Profile, ""))
    if flaws:
        raise InvalidProfile(name, flaws)
    profile: Profile = msgspec.convert(whole, Profile, dec_hook=_read)
    missing = [("/applies", "must say for whom: {} is everybody")] if profile.applies is None else []
    stands_in = [("/applies", "must be left out: it stands in for the one that ships")] if profile.applies else []
    wrong = stands_in if name in SHIPPED else missing
    try:
        validated(profile)
    except InvalidProfile as error:
        wrong = [*error.flaws, *wrong]
    if wrong:
        raise InvalidProfile(name, wrong)
    return profile


def described(profile: Profile) -> dict[str, Any]:
    """The whole profile as decoded JSON."""
    document: dict[str, Any] = msgspec.to_builtins(profile, enc_hook=_written)
    return document


def encoded(profile: Profile) -> bytes:
    """The whole profile as it is stored: JSON, the same for equal ones."""
    return _encoder.encode(profile)


def decoded(document: bytes) -> Profile:
    """A profile as it was stored."""
    return msgspec.json.decode(document, type=Profile, dec_hook=_read)


def _kept(document: Mapping[str, Any]) -> bool:
    """Whether it can be written as JSON: whole numbers of any size and halves of characters cannot."""
    try:
        msgspec.json.encode(document)
    except (OverflowError, UnicodeEncodeError, RecursionError):
        return False
    return True


def _laid(under: Any, over: Any) -> Any:
    if not isinstance(under, dict) or not isinstance(over, dict):
        return over
    return under | {key: _laid(under.get(key), value) for key, value in over.items()}


def _flaws(value: Any, type_: Any, at: str) -> Iterator[Flaw]:
    """Everything about a value that does not suit its type, each by its place."""
    if NoneType in get_args(type_):
        if value is not None:
            yield from _flaws(value, next(each for each in get_args(type_) if each is not NoneType), at)
    elif type_ is When:
        yield from _condition(value, at)
    elif isinstance(type_, type) and issubclass(type_, msgspec.Struct):
        yield from _fields(value, type_, at)
    elif get_origin(type_) is dict:
        keys, values = get_args(type_)
        yield from _members(value, keys, values, at)
    elif get_origin(type_) in {list, tuple}:
        yield from _items(value, type_, at)
    else:
        yield from _leaf(value, type_, at)


def _fields(value: Any, type_: type[msgspec.Struct], at: str) -> Iterator[Flaw]:
    if not isinstance(value, Mapping):
        yield at, "must be an object"
        return
    fields = {field.encode_name: field for field in msgspec.structs.fields(type_)}
    for key in value:
        if key not in fields:
            yield _under(at, key), f"is not known; known are {', '.join(sorted(fields.keys() - _SAID_ELSEWHERE))}"
    for name, field in fields.items():
        if name in value:
            yield from _flaws(value[name], field.type, _under(at, name))
        elif field.required:
            yield _under(at, name), "must be said"


def _members(value: Any, keys: Any, values: Any, at: str) -> Iterator[Flaw]:
    if not isinstance(value, Mapping):
        yield at, "must be an object"
        return
    for key, each in value.items():
        if key not in get_args(keys):
            yield _under(at, key), f"is not known; known are {', '.join(get_args(keys))}"
        else:
            yield from _flaws(each, values, _under(at, key))


def _items(value: Any, type_: Any, at: str) -> Iterator[Flaw]:
    fixed = get_origin(type_) is tuple and get_args(type_)[-1] is not Ellipsis
    size = len(get_args(type_)) if fixed else None
    if not isinstance(value, list | tuple) or size not in {None, len(value)}:
        yield at, "must be a list" if size is None else f"must be a list of {size}"
        return
    for place, each in enumerate(value):
        yield from _flaws(each, get_args(type_)[0], f"{at}/{place}")


def _condition(value: Any, at: str) -> Iterator[Flaw]:
    try:
        parse(value, TERMS)
    except Invalid as error:
        yield from ((at + flaw.at, flaw.message) for flaw in error.flaws)


def _leaf(value: Any, type_: Any, at: str) -> Iterator[Flaw]:
    if isinstance(value, int | float) and not isinstance(value, bool) and not _reckonable(value):
        yield at, "must be a number: 0, or from 0.000001 to 1000000 in size"
        return
    try:
        msgspec.convert(value, type_)
    except msgspec.ValidationError as error:
        yield at, f"is wrong: {error}"


def _reckonable(number: float) -> bool:
    """Whether what is made of it neither overflows nor is lost."""
    return number == 0 or (_LEAST <= abs(number) <= _MOST and isfinite(number))


def _read(type_: type, value: Any) -> When:
    return When(parse(value, TERMS))


def _written(value: Any) -> Any:
    return write(value.condition)


def _under(at: str, key: Any) -> str:
    return f"{at}/" + str(key).replace("~", "~0").replace("/", "~1")


_encoder = msgspec.json.Encoder(order="deterministic", decimal_format="number", enc_hook=_written)
