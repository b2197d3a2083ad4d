"""Reads back from the stream what ingest stored of a run, and holds it against what the SDK says it delivered."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from jornada.bus.carrier import Assigned, Partition
from jornada.bus.kafka import KafkaBus, KafkaConnection
from jornada.events import TOUCHPOINTS, Touchpoint, decode, new_id
from tests.sdks.calls import Call, Report, number_of

_OF_THE_PAGE = {"path", "referrer", "search", "title", "url", "name", "category"}
_MILLISECOND = 1_000


@dataclass(frozen=True)
class Finding:
    """What became of the calls of a run. `wrong` says what differs, a line each."""

    sent: int
    acked: int
    dropped: int
    pending: int
    stored: int
    copies: int
    lost: int
    doubled: int
    wrong: tuple[str, ...]

    @property
    def faithful(self) -> bool:
        """Whether all that the SDK takes for delivered is stored once, as it was sent, and nothing is unaccounted."""
        whole = self.sent == self.acked + self.dropped + self.pending
        return whole and (self.lost, self.doubled, self.wrong) == (0, 0, ())


class Stream:
    """The touchpoints topic, read from where it ended when the block began."""

    def __init__(self, brokers: str) -> None:
        self._bus = KafkaBus(KafkaConnection(brokers=brokers), client_id="checker")
        self._since: Mapping[Partition, int] = {}

    async def __aenter__(self) -> "Stream":
        await self._bus.start()
        self._since = await self._bus.ends([TOUCHPOINTS.name])
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._bus.stop()

    async def touchpoints(self) -> list[Touchpoint]:
        """All that was appended since, up to now."""
        ends = await self._bus.ends([TOUCHPOINTS.name])
        missing = {partition for partition, end in ends.items() if end > self._since[partition]}
        consumer = self._bus.consumer(f"checker-{new_id().hex}", [TOUCHPOINTS.name], self._beginning)
        await consumer.start()
        found: list[Touchpoint] = []
        try:
            while missing:
                for record in await consumer.poll(5_000, 1.0):
                    found.append(decode(record.value, Touchpoint))
                    partition = Partition(record.topic, record.partition)
                    if record.offset + 1 >= ends[partition]:
                        missing.discard(partition)
        finally:
            await consumer.stop()
        return found

    async def _beginning(self, assigned: Mapping[Partition, Assigned]) -> Mapping[Partition, int]:
        return {partition: self._since[partition] for partition in assigned}


def held(run: str, calls: Sequence[Call], reports: Sequence[Report], touchpoints: Sequence[Touchpoint]) -> Finding:
    """Holds a run's calls and the SDK's reports against the touchpoints found."""
    stored: dict[int, list[Touchpoint]] = defaultdict(list)
    for touchpoint in touchpoints:
        number = number_of(run, touchpoint.anonymous_id, touchpoint.previous_id)
        if number is not None:
            stored[number].append(touchpoint)
    told = {report["n"]: report for report in reports}
    outcomes = Counter(report["outcome"] for report in told.values())
    ids = {number: {each.message_id for each in found} for number, found in stored.items()}
    return Finding(
        sent=len(calls),
        acked=outcomes["delivered"],
        dropped=outcomes["dropped"],
        pending=outcomes["pending"],
        stored=sum(map(len, ids.values())),
        copies=sum(map(len, stored.values())) - sum(map(len, ids.values())),
        lost=sum(report["outcome"] == "delivered" and n not in stored for n, report in told.items()),
        doubled=sum(len(each) > 1 for each in ids.values()),
        wrong=tuple(
            f"{call['type']} {call['n']}: {difference}"
            for call in calls
            for touchpoint in stored.get(call["n"], ())
            for difference in _differences(call, told[call["n"]], touchpoint)
        ),
    )


def _differences(call: Call, report: Report, touchpoint: Touchpoint) -> list[str]:
    body = msgspec.json.decode(touchpoint.body)
    pairs: list[tuple[str, Any, Any]] = [
        ("messageId", report["id"], touchpoint.message_id),
        ("type", call["type"], touchpoint.type),
        ("event", call["event"], touchpoint.event),
        ("userId", call["userId"], touchpoint.user_id),
        ("previousId", call["previousId"], touchpoint.previous_id),
        ("groupId", call["groupId"], touchpoint.group_id),
        ("time", _instant(call["timestamp"] or report["timestamp"]), _milliseconds(touchpoint.occurred_at)),
        ("shift", 0, touchpoint.clock_shift_ms),
        ("fields", call["fields"], _fields(call, body)),
    ]
    if call["type"] != "alias":
        pairs.append(("anonymousId", call["anonymousId"], touchpoint.anonymous_id))
    if call["type"] in ("page", "screen"):
        pairs += [(name, call[name], body.get(name)) for name in ("category", "name")]
    return [f"{name} is {found!r}, not {sent!r}" for name, sent, found in pairs if sent != found]


def _fields(call: Call, body: dict[str, Any]) -> dict[str, Any]:
    """The traits or properties as stored, without what an SDK itself adds to a page's; nulls as the SDK sent them."""
    traits = body.get("traits") or body.get("context", {}).get("traits")
    found = traits if call["type"] in ("identify", "group") else body.get("properties")
    own = {} if call["type"] not in ("page", "screen") else _OF_THE_PAGE - call["fields"].keys()
    return {name: value for name, value in (found or {}).items() if name not in own}


def _instant(text: str) -> datetime:
    return _milliseconds(datetime.fromisoformat(text))


def _milliseconds(at: datetime) -> datetime:
    return at.replace(microsecond=at.microsecond // _MILLISECOND * _MILLISECOND)
