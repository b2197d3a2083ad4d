"""From a request that was read to its answer: judged, deduplicated, published, and only then acknowledged."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import prometheus_client

from jornada.access.grants import WriteGrant
from jornada.bus.carrier import Bus, BusUnavailable, Record
from jornada.clock import Clock
from jornada.events import REJECTIONS, TOUCHPOINTS, encode, new_text_id, topic_key
from jornada.observe import metrics, trace
from services.ingest.domain.express import Sent
from services.ingest.domain.validation import Arrival, too_much
from services.ingest.domain.verdicts import Accept, Reject, Result, Verdict
from services.ingest.limits import Crowd
from services.ingest.live import Live, Shown
from services.ingest.memory import Flight, RecentIds, Twin

_PAUSE = 0.2
_DIFFERS = "The id was used before with another payload; the first one holds."


class _Plan(NamedTuple):
    """What is to be published, and the events in it; which events came before, by their index."""

    records: list[Record]
    flight: Flight
    twins: dict[int, Twin]


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

    async def take(self, request: Sent, grant: WriteGrant) -> list[Result]:
        """One result for each event, once every one is durable. Raises BusUnavailable: then none was acknowledged."""
        arrival = Arrival(grant.workspace, grant.source, grant.role, self._clock.now(), new_text_id())
        verdicts = request.verdicts(arrival)
        plan = self._planned(verdicts, arrival)
        if plan.records:
            await self._published(plan)
        if plan.twins:
            await self._outcome_of(plan.twins)
        results = [_result(verdict, plan.twins.get(index)) for index, verdict in enumerate(verdicts)]
        self._told(arrival, verdicts, results)
        return results

    def _planned(self, verdicts: list[Verdict], arrival: Arrival) -> _Plan:
        """What to do; the verdict on an event of a customer who sends too much becomes a refusal."""
        records: list[Record] = []
        plan = _Plan(records, Flight(), {})
        hashes = plan.flight.hashes
        topic, headers, source = TOUCHPOINTS.name, trace.to_headers(), f"{arrival.workspace}/{arrival.source}/"
        twin_of, over = self._recent.twin, self._customers.over
        self._customers.turn()
        for index, verdict in enumerate(verdicts):
            if isinstance(verdict, Accept):
                message_id, key, payload_hash, value = verdict
                id_ = source + message_id
                if id_ in hashes:
                    plan.twins[index] = Twin(hashes[id_] == payload_hash, None)
                elif twin := twin_of(id_, payload_hash):
                    plan.twins[index] = twin
                elif over(key):
                    verdicts[index] = too_much(verdict.touchpoint, arrival, index)
                else:
                    hashes[id_] = payload_hash
                    records.append(Record(topic, key, value, headers))
        key = topic_key(arrival.workspace, arrival.source)
        for verdict in verdicts:
            if isinstance(verdict, Reject):
                records.append(Record(REJECTIONS.name, key, encode(verdict.rejection), headers))
        return plan

    async def _outcome_of(self, twins: dict[int, Twin]) -> None:
        """Returns once they are durable that came before. Raises BusUnavailable."""
        for twin in twins.values():
            if twin.flight is not None and not await twin.flight.landed():
                raise BusUnavailable("a twin in flight failed")

    async def _published(self, plan: _Plan) -> None:
        """Returns once all of it is durable. Raises BusUnavailable."""
        acked = False
        self._recent.begin(plan.flight)
        try:
            await self._patiently(plan.records)
            acked = True
        finally:
            self._recent.end(plan.flight, acked=acked)

    async def _patiently(self, records: Sequence[Record]) -> None:
        """Publishes; a passing fault is tried again until patience ends. A second copy is known again by its id."""
        until = self._clock.monotonic() + self._patience
        left = self._patience
        while True:
            try:
                return await self._bus.publish(records, max(left, 0.5))
            except BusUnavailable:
                left = until - self._clock.monotonic()
                if left <= _PAUSE:
                    raise
                await asyncio.sleep(_PAUSE)
                left -= _PAUSE

    def _told(self, arrival: Arrival, verdicts: Sequence[Verdict], results: Sequence[Result]) -> None:
        for (status, code), count in Counter((result.status, result.code) for result in results).items():
            _events(status, code or "").inc(count)
        if self._live.watched(arrival.workspace):
            shown = [_shown(verdict, result) for verdict, result in zip(verdicts, results, strict=True)]
            self._live.show(arrival.workspace, shown)


@lru_cache(1_000)
def _events(status: str, code: str) -> prometheus_client.Counter:
    return metrics.ACCEPTED.labels(status, code)


def _result(verdict: Verdict, twin: Twin | None) -> Result:
    if isinstance(verdict, Reject):
        refused = verdict.rejection
        return Result(message_id=refused.message_id, status="rejected", code=refused.code, message=refused.message)
    message_id = verdict.message_id
    if twin is None:
        return Result(message_id=message_id, status="accepted")
    if twin.same:
        return Result(message_id=message_id, status="duplicate")
    return Result(message_id=message_id, status="duplicate", code="payload_differs", message=_DIFFERS)


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
