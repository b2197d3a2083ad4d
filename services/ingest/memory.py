"""Knows again what was sent a short while ago, so that a re-send costs nothing and is told so."""

import asyncio
from collections.abc import Collection
from typing import NamedTuple


class Flight:
    """Events on their way to the stream, all in one: payload hashes by id. For one event loop."""

    __slots__ = ("_outcome", "hashes")

    def __init__(self, hashes: dict[str, str]) -> None:
        self.hashes = hashes
        self._outcome: asyncio.Future[bool] | None = None

    async def landed(self) -> bool:
        """Whether they were acked, once that is known."""
        if self._outcome is None:
            self._outcome = asyncio.get_running_loop().create_future()
        return await asyncio.shield(self._outcome)

    def land(self, *, acked: bool) -> None:
        """Tells those who wait."""
        if self._outcome is not None:
            self._outcome.set_result(acked)


class Twin(NamedTuple):
    """An event of the same id came before: with the same payload or not; in which flight if that is still going on."""

    same: bool
    flight: Flight | None


class RecentIds:
    """The last acked ids, `capacity` of them or up to half as many, with their payload hashes; and those in flight.

    An id is the text that names one event within the system. It is remembered only after its ack: what failed may
    come again and is new.
    """

    def __init__(self, capacity: int) -> None:
        self._half = max(1, capacity // 2)
        self._young: dict[str, str] = {}
        self._old: dict[str, str] = {}
        self._flying: dict[str, Flight] = {}

    def all_new(self, ids: Collection[str]) -> bool:
        """Whether none of them has a twin."""
        young, old, flying = self._young.keys(), self._old.keys(), self._flying.keys()
        return young.isdisjoint(ids) and old.isdisjoint(ids) and flying.isdisjoint(ids)

    def twin(self, id_: str, payload_hash: str) -> Twin | None:
        """The twin of an event, acked or in flight."""
        acked = self._young.get(id_) or self._old.get(id_)
        if acked is not None:
            return Twin(acked == payload_hash, None)
        flight = self._flying.get(id_)
        return None if flight is None else Twin(flight.hashes[id_] == payload_hash, flight)

    def begin(self, flight: Flight) -> None:
        """Notes events that are about to be published."""
        self._flying.update(dict.fromkeys(flight.hashes, flight))

    def end(self, flight: Flight, *, acked: bool) -> None:
        """Notes what became of them."""
        for id_ in flight.hashes:
            del self._flying[id_]
        if acked:
            self._young.update(flight.hashes)
            if len(self._young) >= self._half:
                self._old, self._young = self._young, {}
        flight.land(acked=acked)
