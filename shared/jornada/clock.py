"""The one place that asks the time."""

import time
from datetime import UTC, datetime
from typing import Protocol

from jornada.instants import micros


class Clock(Protocol):
    """Tells the time of the world (`now`; `micros`, since 1970) and time that only grows (`monotonic`, seconds)."""

    def now(self) -> datetime: ...

    def micros(self) -> int: ...

    def monotonic(self) -> float: ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def micros(self) -> int:
        return time.time_ns() // 1_000

    monotonic = staticmethod(time.monotonic)


class SetClock:
    """A clock that stands where it is put: for tests."""

    def __init__(self, at: datetime) -> None:
        self.at = at
        self.seconds = 0.0

    def now(self) -> datetime:
        return self.at

    def micros(self) -> int:
        return micros(self.at)

    def monotonic(self) -> float:
        return self.seconds
