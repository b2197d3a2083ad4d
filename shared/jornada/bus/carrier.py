"""The contract of a stream. `kafka` and `embedded` are held to it by one suite (tests/shared/bus)."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

import msgspec


class BusUnavailable(Exception):
    """The outcome is unknown or the stream cannot be reached; asking again later may help."""


class LogTruncated(Exception):
    """The position to read on from is not in the log: lost to retention, or the topic was made anew."""


class RecordTooLarge(ValueError):
    """A record over MAX_RECORD bytes: no carrier will ever take it, and nothing of its call was stored."""


MAX_RECORD = 524_288
"""The most bytes that key, value and headers of one record may have together, on every carrier."""


class Partition(NamedTuple):
    """One ordered log of a topic."""

    topic: str
    number: int


class Record(msgspec.Struct, frozen=True, gc=False):
    """What is to be published. Records of one key keep their order; the key picks the partition."""

    topic: str
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()


class Tombstone(NamedTuple):
    """A key that a compacted topic is to forget: a record without a value, the last of its key, which then goes too."""

    topic: str
    key: bytes


class Received(NamedTuple):
    """A record as read; without a `value` it is a tombstone. Offsets of a partition grow; gaps are possible."""

    topic: str
    partition: int
    offset: int
    key: bytes
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    appended_at: datetime


class Assigned(NamedTuple):
    """What the carrier knows of a partition when it is handed to a consumer."""

    committed: int | None
    beginning: int
    end: int


Positions = Callable[[Mapping[Partition, Assigned]], Awaitable[Mapping[Partition, int]]]
"""Asked at every assignment, before the first record: the offset to start from, for each partition given."""


Then = Callable[[Exception | None], None]
"""Hears of an outcome: None when every record is durable, else as `publish` raises it. It raises nothing itself."""


class Consumer(Protocol):
    """One member of a group. Not safe for concurrent use, save `stop`."""

    async def start(self) -> None:
        """Begins to join the group, which `poll` goes on with; raises BusUnavailable, and may then be called again."""

    async def stop(self) -> None:
        """Leaves the group within 5 s. Uncommitted records are read again by whoever follows."""

    async def poll(self, max_records: int, timeout: float) -> Sequence[Received]:
        """The next records, of any assigned partitions, in order within each; empty after `timeout` seconds.

        Every topic has an equal share where there is enough of each. Of a topic partitions are read as far as they go
        and take turns at being the first, so that records of one key come together where there are many.
        Records are handed out once until the position is moved back by `seek`, a reassignment or a restart.
        Raises BusUnavailable (poll again), LogTruncated (stop), or what the positions callback raised (which is asked
        again at the next poll).
        """

    async def commit(self, offsets: Mapping[Partition, int]) -> bool:
        """Makes `offsets` (the next to read) the group's. False where a partition is no longer ours: drop the batch.

        Raises BusUnavailable within 10 s: then the offsets may or may not be the group's.
        """

    def seek(self, partition: Partition, offset: int) -> None:
        """Reads on from `offset`; ignored for a partition that is not ours."""

    def assignment(self) -> frozenset[Partition]:
        """The partitions that are ours now and whose positions are set; empty while the group is redistributed."""


class Bus(Protocol):
    """The stream. Topics of the catalogue exist once `start` returns.

    `carrier` names the kind of log: one Postgres may have seen several, and a position is a position in one of them.
    """

    carrier: str

    async def start(self) -> None:
        """Connects, makes or checks the topics; raises BusUnavailable, or ValueError for an unsafe topic."""

    async def stop(self) -> None:
        """Lets go of every resource within 5 s; what was not acked is unknown."""

    async def publish(self, records: Sequence[Record], deadline: float = 8.5) -> None:
        """Returns once every record is durable (Kafka: acks=all). Raises BusUnavailable within `deadline` seconds:
        then any part of the records may be stored. RecordTooLarge: nothing is. Calls may run concurrently; the order
        of a key's records is that of one call, or of calls that follow each other."""

    def submit(self, records: Sequence[Record], deadline: float, then: Then) -> bool:
        """Begins to publish, for who goes on meanwhile: `then` hears of the outcome once, within `deadline` seconds.

        False where that is not possible at once, for want of room or of records for instance: then nothing was begun,
        and `publish` waits for it.
        """

    async def forget(self, tombstones: Sequence[Tombstone], deadline: float = 8.5) -> None:
        """Returns once every tombstone is durable, after all that was acked of its key before the call.

        A compacted topic keeps a tombstone for the topic's `segment` time, so that who reads on sees it; then the key
        is gone. Raises BusUnavailable within `deadline` seconds: then any part of them may be stored.
        """

    def consumer(self, group: str, topics: Sequence[str], positions: Positions) -> Consumer:
        """A new member of `group`, not yet started."""

    async def ends(self, topics: Sequence[str]) -> Mapping[Partition, int]:
        """The offset that the next record of each partition will get; all acked before the call lies below it."""

    async def committed(self, group: str, topics: Sequence[str]) -> Mapping[Partition, int]:
        """The group's committed position of every partition of the topics that has one, whoever holds it."""

    async def oldest(self, positions: Mapping[Partition, int]) -> datetime | None:
        """When the oldest record at or after these positions was appended; None where all are at their ends."""
