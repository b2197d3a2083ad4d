"""W3C trace context, carried through HTTP and the bus."""

import re
from collections.abc import Iterable
from contextvars import ContextVar
from random import randbytes

_VALID = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_current: ContextVar[str] = ContextVar("traceparent", default="")

HEADER = "traceparent"


def begin(traceparent: bytes | None) -> str:
    """Joins the trace that the caller names (a header's bytes), or begins one; returns our own `traceparent`."""
    drawn = randbytes(24).hex()  # ids tell traces apart; nobody need be unable to guess them
    ours = f"00-{drawn[:32]}-{drawn[32:]}-01"
    if traceparent is not None:
        given = traceparent.decode("latin-1")
        if _VALID.fullmatch(given):
            ours = f"{given[:36]}{drawn[32:]}{given[-3:]}"
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
