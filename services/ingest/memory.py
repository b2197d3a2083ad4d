"""Knows again what was sent a short while ago, so that a re-send costs nothing and is told so."""

import asyncio
from collections.abc import Mapping
from typing import NamedTuple


class Twin(NamedTuple):
    """An event of the same id came before: with the same payload or not; `outcome` while it is in flight."""

    same: bool
    outcome: "asyncio.Future[bool] | None"


class RecentIds:
    """The last `capacity` acked ids with their payload hashes, and those in flight. For one process and event loop.

    An id is the text that names one event within the system. It is remembered only after its ack: what failed may
    come again and is new.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._acked: dict[str, str] = {}
        self._flying: dict[str, tuple[str, asyncio.Future[bool]]] = {}

    def twin(self, id_: str, payload_hash: str) -> Twin | None:
        """The twin of an event, acked or in flight."""
        acked = self._acked.get(id_)
        if acked is not None:
            return Twin(acked == payload_hash, None)
        flying = self._flying.get(id_)
        return None if flying is None else Twin(flying[0] == payload_hash, flying[1])

    def begin(self, hashes: Mapping[str, str], outcome: "asyncio.Future[bool]") -> None:
        """Notes events, by id with their payload hashes, that are about to be published."""
        for id_, payload_hash in hashes.items():
            self._flying[id_] = (payload_hash, outcome)

    def end(self, hashes: Mapping[str, str], *, acked: bool) -> None:
        """Notes what became of them."""
        for id_ in hashes:
            self._flying.pop(id_, None)
        if acked:
            self._acked.update(hashes)
        while len(self._acked) > self._capacity:
            del self._acked[next(iter(self._acked))]
