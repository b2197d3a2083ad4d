"""W3C trace context, carried through HTTP and the bus."""

import re
import secrets
from collections.abc import Iterable
from contextvars import ContextVar

_VALID = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_current: ContextVar[str] = ContextVar("traceparent", default="")

HEADER = "traceparent"


def begin(traceparent: str | None) -> str:
    """Joins the trace that the caller names, or begins one; returns our own `traceparent`."""
    given = traceparent if traceparent and _VALID.fullmatch(traceparent) else None
    trace = given[3:35] if given else secrets.token_hex(16)
    ours = f"00-{trace}-{secrets.token_hex(8)}-{given[-2:] if given else '01'}"
    _current.set(ours)
    return ours


def current() -> str:
    """The `traceparent` of what runs now; empty outside a trace."""
    return _current.get()


def from_headers(headers: Iterable[tuple[str, bytes]]) -> str | None:
    """The `traceparent` among a record's headers."""
    return next((value.decode("latin-1") for name, value in headers if name == HEADER), None)


def to_headers() -> tuple[tuple[str, bytes], ...]:
    """The record headers that carry the current trace on."""
    traceparent = current()
    return ((HEADER, traceparent.encode("ascii")),) if traceparent else ()
