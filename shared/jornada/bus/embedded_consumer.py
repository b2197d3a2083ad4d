"""Members of a group on the embedded log; they share its partitions within the one process."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Protocol

from jornada.bus.carrier import Assigned, LogTruncated, Partition, Positions, Received
from jornada.bus.embedded_log import PARTITIONS, PostgresLog, Span
from jornada.bus.turns import in_turn

_MOST_BYTES = 8 * 1024 * 1024


class Owned(Protocol):
    """What a consumer asks of the bus it belongs to."""

    log: PostgresLog
    changed: asyncio.Event
    spans: dict[Partition, Span]

    async def ready(self) -> None:
        """Makes sure that the log is ours; raises BusUnavailable."""

    def wake(self) -> None:
        """Lets every waiting poll look again."""


class Group:
    """The members of a group in this process. Every change of membership hands all partitions out anew."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._members: list[EmbeddedConsumer] = []

    def join(self, member: "EmbeddedConsumer") -> None:
        if member not in self._members:
            self._members.append(member)
            self._hand_out()

    def leave(self, member: "EmbeddedConsumer") -> None:
        if member in self._members:
            self._members.remove(member)
            member.hand(frozenset())
            self._hand_out()

    def _hand_out(self) -> None:
        for topic in {topic for member in self._members for topic in member.topics}:
            takers = [member for member in self._members if topic in member.topics]
            for index, member in enumerate(takers):
                member.drawn |= {Partition(topic, n) for n in range(index, PARTITIONS, len(takers))}
        for member in self._members:
            drawn, member.drawn = member.drawn, set()
            member.hand(frozenset(drawn))


class EmbeddedConsumer:
    """See `carrier.Consumer`."""

    def __init__(self, bus: Owned, group: Group, topics: Sequence[str], positions: Positions) -> None:
        self.topics = tuple(topics)
        self.drawn: set[Partition] = set()
        self._bus = bus
        self._group = group
        self._positions = positions
        self._held: frozenset[Partition] = frozenset()
        self._round = 0
        self._settled = 0
        self._next: dict[Partition, int] = {}
        self._turn = 0

    async def start(self) -> None:
        """Joins the group."""
        await self._bus.ready()
        self._group.join(self)
        self._bus.wake()

    async def stop(self) -> None:
        """Leaves the group, at once."""
        self._group.leave(self)
        self._bus.wake()

    def hand(self, partitions: frozenset[Partition]) -> None:
        """Takes what the group hands out; asked for positions at the next poll."""
        self._held = partitions
        self._round += 1

    async def poll(self, max_records: int, timeout: float) -> Sequence[Received]:
        """The next records; partitions that have any share the batch."""
        until = asyncio.get_running_loop().time() + timeout
        while True:
            await self._bus.ready()
            changed = self._bus.changed
            if self._settled != self._round:
                await self._settle()
                continue
            records = await self._read(max_records)
            if records:
                return records
            if not self._waiting():
                continue
            try:
                async with asyncio.timeout_at(until):
                    await changed.wait()
            except TimeoutError:
                return []

    async def commit(self, offsets: Mapping[Partition, int]) -> bool:
        """Stores the group's positions, unless the partitions were handed out anew."""
        if self._settled != self._round or not offsets.keys() <= self._held:
            return False
        return not offsets or await self._bus.log.commit(self._group.name, offsets)

    def seek(self, partition: Partition, offset: int) -> None:
        """Reads on from `offset`."""
        if self._settled == self._round and partition in self._next:
            self._next[partition] = offset

    def assignment(self) -> frozenset[Partition]:
        """What the group has handed to this member, once the positions are set."""
        return self._held if self._settled == self._round else frozenset()

    def _lagging(self) -> dict[Partition, int]:
        spans = self._bus.spans
        return {part: start for part, start in self._next.items() if part in spans and start < spans[part].end}

    def _waiting(self) -> bool:
        return self._settled == self._round and not self._lagging()

    async def _settle(self) -> None:
        current, held = self._round, self._held
        spans = await self._bus.log.spans(self.topics)
        committed = await self._bus.log.committed(self._group.name, self.topics)
        known = {part: Assigned(committed.get(part), *spans[part]) for part in held}
        chosen = await self._positions(known) if held else {}
        if current == self._round:
            for part in held:
                _refuse_outside(part, chosen[part], Span(known[part].beginning, known[part].end))
            self._next = {part: chosen[part] for part in held}
            self._settled = current

    async def _read(self, max_records: int) -> list[Received]:
        spans = self._bus.spans
        for part, start in self._next.items():
            if part in spans:
                _refuse_outside(part, start, spans[part])
        behind = self._lagging()
        if not behind:
            return []
        current = self._round
        self._turn += 1
        topics = in_turn(behind, self._turn)
        share = max(1, max_records // len(topics))
        chosen = {part: behind[part] for theirs in topics for part in _enough(theirs, behind, spans, share)}
        ends = {part: spans[part].end for part in chosen}
        records = await self._bus.log.read(chosen, share, _MOST_BYTES // len(chosen))
        if current != self._round or any(self._next[part] != start for part, start in chosen.items()):
            return []
        return self._advance(records, ends, share)

    def _advance(self, records: list[Received], ends: Mapping[Partition, int], share: int) -> list[Received]:
        """Cuts the batch to a share of each topic; skips what compaction left empty."""
        found: dict[Partition, list[Received]] = {part: [] for part in ends}
        for record in records:
            found[Partition(record.topic, record.partition)].append(record)
        left = {part.topic: share for part in ends}
        batch: list[Received] = []
        for part, theirs in found.items():
            if not theirs:
                self._next[part] = ends[part]
                continue
            taken = theirs[: left[part.topic]]
            if taken:
                self._next[part] = taken[-1].offset + 1
                left[part.topic] -= len(taken)
                batch += taken
        return batch


def _enough(
    partitions: Sequence[Partition], behind: Mapping[Partition, int], spans: Mapping[Partition, Span], records: int
) -> list[Partition]:
    """As few of the partitions as hold so many records, in order."""
    chosen = []
    for part in partitions:
        chosen.append(part)
        records -= spans[part].end - behind[part]
        if records <= 0:
            break
    return chosen


def _refuse_outside(partition: Partition, offset: int, span: Span) -> None:
    if not span.beginning <= offset <= span.end:
        raise LogTruncated(f"{partition} holds {span.beginning} to {span.end}, not {offset}")
