"""Knows again what was sent a short while ago, so that a re-send costs nothing and is told so."""

import asyncio
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol


class Ids(Protocol):
    """The ids of a request's events, held natively."""

    def __len__(self) -> int:
        """How many."""

    def hashes(self) -> dict[str, str]:
        """Payload hashes by id."""


class Flight:
    """Events on their way to the stream, all in one: their ids, or payload hashes by id. For one event loop."""

    __slots__ = ("_outcome", "generation", "ids", "is_listed")

    def __init__(self, ids: Ids | dict[str, str]) -> None:
        self.ids = ids
        self.generation = 0
        self.is_listed = False
        self._outcome: asyncio.Future[bool] | None = None

    @property
    def hashes(self) -> dict[str, str]:
        """Payload hashes by id."""
        return self.ids if isinstance(self.ids, dict) else self.ids.hashes()

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


class Halves:
    """Payload hashes by id: of those since the last turn, and of those since the one before it.

    `jornada_express.Recent` is the same, in a tenth of the memory, and takes what is held natively.
    """

    def __init__(self, _half: int) -> None:
        self._young: dict[str, str] = {}
        self._old: dict[str, str] = {}

    def keep(self, ids: dict[str, str]) -> None:
        """Notes ids."""
        self._young.update(ids)

    def drop(self, ids: dict[str, str]) -> None:
        """Forgets ids."""
        for id_ in ids:
            self._young.pop(id_, None)
            self._old.pop(id_, None)

    def of(self, id_: str) -> str | None:
        """The payload hash of an id, if it is known."""
        return self._young.get(id_) or self._old.get(id_)

    def turn(self) -> None:
        """Forgets the older half; the younger one is the older one now."""
        self._old, self._young = self._young, {}


class RecentIds:
    """The last ids, `capacity` of them or up to half as many, with their payload hashes: acked, or in flight.

    An id is the text that names one event within the system. What failed is forgotten: it may come again and is new.
    """

    def __init__(self, capacity: int, halves: Callable[[int], Any]) -> None:
        """`halves` makes what holds them, with room for half of them: `Halves`, or its native twin."""
        self._half = max(1, capacity // 2)
        self._ids = halves(self._half)
        self._generation = self._acked = 0
        self._flying: dict[Flight, None] = {}
        # By id, of the flights that were in the air when a twin was last found: most never meet one.
        self._listed: dict[str, Flight] = {}

    def twin(self, id_: str, payload_hash: str) -> Twin | None:
        """The twin of an event, acked or in flight."""
        before = self._ids.of(id_)
        return None if before is None else Twin(before == payload_hash, self._flight_of(id_))

    def begin_new(self, flight: Flight) -> bool:
        """As `begin`, of ids that are held natively; nothing and False where one is there twice or has a twin."""
        is_new: bool = self._ids.begin(flight.ids)
        if is_new:
            self._note(flight)
        return is_new

    def begin(self, flight: Flight) -> None:
        """Notes events that are about to be published."""
        self._ids.keep(flight.ids)
        self._note(flight)

    def end(self, flight: Flight, *, acked: bool) -> None:
        """Notes what became of them."""
        del self._flying[flight]
        if flight.is_listed:
            for id_ in flight.hashes:
                del self._listed[id_]
        if not acked:
            self._ids.drop(flight.ids)
        else:
            self._acked += len(flight.ids)
            if self._acked >= self._half:
                self._forget()
        flight.land(acked=acked)

    def _note(self, flight: Flight) -> None:
        self._flying[flight] = None
        flight.generation = self._generation

    def _forget(self) -> None:
        """Forgets the older half, but for what has been in flight since then."""
        self._ids.turn()
        self._generation += 1
        self._acked = 0
        for flight in self._flying:
            if flight.generation < self._generation - 1:
                self._ids.keep(flight.ids)
                flight.generation = self._generation

    def _flight_of(self, id_: str) -> Flight | None:
        """The flight that an id is in."""
        for flight in reversed(self._flying):
            if flight.is_listed:
                break
            flight.is_listed = True
            self._listed.update(dict.fromkeys(flight.hashes, flight))
        return self._listed.get(id_)
