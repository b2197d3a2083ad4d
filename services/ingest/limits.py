"""What is admitted: bytes in hand, events a second by key and in all, events of one customer, and whose turn it is."""

import asyncio
import time
from array import array
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Sequence
from zlib import crc32

from jornada.bus.packed import Packed

TURN = 0.02
"""Seconds of work in one turn of the event loop."""
_LATELY = 0.2
_CELLS = 65_536
_WINDOW = 10.0
_KEYS = 10_000


class Budget:
    """So many bytes and no more."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.taken = 0

    def take(self, size: int) -> bool:
        """Takes `size` bytes if they are there."""
        if self.taken + size > self._limit:
            return False
        self.taken += size
        return True

    def give_back(self, size: int) -> None:
        """Gives back what was taken."""
        self.taken -= size


class Rate:
    """So many events a second for each who sends, a second's worth at once. Who has sent more waits until it is even.

    It is asked before a body is read and told afterwards how much was in it, so that a refusal costs next to nothing.
    """

    def __init__(self, per_second: int) -> None:
        self._rate = per_second
        self._even_at: dict[Hashable, float] = {}
        self._many = _KEYS

    def wait(self, who: Hashable, now: float) -> float:
        """For how many seconds `who` has to wait; 0 if not at all."""
        left = self._even_at.get(who, now) - now - 1.0
        return left if left > 0.0 else 0.0

    def spend(self, who: Hashable, events: int, now: float) -> None:
        """Notes what was sent."""
        even_at = self._even_at.get(who, now)
        self._even_at[who] = (even_at if even_at > now else now) + events / self._rate
        if len(self._even_at) > self._many:
            self._forget(now)

    def knows(self, who: Hashable) -> bool:
        """Whether `who` takes up memory."""
        return who in self._even_at

    def _forget(self, now: float) -> None:
        """Forgets who is even, as who never sent is."""
        self._even_at = {who: even_at for who, even_at in self._even_at.items() if even_at > now}
        self._many = max(_KEYS, 2 * len(self._even_at))


class Crowd:
    """No more than so many events a second of one customer, over ten seconds; the others never feel it.

    Customers share counters, so that millions of them cost nothing; who shares one that ran over is counted by name
    for the rest of the ten seconds, so a flood may pass with twice its limit and nobody else is touched.
    """

    def __init__(self, per_second: int, monotonic: Callable[[], float]) -> None:
        self._most = int(per_second * _WINDOW)
        self._monotonic = monotonic
        self._cells = array("I", bytes(4 * _CELLS))
        self._named: dict[bytes, int] = {}
        self._until = 0.0

    def over(self, customers: Sequence[bytes]) -> list[int]:
        """Counts one event of each customer, whom a topic key names; the places of those that are too many."""
        self._turn()
        cells, most, above = self._cells, self._most, []
        for place, customer in enumerate(customers):
            cell = crc32(customer) % _CELLS
            cells[cell] = count = cells[cell] + 1
            if count > most:
                above.append(place)
        return self._too_many((place, customers[place]) for place in above)

    def over_packed(self, records: Packed) -> list[int]:
        """The same of records that were packed."""
        self._turn()
        above = records.written.count(self._cells, self._most)
        return self._too_many((place, records[place].key) for place in above) if above else []

    def _too_many(self, events: Iterable[tuple[int, bytes]]) -> list[int]:
        too_many = []
        for place, customer in events:
            named = self._named[customer] = self._named.get(customer, 0) + 1
            if named > self._most:
                too_many.append(place)
        return too_many

    def _turn(self) -> None:
        """Begins a new ten seconds when they are over."""
        now = self._monotonic()
        if now >= self._until:
            self._until = now + _WINDOW
            self._cells = array("I", bytes(4 * _CELLS))
            self._named.clear()


class Stream:
    """What the stream has yet to acknowledge: no more than it lately took in about a third of a second.

    That is asked only of a stream that takes something. One that pauses is waited for, as far as memory goes.
    """

    _SECONDS = 0.35
    _PAUSE = 0.2
    _SAMPLE = 0.1
    _LEAST = 4_194_304

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._waiting = self._taken = 0
        self._rate = 0.0
        self._most = float(self._LEAST)
        self._since = self._last = monotonic()

    def is_full(self) -> bool:
        """Whether who comes now would wait for too long."""
        if self._waiting <= self._most:
            return False
        return self._monotonic() - self._last < self._PAUSE

    def give(self, size: int) -> None:
        """So many bytes are on their way."""
        self._waiting += size

    def take(self, size: int, *, acked: bool) -> None:
        """So many are no longer."""
        self._waiting -= size
        if not acked:
            return
        self._last = now = self._monotonic()
        self._taken += size
        if now - self._since >= self._SAMPLE:
            self._rate += (self._taken / (now - self._since) - self._rate) * _LATELY
            self._most = max(self._LEAST, self._rate * self._SECONDS)
            self._taken, self._since = 0, now


class Turns:
    """Hands the process out, a little in each turn of the event loop, so that answers go out while work comes in.

    Where all is well nobody waits. Once a turn takes longer than TURN, those who come stand in line; each turn takes
    as many of them as fit into it, by what the work for one has taken lately. How long the line takes is another
    matter: that is by the clock, refusals and answers in between included.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._line: deque[asyncio.Future[None]] = deque()
        self._work = self._each = 0.001
        self._working_since = 0.0
        self._began = 0.0
        self._let_in = 0
        self._turning = False

    def wait(self) -> float:
        """Seconds that who comes now would stand in line."""
        return len(self._line) * self._each

    def must_wait(self) -> bool:
        """Whether who comes now has to wait for their turn; if not, they have it."""
        if not self._turning:
            self._turning = True
            self._begin()
            asyncio.get_running_loop().call_soon(self._turn)
        if self._line or self._monotonic() - self._began >= TURN:
            return True
        self._let_in += 1
        return False

    async def wait_for_one(self) -> None:
        """Returns when it is one's turn."""
        turn = asyncio.get_running_loop().create_future()
        self._line.append(turn)
        await turn

    def _begin(self) -> None:
        self._began = self._monotonic()
        self._let_in = 0

    def _turn(self) -> None:
        """Once a turn of the loop, for as long as anybody comes."""
        if self._let_in:
            spent = (self._monotonic() - self._began) / self._let_in
            self._each += (spent - self._each) * _LATELY
        self._turning = bool(self._line)
        self._begin()
        if self._line:
            self._let_some_in(asyncio.get_running_loop())

    def _let_some_in(self, loop: asyncio.AbstractEventLoop) -> None:
        room = max(1, int(TURN / self._work))
        # Those let in run one after the other, between these two.
        loop.call_soon(self._works)
        while self._line and self._let_in < room:
            turn = self._line.popleft()
            if not turn.done():
                turn.set_result(None)
                self._let_in += 1
        loop.call_soon(self._worked, self._let_in)
        loop.call_soon(self._turn)

    def _works(self) -> None:
        self._working_since = self._monotonic()

    def _worked(self, let_in: int) -> None:
        if let_in:
            self._work += ((self._monotonic() - self._working_since) / let_in - self._work) * _LATELY


class Limits:
    """All of them, for one process."""

    def __init__(
        self,
        *,
        bytes_in_flight: int,
        events_per_second: int,
        key_events_per_second: int,
        customer_events_per_second: int,
        monotonic: Callable[[], float],
    ) -> None:
        self.bytes = Budget(bytes_in_flight)
        self.monotonic = monotonic
        self.all = Rate(events_per_second)
        self.keys = Rate(key_events_per_second)
        self.customers = Crowd(customer_events_per_second, monotonic)
        self.stream = Stream(monotonic)
        self.turns = Turns()

    def spend(self, key: Hashable, events: int) -> None:
        """Notes events that came in with a key."""
        now = self.monotonic()
        self.all.spend(None, events, now)
        self.keys.spend(key, events, now)
