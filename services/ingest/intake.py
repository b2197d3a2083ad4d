"""From a request that was read to its answer: judged, deduplicated, published, and only then acknowledged."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import prometheus_client

from jornada.access.grants import WriteGrant
from jornada.bus.carrier import Bus, BusUnavailable, Record
from jornada.bus.packed import Headers, Packed
from jornada.clock import Clock
from jornada.events import REJECTIONS, TOUCHPOINTS, WorkspaceId, encode, new_text_id, topic_key
from jornada.observe import metrics, trace
from services.ingest.domain.express import Sent
from services.ingest.domain.validation import Arrival, too_much
from services.ingest.domain.verdicts import Accept, AllAccepted, Reject, Result, Verdict
from services.ingest.limits import Crowd
from services.ingest.live import Live, Shown
from services.ingest.memory import Flight, RecentIds, Twin

_PAUSE = 0.2
_LEAST = 0.5
"""Seconds between two attempts, and for one at least."""
_DIFFERS = "The id was used before with another payload; the first one holds."


class _Plan(NamedTuple):
    """What is to be published, and the events in it; what is said of each; which came before, by their index."""

    records: Sequence[Record]
    flight: Flight
    verdicts: list[Verdict]
    twins: dict[int, Twin]


Told = Callable[[Iterable[Result] | Exception], None]
"""Hears of a request's results, or why there are none. It raises nothing."""


class Intake:
    """Takes requests. `patience` is for how many seconds a passing fault of the stream is bridged."""

    def __init__(
        self, bus: Bus, recent: RecentIds, live: Live, customers: Crowd, clock: Clock, *, patience: float
    ) -> None:
        self._bus = bus
        self._customers = customers
        self._recent = recent
        self._live = live
        self._clock = clock
        self._patience = patience
        self._bridging: set[asyncio.Task[None]] = set()

    def take(self, request: Sent, grant: WriteGrant, then: Told) -> Coroutine[Any, Any, None] | None:
        """Tells `then` one result for each event, once every one is durable, or BusUnavailable: none was acknowledged.

        What is returned, if anything, has to be awaited for that.
        """
        arrival = Arrival(grant.workspace, grant.source, grant.role, self._clock.micros(), new_text_id)
        headers = trace.to_headers()
        packed = request.packed(arrival, headers)
        too_many = None
        if packed:
            watched = request if self._live.watched(grant.workspace) else None
            whole = _Whole(self, Packed(TOUCHPOINTS.name, headers, packed), watched, arrival, then)
            if self._recent.begin_new(whole.flight):
                too_many = self._customers.over_packed(whole.records)
                if not too_many:
                    return self._publish(whole)
                self._recent.end(whole.flight, acked=False)
        return _finish(self._taken_apart(request, arrival, headers, too_many), then)

    def _publish(self, whole: "_Whole") -> Coroutine[Any, Any, None] | None:
        try:
            submitted = self._bus.submit(whole.records, max(self._patience, _LEAST), whole.heard)
        except Exception:
            self._recent.end(whole.flight, acked=False)
            raise
        return None if submitted else self._bridged(whole)

    def until(self) -> float:
        """When patience with what comes now will have ended."""
        return self._clock.monotonic() + self._patience

    def bridge(self, whole: "_Whole", failed: BusUnavailable) -> None:
        """Publishes again what failed, as long as patience lasts since it came."""
        task = asyncio.get_running_loop().create_task(self._bridged(whole, failed))
        self._bridging.add(task)
        task.add_done_callback(self._bridging.discard)

    async def _bridged(self, whole: "_Whole", failed: BusUnavailable | None = None) -> None:
        error: Exception | None = BusUnavailable("publishing was cut short")
        try:
            await self._patiently(whole.records, whole.until, failed)
            error = None
        except Exception as last:
            error = last
        finally:
            whole.end(error)

    def ended(self, whole: "_Whole", error: Exception | None) -> Iterable[Result] | Exception:
        """What is told of a request whose records are durable, or may not be."""
        self._recent.end(whole.flight, acked=error is None)
        return self._all_accepted(whole) if error is None else error

    async def _taken_apart(
        self, request: Sent, arrival: Arrival, headers: Headers, too_many: list[int] | None
    ) -> list[Result]:
        plan = self._planned(request.verdicts(arrival), arrival, headers, too_many)
        if plan.records:
            await self._published(plan.records, plan.flight)
        if plan.twins:
            await self._outcome_of(plan.twins)
        results = _results(plan.verdicts, plan.twins)
        self._told(arrival, plan.verdicts, results)
        return results

    def _all_accepted(self, whole: "_Whole") -> AllAccepted:
        results = AllAccepted(whole.records.written)
        _events("accepted", "").inc(len(whole.records))
        if whole.watched is not None:
            self._show(whole.arrival, whole.watched.verdicts(whole.arrival), results)
        return results

    def _planned(
        self, verdicts: list[Verdict], arrival: Arrival, headers: Headers, too_many: list[int] | None
    ) -> _Plan:
        """What to do; the verdict on an event of a customer who sends too much becomes a refusal.

        Places of `too_many` were counted already where all events are new ones.
        """
        source = _prefix(arrival.workspace, arrival.source)
        hashes, twins = self._told_apart(verdicts, source)
        fresh = [(i, each) for i, each in enumerate(verdicts) if type(each) is Accept and i not in twins]
        if too_many is None:
            too_many = self._customers.over([each.key for _, each in fresh])
        for place in reversed(too_many):
            index, verdict = fresh.pop(place)
            verdicts[index] = too_much(verdict.touchpoint, arrival, index)
            del hashes[source + verdict.message_id]
        records = [Record(TOUCHPOINTS.name, each.key, each.record, headers) for _, each in fresh]
        key = topic_key(arrival.workspace, arrival.source)
        refused = [each.rejection for each in verdicts if isinstance(each, Reject)]
        records += [Record(REJECTIONS.name, key, encode(each), headers) for each in refused]
        return _Plan(records, Flight(hashes), verdicts, twins)

    def _told_apart(self, verdicts: Sequence[Verdict], source: str) -> tuple[dict[str, str], dict[int, Twin]]:
        """The payload hashes of new events by id; the twins of the others by index."""
        hashes: dict[str, str] = {}
        twins: dict[int, Twin] = {}
        for index, verdict in enumerate(verdicts):
            if isinstance(verdict, Accept):
                id_, payload_hash = source + verdict.message_id, verdict.payload_hash
                if id_ in hashes:
                    twins[index] = Twin(hashes[id_] == payload_hash, None)
                elif twin := self._recent.twin(id_, payload_hash):
                    twins[index] = twin
                else:
                    hashes[id_] = payload_hash
        return hashes, twins

    async def _outcome_of(self, twins: dict[int, Twin]) -> None:
        """Returns once they are durable that came before. Raises BusUnavailable."""
        for twin in twins.values():
            if twin.flight is not None and not await twin.flight.landed():
                raise BusUnavailable("a twin in flight failed")

    async def _published(self, records: Sequence[Record], flight: Flight) -> None:
        """Returns once all of it is durable. Raises BusUnavailable."""
        acked = False
        self._recent.begin(flight)
        try:
            await self._patiently(records, self.until())
            acked = True
        finally:
            self._recent.end(flight, acked=acked)

    async def _patiently(self, records: Sequence[Record], until: float, failed: BusUnavailable | None = None) -> None:
        """Publishes; a passing fault is tried again until then. A second copy is known again by its id."""
        while True:
            if failed is not None:
                if until - self._clock.monotonic() <= _PAUSE:
                    raise failed
                await asyncio.sleep(_PAUSE)
            try:
                return await self._bus.publish(records, max(until - self._clock.monotonic(), _LEAST))
            except BusUnavailable as error:
                failed = error

    def _told(self, arrival: Arrival, verdicts: Sequence[Verdict], results: Sequence[Result]) -> None:
        others = [(result.status, result.code or "") for result in results if result.status != "accepted"]
        if len(others) < len(results):
            _events("accepted", "").inc(len(results) - len(others))
        if others:
            for (status, code), count in Counter(others).items():
                _events(status, code).inc(count)
        if self._live.watched(arrival.workspace):
            self._show(arrival, verdicts, results)

    def _show(self, arrival: Arrival, verdicts: Sequence[Verdict], results: Iterable[Result]) -> None:
        shown = [_shown(verdict, result) for verdict, result in zip(verdicts, results, strict=True)]
        self._live.show(arrival.workspace, shown)


