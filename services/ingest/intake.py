"""From a request that was read to its answer: judged, deduplicated, published, and only then acknowledged."""

import asyncio
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import prometheus_client

from jornada.access.grants import WriteGrant
from jornada.bus.carrier import Bus, BusUnavailable, Record
from jornada.clock import Clock
from jornada.events import REJECTIONS, TOUCHPOINTS, Rejection, encode, new_text_id, topic_key
from jornada.observe import metrics, trace
from services.ingest.domain.express import Sent
from services.ingest.domain.validation import Arrival, too_much
from services.ingest.domain.verdicts import Accept, Reject, Result, Verdict
from services.ingest.limits import Crowd
from services.ingest.live import Live, Shown
from services.ingest.memory import RecentIds, Twin

_PAUSE = 0.2
_GRACE = 1.0
"""Seconds beyond patience: several SDKs give up ten seconds after the end of their body, and send again."""
_DIFFERS = "The id was used before with another payload; the first one holds."


class _Plan(NamedTuple):
    """What is to be published, with payload hashes by id; what came before, and whose outcome that hangs on."""

    fresh: list[Record]
    hashes: dict[str, str]
    rejections: list[Rejection]
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
        try:
            async with asyncio.timeout(self._patience + _GRACE):
                await self._settled(plan)
        except TimeoutError as error:
            raise BusUnavailable("no answer in time") from error
        results = [_result(verdict, plan.twins.get(index)) for index, verdict in enumerate(verdicts)]
        self._told(arrival, verdicts, results)
        return results

    def _planned(self, verdicts: list[Verdict], arrival: Arrival) -> _Plan:
        """What to do; the verdict on an event of a customer who sends too much becomes a refusal."""
        plan = _Plan([], {}, [], {})
        topic, headers = TOUCHPOINTS.name, trace.to_headers()
        source = f"{arrival.workspace}/{arrival.source}/"
        self._customers.turn()
        for index, verdict in enumerate(verdicts):
            if isinstance(verdict, Reject):
                plan.rejections.append(verdict.rejection)
                continue
            message_id, key, payload_hash, value = verdict
            id_ = source + message_id
            first = plan.hashes.get(id_)
            twin = Twin(first == payload_hash, None) if first else self._recent.twin(id_, payload_hash)
            if twin is not None:
                plan.twins[index] = twin
                continue
            if self._customers.over(key):
                verdicts[index] = refused = too_much(verdict.touchpoint, arrival, index)
                plan.rejections.append(refused.rejection)
            else:
                plan.hashes[id_] = payload_hash
                plan.fresh.append(Record(topic, key, value, headers))
        return plan

    async def _settled(self, plan: _Plan) -> None:
        """Returns once all of it is durable. Raises BusUnavailable."""
        await self._published(plan)
        for twin in plan.twins.values():
            if twin.outcome is not None and not await asyncio.shield(twin.outcome):
                raise BusUnavailable("a twin in flight failed")

    async def _published(self, plan: _Plan) -> None:
        if not plan.fresh and not plan.rejections:
            return
        outcome: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        acked = False
        self._recent.begin(plan.hashes, outcome)
        try:
            await self._patiently(_records(plan))
            acked = True
        finally:
            self._recent.end(plan.hashes, acked=acked)
            outcome.set_result(acked)

    async def _patiently(self, records: Sequence[Record]) -> None:
        """Publishes; a passing fault is tried again until patience ends. A second copy is known again by its id."""
        until = self._clock.monotonic() + self._patience
        while True:
            left = until - self._clock.monotonic()
            try:
                await self._bus.publish(records, deadline=max(left, 0.5))
            except BusUnavailable:
                if left <= _PAUSE:
                    raise
                await asyncio.sleep(_PAUSE)
            else:
                return

    def _told(self, arrival: Arrival, verdicts: Sequence[Verdict], results: Sequence[Result]) -> None:
        counts: dict[tuple[str, str], int] = {}
        for result in results:
            of = (result.status, result.code or "")
            counts[of] = counts.get(of, 0) + 1
        for (status, code), count in counts.items():
            _events(status, code).inc(count)
        if self._live.watched(arrival.workspace):
            shown = [_shown(verdict, result) for verdict, result in zip(verdicts, results, strict=True)]
            self._live.show(arrival.workspace, shown)


@lru_cache(1_000)
def _events(status: str, code: str) -> prometheus_client.Counter:
    return metrics.ACCEPTED.labels(status, code)


def _records(plan: _Plan) -> list[Record]:
    headers = trace.to_headers()
    rejections = [
        Record(REJECTIONS.name, topic_key(each.workspace, each.source), encode(each), headers)
        for each in plan.rejections
    ]
    return plan.fresh + rejections


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
