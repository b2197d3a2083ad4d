"""Knows again what was sent a short while ago, so that a re-send costs nothing and is told so."""

import asyncio
from collections.abc import Iterable
from typing import NamedTuple

from jornada.events import Touchpoint, WorkspaceId


class Key(NamedTuple):
    """What names one event of one source."""

    workspace: WorkspaceId
    source: str
    message_id: str


class Twin(NamedTuple):
    """An event of the same id came before: with the same payload or not; `outcome` while it is in flight."""

    same: bool
    outcome: "asyncio.Future[bool] | None"


class RecentIds:
    """The last `capacity` acked ids with their payload hashes, and those in flight. For one process and event loop.

    An id is remembered only after its ack: what failed may come again and is new.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._acked: dict[Key, str] = {}
        self._flying: dict[Key, tuple[str, asyncio.Future[bool]]] = {}

    def twin(self, touchpoint: Touchpoint) -> Twin | None:
        """The twin of an event, acked or in flight."""
        key = key_of(touchpoint)
        acked = self._acked.get(key)
        if acked is not None:
            return Twin(acked == touchpoint.payload_hash, None)
        flying = self._flying.get(key)
        return None if flying is None else Twin(flying[0] == touchpoint.payload_hash, flying[1])

    def begin(self, touchpoint: Touchpoint, outcome: "asyncio.Future[bool]") -> None:
        """Notes an event that is about to be published."""
        self._flying[key_of(touchpoint)] = (touchpoint.payload_hash, outcome)

    def end(self, touchpoints: Iterable[Touchpoint], *, acked: bool) -> None:
        """Notes what became of them."""
        for touchpoint in touchpoints:
            key = key_of(touchpoint)
            self._flying.pop(key, None)
            if acked:
                self._acked[key] = touchpoint.payload_hash
        while len(self._acked) > self._capacity:
            del self._acked[next(iter(self._acked))]


def key_of(touchpoint: Touchpoint) -> Key:
    """What names a touchpoint within the system."""
    return Key(touchpoint.workspace, touchpoint.source, touchpoint.message_id)