class _Whole:
    """A request whose every event is accepted, once the stream has all their records.

    What was sent is held on to, as `watched`, only where somebody looks: many wait for the stream at once.
    """

    __slots__ = ("_intake", "_then", "arrival", "flight", "records", "until", "watched")

    def __init__(self, intake: Intake, records: Packed, watched: Sent | None, arrival: Arrival, then: Told) -> None:
        self._intake, self._then = intake, then
        self.records, self.watched, self.arrival = records, watched, arrival
        self.flight = Flight(records.written.ids(_prefix(arrival.workspace, arrival.source)))
        self.until = intake.until()

    def heard(self, error: Exception | None) -> None:
        """The stream told what became of them."""
        if isinstance(error, BusUnavailable):
            self._intake.bridge(self, error)
        else:
            self.end(error)

    def end(self, error: Exception | None) -> None:
        """Nothing more is tried."""
        results: Iterable[Result] | Exception
        try:
            results = self._intake.ended(self, error)
        except Exception as broken:
            results = broken
        self._then(results)


async def _finish(taken: Awaitable[Sequence[Result]], then: Told) -> None:
    results: Sequence[Result] | Exception
    try:
        results = await taken
    except Exception as error:
        results = error
    then(results)


@lru_cache(1_000)
def _events(status: str, code: str) -> prometheus_client.Counter:
    return metrics.ACCEPTED.labels(status, code)


@lru_cache(10_000)
def _prefix(workspace: WorkspaceId, source: str) -> str:
    return f"{workspace}/{source}/"


def _results(verdicts: Sequence[Verdict], twins: Mapping[int, Twin]) -> list[Result]:
    return [
        Result(verdict.message_id, "accepted")
        if type(verdict) is Accept and index not in twins
        else _result(verdict, twins.get(index))
        for index, verdict in enumerate(verdicts)
    ]


def _result(verdict: Verdict, twin: Twin | None) -> Result:
    if isinstance(verdict, Reject):
        refused = verdict.rejection
        return Result(refused.message_id, "rejected", refused.code, refused.message)
    if twin is None or twin.same:
        return Result(verdict.message_id, "duplicate" if twin else "accepted")
    return Result(verdict.message_id, "duplicate", "payload_differs", _DIFFERS)


def _shown(verdict: Verdict, result: Result) -> Shown:
    if isinstance(verdict, Accept):
        touchpoint = verdict.touchpoint
        return Shown(
            received_at=touchpoint.received_at,
            source=touchpoint.source,
            message_id=result.message_id,
            status=result.status,
            type=touchpoint.type,
            event=touchpoint.event,
            code=result.code,
            message=result.message,
            user_id=touchpoint.user_id,
            anonymous_id=touchpoint.anonymous_id,
        )
    refused = verdict.rejection
    return Shown(
        received_at=refused.received_at,
        source=refused.source,
        message_id=refused.message_id,
        status="rejected",
        type=verdict.type,
        event=refused.event,
        code=refused.code,
        message=refused.message,
    )
