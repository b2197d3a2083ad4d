"""Which e-mail a touchpoint states, and which would make one customer of many."""

import re

from services.journey.domain.identity import Named
from services.journey.domain.reading import Reading

_LONGEST = 254
_EMAIL = re.compile(r"[^\s@]+@[^\s@]+")
_NOBODY = frozenset(
    {"null", "undefined", "none", "anonymous", "guest", "nobody", "unknown", "nan", "true", "false", "0", "-1"}
)
_NOWHERE = frozenset({"null", "undefined", "none", "nan"})


def canonical(value: object) -> str | None:
    """An e-mail as it is compared, trimmed and lower-cased; None for what is none, or a placeholder for everybody's."""
    if not isinstance(value, str):
        return None
    email = value.strip().lower()
    if len(email) > _LONGEST or not email.isprintable() or not _EMAIL.fullmatch(email):
        return None
    local, _, domain = email.partition("@")
    return None if local in _NOBODY or domain.partition(".")[0] in _NOWHERE else email


def stated(reading: Reading) -> tuple[str, Named] | None:
    """The e-mail that an `identify` states, and of whom: of its user id, else of its device."""
    touchpoint = reading.touchpoint
    if touchpoint.type != "identify" or reading.ours:
        return None
    email = canonical(reading.traits.get("email"))
    type_, value = ("user_id", touchpoint.user_id) if touchpoint.user_id else ("anonymous_id", touchpoint.anonymous_id)
    return None if email is None or value is None else (email, Named(type_, value))
