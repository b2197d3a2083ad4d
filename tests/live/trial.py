"""A fault, the load while it lasts and after, and what became of every event."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from jornada.events import TOUCHPOINTS, Touchpoint, decode, new_id
from tests.live.cluster import Cluster
from tests.live.faults import Fault
from tests.live.log import records_of
from tests.live.processes import Running
from tests.live.sender import Call, Sender

BEFORE, AFTER = 2.0, 4.0


class Outcome(NamedTuple):
    """What is in the log, held against the journal of what was sent and answered."""

    fault: Fault
    began: float
    healing: float
    healed: float
    calls: Sequence[Call]
    again: Sequence[Call]
    partitions: dict[str, int]
    copies: Counter[str]

    @property
    def acked(self) -> set[str]:
        """The ids in a whole 200, at once or when sent again."""
        return {each for call in (*self.calls, *self.again) if call.status == 200 for each in call.ids}

    @property
    def lost(self) -> set[str]:
        """Acked, and not in the log."""
        return self.acked - self.copies.keys()

    @property
    def doubled(self) -> int:
        """Copies in the log beyond the first."""
        return self.copies.total() - len(self.copies)

    def struck(self, call: Call) -> bool:
        """Whether the fault kept a record of this call from being stored, or us from hearing of it."""
        return self.partitions.get(call.ids[0]) in self.fault.partitions or (self.fault.large and call.large)

    @property
    def acked_during(self) -> list[Call]:
        """Calls sent and acked during the fault of whose storing nobody can have heard."""
        margin = self.began + 0.5
        return [
            call
            for call in self.calls
            if self.struck(call) and call.status == 200 and call.sent_at > margin and call.answered_at < self.healing
        ]

    @property
    def first_ack(self) -> float:
        """Seconds from the heal to the first ack of a call that the fault struck; infinite without one."""
        ours = [
            max(0.0, call.answered_at - self.healed)
            for call in (*self.calls, *self.again)
            if call.status == 200 and call.answered_at >= self.healing and self.struck(call)
        ]
        return min(ours, default=float("inf"))

    def told(self, seed: int) -> str:
        """The figures."""
        answers = Counter(call.status for call in self.calls)
        slowest = max(call.seconds for call in self.calls)
        return (
            f"{self.fault.name} for {self.healed - self.began:.1f} s: {sum(len(c.ids) for c in self.calls)} events,"
            f" 1 fault, seed {seed}: acked {len(self.acked)}, lost {len(self.lost)}, doubled {self.doubled},"
            f" {self.first_ack:.2f} s to first ack; answers {dict(answers)}, slowest {slowest:.2f} s"
        )


async def endure(
    fault: Fault, cluster: Cluster, system: Running, seed: int, *, after: float = AFTER, again: bool = True
) -> Outcome:
    """Loads ingest, lets the fault last and heal, goes on for `after` seconds; sends again what is in doubt, unless
    not `again`; and reads the log."""
    sender = Sender(system.urls["ingest"], system.write_key, new_id().hex[-8:], seed)
    sender.start()
    try:
        await asyncio.sleep(BEFORE)
        began = time.monotonic()
        await fault.begin(cluster)
        await asyncio.sleep(fault.seconds)
        healing = time.monotonic()
        await fault.heal(cluster)
        healed = time.monotonic()
        await asyncio.sleep(after)
    finally:
        await sender.stop()
    repeated = await sender.send_again() if again else []
    return await _found(fault, (began, healing, healed), sender, repeated, cluster.brokers)


async def _found(
    fault: Fault, times: tuple[float, float, float], sender: Sender, again: Sequence[Call], brokers: str
) -> Outcome:
    partitions: dict[str, int] = {}
    copies: Counter[str] = Counter()
    sent = {each for call in sender.calls for each in call.ids}
    for record in await records_of(brokers, TOUCHPOINTS.name):
        touchpoint: Touchpoint = decode(record.value, Touchpoint)
        message_id = touchpoint.message_id
        if message_id in sent:
            partitions[message_id] = record.partition
            copies[message_id] += 1
    return Outcome(fault, *times, sender.calls, again, partitions, copies)


def resident(pid: int) -> int:
    """The megabytes of memory that a process holds."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    kilobytes = next(line.split()[1] for line in lines if line.startswith("VmRSS"))
    return int(kilobytes) // 1024
