"""Records on their way into a log: a queue bounded in bytes, whose groups are committed together."""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from functools import partial
from time import monotonic
from typing import Any

from jornada.bus.carrier import MAX_RECORD, BusUnavailable, Record, RecordTooLarge, Then

_log = logging.getLogger(__name__)


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

    __slots__ = ("_error", "_then", "is_over", "portions", "until")

    def __init__(self, until: float, portions: int, then: Then | None = None) -> None:
        self.until = until
        self.portions = portions
        self.is_over = False
        self._error: Exception | None = None
        self._then = then

    def tell(self, then: Then) -> None:
        """Lets `then` hear of the outcome, now if it is known."""
        if self.is_over:
            then(self._error)
        else:
            self._then = then

    def stored(self) -> None:
        """One portion is."""
        self.portions -= 1
        if not self.portions:
            self._end(None)

    def fail(self, error: Exception) -> None:
        """One portion may not be stored."""
        self._end(error)

    def leave(self) -> None:
        """Its caller goes: what is queued of it still must not be sent behind the caller's back."""
        self.is_over, self._then = True, None

    def expire(self) -> None:
        """Its time is over."""
        self.fail(BusUnavailable("no acknowledgement within the deadline; the records may be stored"))

    def _end(self, error: Exception | None) -> None:
        if self.is_over:
            return
        self.is_over, self._error = True, error
        then, self._then = self._then, None
        if then is not None:
            try:
                then(error)
            except Exception:
                # Whoever writes must live on.
                _log.exception("who was told of an outcome failed")


class Calls:
    """The calls that wait for an outcome. They are looked through now and then: a timer for each would cost more."""

    _LOOK = 0.1

    def __init__(self) -> None:
        self._waiting: list[Call] = []
        self._looking: asyncio.TimerHandle | None = None

    def watch(self, call: Call) -> None:
        """Ends the call soon after its `until` at the latest."""
        self._waiting.append(call)
        if self._looking is None:
            self._look_later()

    async def settled(self, call: Call) -> None:
        """Returns once every portion is durable; raises BusUnavailable soon after the call's `until` at the latest."""
        done = asyncio.get_running_loop().create_future()
        call.tell(partial(_settle, done))
        self.watch(call)
        try:
            await done
        finally:
            call.leave()

    def _look_later(self) -> None:
        self._looking = asyncio.get_running_loop().call_later(self._LOOK, self._look)

    def _look(self) -> None:
        self._looking = None
        now = monotonic()
        waiting, self._waiting = self._waiting, []
        for call in waiting:
            if call.until <= now:
                call.expire()
        self._waiting += [call for call in waiting if not call.is_over]
        if self._waiting and self._looking is None:
            self._look_later()


def _settle(done: "asyncio.Future[None]", error: Exception | None) -> None:
    if done.cancelled():
        return
    if error is None:
        done.set_result(None)
    else:
        done.set_exception(error)


class Portion:
    """Records for one log, of one call or of several, stored or failed as a whole."""

    __slots__ = ("calls", "is_due", "records", "size")

    def __init__(self, calls: Sequence[Call], records: Any, bytes_: int, *, is_due: bool = False) -> None:
        """`bytes_` is their size or, within a call for several logs, about their share of it.

        `is_due`: they were held back for others already.
        """
        self.calls = calls
        self.records = records
        self.size = bytes_
        self.is_due = is_due

    @property
    def left(self) -> bool:
        """Whether nobody waits for it any more: it must not be sent behind its callers' backs."""
        return all(call.is_over for call in self.calls)

    def stored(self) -> None:
        """It is."""
        for call in self.calls:
            call.stored()

    def fail(self, error: Exception) -> None:
        """It may not be stored."""
        for call in self.calls:
            call.fail(error)


class Pace:
    """A clock that all who write share, with a tick every 5 to 10 ms, by load.

    Groups for several partitions of one broker then travel in one request, and a broker is charged by request and
    batch.
    """

    _SECONDS = (0.005, 0.010)
    _CROWD = 2

    def __init__(self) -> None:
        self._seconds = self._SECONDS[0]

    def left(self) -> float:
        """Seconds to the next tick."""
        return self._seconds - monotonic() % self._seconds

    def adapt(self, together: int) -> None:
        """Ticks rarer where so many came together, else more often."""
        least, most = self._SECONDS
        self._seconds = min(most, self._seconds * 2) if together >= self._CROWD else max(least, self._seconds / 2)


class Backlog:
    """Portions in the order of their calls. One writer takes; many callers put.

    A writer waits for the next tick, unless there is enough or it was waited for.
    """

    def __init__(self, bound: int) -> None:
        """At most `bound` bytes wait, or one portion of any size."""
        self._bound = bound
        self._queue: deque[Portion] = deque()
        self._bytes = 0
        self._filled = asyncio.Event()
        self._room = asyncio.Event()
        self._pace = Pace()

    def put(self, portion: Portion) -> bool:
        """Queues a portion if there is room for it."""
        if self._queue and self._bytes + portion.size > self._bound:
            return False
        self.add(portion)
        return True

    def add(self, portion: Portion) -> None:
        """Queues a portion; it was asked before whether the queue is full."""
        self._queue.append(portion)
        self._bytes += portion.size
        self._filled.set()

    def is_full(self) -> bool:
        """Whether as much waits as may."""
        return self._bytes >= self._bound

    async def put_patiently(self, portion: Portion) -> None:
        """Queues a portion once there is room. Raises BusUnavailable when its calls' time is over."""
        try:
            async with asyncio.timeout_at(min([call.until for call in portion.calls])):
                while not self.put(portion):
                    self._room.clear()
                    await self._room.wait()
        except TimeoutError as error:
            raise BusUnavailable("the queue to the log stayed full") from error

    async def take(self, most: int) -> list[Portion]:
        """The next group: whole portions, at least one, of about `most` bytes; drops those whose caller has left."""
        while True:
            await self._filled.wait()
            if self._bytes < most and not self._queue[0].is_due:
                await asyncio.sleep(self._pace.left())
            group = self._cut(most)
            if group:
                self._pace.adapt(len(group))
                return group

    def fail_all(self, error: Exception) -> None:
        """Fails whatever waits."""
        while self._queue:
            self._queue.popleft().fail(error)
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
