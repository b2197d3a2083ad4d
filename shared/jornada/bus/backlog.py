"""Records on their way into a log: a queue bounded in bytes, whose groups are committed together."""

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence

from jornada.bus.carrier import MAX_RECORD, BusUnavailable, Record, RecordTooLarge


def size(record: Record) -> int:
    """Bytes of key, value and headers."""
    headers = sum(len(name) + len(value) for name, value in record.headers) if record.headers else 0
    return len(record.key) + len(record.value) + headers


def refuse_large(records: Iterable[Record]) -> None:
    """Raises RecordTooLarge before anything is stored."""
    for record in records:
        if size(record) > MAX_RECORD:
            raise RecordTooLarge(f"a record of {size(record)} bytes for {record.topic}; the limit is {MAX_RECORD}")


class Portion:
    """The records of one call for one log, stored or failed as a whole."""

    __slots__ = ("done", "records", "size", "until")

    def __init__(self, records: Sequence[Record], until: float) -> None:
        self.records = records
        self.size = sum(map(size, records))
        self.until = until
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        # A caller that left at its deadline reads no outcome; asyncio would report it as forgotten.
        self.done.add_done_callback(lambda done: done.cancelled() or done.exception())

    def succeed(self) -> None:
        """Tells the caller that its records are durable."""
        if not self.done.done():
            self.done.set_result(None)

    def fail(self, error: Exception) -> None:
        """Tells the caller that its records may not be stored."""
        if not self.done.done():
            self.done.set_exception(error)


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
        self._room = asyncio.Condition()
        self._pace = self._PACE[0]

    async def put(self, records: Sequence[Record], until: float) -> Portion:
        """Queues records; waits for room until the loop's time `until`, then raises BusUnavailable."""
        portion = Portion(records, until)
        if not self._fits(portion):
            try:
                async with asyncio.timeout_at(until), self._room:
                    await self._room.wait_for(lambda: self._fits(portion))
            except TimeoutError as error:
                raise BusUnavailable("the queue to the log stayed full") from error
        self._queue.append(portion)
        self._bytes += portion.size
        self._filled.set()
        return portion

    async def take(self, most: int) -> list[Portion]:
        """The next group: whole portions, at least one, of about `most` bytes; drops those whose caller has left."""
        while True:
            await self._filled.wait()
            if self._bytes < most:
                await asyncio.sleep(self._pace - asyncio.get_running_loop().time() % self._pace)
            group = await self._cut(most)
            if group:
                self._pace_to(len(group))
                return group

    def fail_all(self, error: Exception) -> None:
        """Fails whatever waits."""
        while self._queue:
            self._queue.popleft().fail(error)
        self._bytes = 0
        self._filled.clear()

    def _fits(self, portion: Portion) -> bool:
        return not self._queue or self._bytes + portion.size <= self._bound

    async def _cut(self, most: int) -> list[Portion]:
        now = asyncio.get_running_loop().time()
        group: list[Portion] = []
        taken = 0
        while self._queue and (not group or taken + self._queue[0].size <= most):
            portion = self._queue.popleft()
            self._bytes -= portion.size
            if portion.until <= now or portion.done.done():
                portion.fail(BusUnavailable("the deadline passed before the records were sent"))
                continue
            group.append(portion)
            taken += portion.size
        if not self._queue:
            self._filled.clear()
        async with self._room:
            self._room.notify_all()
        return group

    def _pace_to(self, portions: int) -> None:
        least, most = self._PACE
        self._pace = min(most, self._pace * 2) if portions >= self._CROWD else max(least, self._pace / 2)


async def settled(portions: Sequence[Portion], until: float) -> None:
    """Returns once every portion is durable; raises BusUnavailable at the loop's time `until` at the latest."""
    try:
        async with asyncio.timeout_at(until):
            for portion in portions:
                await portion.done
    except TimeoutError as error:
        raise BusUnavailable("no acknowledgement within the deadline; the records may be stored") from error
    finally:
        for portion in portions:
            portion.done.cancel()
