"""What goes wrong in Postgres, by what can be done about it: told by SQLSTATE, never by message."""

import asyncpg


class Unavailable(Exception):
    """A passing fault: the same again, later, may succeed. Never a reason to dead-letter."""


class TimedOut(Unavailable):
    """A statement took longer than any may. Less at a time may do; the same again hardly will."""


class Conflict(Exception):
    """The transaction met another one; run it again at once."""


_CONFLICT = frozenset({"40001", "40P01"})
_CANCELLED = "57014"
_TRANSIENT_CLASSES = ("08", "53", "57", "58")
_TRANSIENT = frozenset({"25006", "55P03", "25P03", "25P04", "F0001"})


def classify(error: BaseException) -> Exception | None:
    """Conflict, TimedOut or Unavailable for what passes; None for what is a bug or bad data."""
    if isinstance(error, asyncpg.PostgresError):
        state = error.sqlstate or ""
        if state in _CONFLICT:
            return Conflict(str(error))
        if state == _CANCELLED:
            return TimedOut(f"Postgres: {type(error).__name__} {state}")
        if state in _TRANSIENT or state.startswith(_TRANSIENT_CLASSES):
            return Unavailable(f"Postgres: {type(error).__name__} {state}")
        return None
    if isinstance(error, asyncpg.InterfaceError | asyncpg.InternalClientError):
        closed = "closed" in str(error) or "closing" in str(error) or "released" in str(error)
        return Unavailable(f"Postgres: {error}") if closed else None
    if isinstance(error, OSError | TimeoutError | EOFError):
        return Unavailable(f"Postgres: {type(error).__name__}")
    return None
