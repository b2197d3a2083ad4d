"""Records on their way into a log: a queue bounded in bytes, whose groups are committed together."""

import asyncio
from collections import deque
from collections.abc import Sequence
from time import monotonic

from jornada.bus.carrier import MAX_RECORD, BusUnavailable, Record, RecordTooLarge


def measured(records: Sequence[Record]) -> int:
    """Bytes of keys, values and headers of all. Raises RecordTooLarge before anything is stored."""
    shared = records[0].headers  # the records of a call mostly share them
    more = _size(shared)
    sizes = [
        len(each.key) + len(each.value) + (more if each.headers is shared else _size(each.headers)) for each in records
    ]
    if max(sizes) > MAX_RECORD:
        raise RecordTooLarge(f"a record of {max(sizes)} bytes; the limit is {MAX_RECORD}")
    return sum(sizes)


def _size(headers: Sequence[tuple[str, bytes]]) -> int:
    return sum([len(name) + len(value) for name, value in headers])


class Call:
    """One call to publish: done once each of its portions is stored, failed with the first that may not be.

    `until` is the loop's time at which its caller gives up.
    """

    __slots__ = ("_waited_for", "done", "until")

    def __init__(self, loop: asyncio.AbstractEventLoop, until: float, portions: int) -> None:
        self.until = until
        self.done: asyncio.Future[None] = loop.create_future()
        self._waited_for = portions

    def stored(self) -> None:
        """One portion is."""
        self._waited_for -= 1
        if not self._waited_for and not self.done.done():
            self.done.set_result(None)

    def fail(self, error: Exception) -> None:
        """One portion may not be stored."""
        if not self.done.done():
            self.done.set_exception(error)

    def leave(self) -> None:
        """Its caller goes: what is queued of it still must not be sent behind the caller's back."""
        if not self.done.cancel() and not self.done.cancelled():
            self.done.exception()  # read here, else asyncio reports it as forgotten

    def expire(self) -> None:
        """Its time is over."""
        self.fail(BusUnavailable("no acknowledgement within the deadline; the records may be stored"))


class Calls:
    """The calls that wait for an outcome. They are looked through now and then: a timer for each would cost more."""

    _LOOK = 0.1

    def __init__(self) -> None:
        self._waiting: set[Call] = set()
        self._looking: asyncio.TimerHandle | None = None

    async def settled(self, call: Call) -> None:
        """Returns once every portion is durable; raises BusUnavailable soon after the call's `until` at the latest."""
        self._waiting.add(call)
        if self._looking is None:
            self._look_later()
        try:
            await call.done
        finally:
            self._waiting.discard(call)
            call.leave()

    def _look_later(self) -> None:
        self._looking = asyncio.get_running_loop().call_later(self._LOOK, self._look)

    def _look(self) -> None:
        self._looking = None
        now = monotonic()
        for call in self._waiting:
            if call.until <= now:
                call.expire()
        if self._waiting:
            self._look_later()


class Portion:
    """The records of one call for one log, stored or failed as a whole."""

    __slots__ = ("call", "records", "size")

    def __init__(self, call: Call, records: Sequence[Record], bytes_: int) -> None:
        """`bytes_` is their size or, within a call for several logs, about their share of it."""
        self.call = call
        self.records = records
        self.size = bytes_

    @property
    def left(self) -> bool:
        """Whether nobody waits for it any more: it must not be sent behind its caller's back."""
        return self.call.done.done()


class Backlog:
    """Portions in the order of their calls. One writer takes; many callers put.

    A writer waits for the next tick of a clock that all writers share, every 5 to 20 ms by load: groups for several
    partitions of one broker then travel in one request, and a broker is charged by request and batch.
    """

    _PACE = (0.005, 0.020)
    _CROWD = 2

    def __init__(self, bound: int) -> None:
        """At most `bound` bytes wait, or one portion of any size."""
        self._bound = bound
        self._queue: deque[Portion] = deque()
        self._bytes = 0
        self._filled = asyncio.Event()
        self._room = asyncio.Event()
        self._pace = self._PACE[0]

    def put(self, portion: Portion) -> bool:
        """Queues a portion if there is room for it."""
        if self._queue and self._bytes + portion.size > self._bound:
            return False
        self._queue.append(portion)
        self._bytes += portion.size
        self._filled.set()
        return True

    async def put_patiently(self, portion: Portion) -> None:
        """Queues a portion once there is room. Raises BusUnavailable when its call's time is over."""
        try:
            async with asyncio.timeout_at(portion.call.until):
                while not self.put(portion):
                    self._room.clear()
                    await self._room.wait()
        except TimeoutError as error:
            raise BusUnavailable("the queue to the log stayed full") from error

    async def take(self, most: int) -> list[Portion]:
        """The next group: whole portions, at least one, of about `most` bytes; drops those whose caller has left."""
        while True:
            await self._filled.wait()
            if self._bytes < most:
                await asyncio.sleep(self._pace - monotonic() % self._pace)
            group = self._cut(most)
            if group:
                self._pace_to(len(group))
                return group

    def fail_all(self, error: Exception) -> None:
        """Fails whatever waits."""
        while self._queue:
            self._queue.popleft().call.fail(error)
        self._bytes = 0
        self._filled.clear()

    def _cut(self, most: int) -> list[Portion]:
        group: list[Portion] = []
        taken = 0
        while self._queue and (not group or taken + self._queue[0].size <= most):
            portion = self._queue.popleft()
            self._bytes -= portion.size
            if not portion.left:
                group.append(portion)
                taken += portion.size
        if not self._queue:
            self._filled.clear()
        self._room.set()
        return group

    def _pace_to(self, portions: int) -> None:
        least, most = self._PACE
        self._pace = min(most, self._pace * 2) if portions >= self._CROWD else max(least, self._pace / 2)
