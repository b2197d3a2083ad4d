"""Knows again what was sent a short while ago, so that a re-send costs nothing and is told so."""

import asyncio
from collections.abc import Collection
from typing import NamedTuple


class Flight:
    """Events on their way to the stream, all in one: payload hashes by id. For one event loop."""

    __slots__ = ("_outcome", "generation", "hashes", "is_listed")

    def __init__(self, hashes: dict[str, str]) -> None:
        self.hashes = hashes
        self.generation = 0
        self.is_listed = False
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
    """The last ids, `capacity` of them or up to half as many, with their payload hashes: acked, or in flight.

    An id is the text that names one event within the system. What failed is forgotten: it may come again and is new.
    """

    def __init__(self, capacity: int) -> None:
        self._half = max(1, capacity // 2)
        self._young: dict[str, str] = {}
        self._old: dict[str, str] = {}
        self._generation = self._acked = 0
        self._flying: dict[Flight, None] = {}
        # By id, of the flights that were in the air when a twin was last found: most never meet one.
        self._listed: dict[str, Flight] = {}

    def all_new(self, ids: Collection[str]) -> bool:
        """Whether none of them has a twin."""
        return self._young.keys().isdisjoint(ids) and self._old.keys().isdisjoint(ids)

    def twin(self, id_: str, payload_hash: str) -> Twin | None:
        """The twin of an event, acked or in flight."""
        before = self._young.get(id_) or self._old.get(id_)
        return None if before is None else Twin(before == payload_hash, self._flight_of(id_))

    def begin(self, flight: Flight) -> None:
        """Notes events that are about to be published."""
        self._flying[flight] = None
        self._keep(flight)

    def end(self, flight: Flight, *, acked: bool) -> None:
        """Notes what became of them."""
        del self._flying[flight]
        if flight.is_listed:
            for id_ in flight.hashes:
                del self._listed[id_]
        if not acked:
            for id_ in flight.hashes:
                self._young.pop(id_, None)
                self._old.pop(id_, None)
        else:
            self._acked += len(flight.hashes)
            if self._acked >= self._half:
                self._forget()
        flight.land(acked=acked)

    def _keep(self, flight: Flight) -> None:
        flight.generation = self._generation
        self._young.update(flight.hashes)

    def _forget(self) -> None:
        """Forgets the older half, but for what has been in flight since then."""
        self._old, self._young = self._young, {}
        self._generation += 1
        self._acked = 0
        for flight in self._flying:
            if flight.generation < self._generation - 1:
                self._keep(flight)

    def _flight_of(self, id_: str) -> Flight | None:
        """The flight that an id is in."""
        for flight in reversed(self._flying):
            if flight.is_listed:
                break
            flight.is_listed = True
            self._listed.update(dict.fromkeys(flight.hashes, flight))
        return self._listed.get(id_)
