"""Batches for aiokafka's `send_batch`: built record by record, or written natively of what was packed."""

import time
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import zstandard

from jornada.bus.carrier import Record

COMPRESSION = "zstd"
_ZSTD = 4
"""Its number in a batch's attributes."""
_compressor = zstandard.ZstdCompressor(level=1)
"""Kept, as aiokafka's codec makes a new one for each batch, which costs more than most batches do.

Level 3, aiokafka's, makes batches no smaller and takes a fifth to a third longer.
"""


class Written:
    """Looks to aiokafka like its own BatchBuilder that was closed; the batch is written already."""

    def __init__(self, batch: bytes, count: int) -> None:
        self._batch = batch
        self._count = count

    def record_count(self) -> int:
        """How many records are in it."""
        return self._count

    def size(self) -> int:
        """Its bytes."""
        return len(self._batch)

    def closed(self) -> bool:
        """Nothing is added to it."""
        return True

    def close(self) -> None:
        """It is."""

    def _build(self) -> bytes:
        return self._batch


def written(parts: Sequence[Any], most: int) -> Iterator[Written]:
    """Batches of all records of parts of `Packed`, in order, each of about `most` bytes before it is compressed."""
    now = time.time_ns() // 1_000_000
    for batch, count in parts[0].batches(parts, most, now, _ZSTD, _compressor.compress):
        yield Written(batch, count)


def built(producer: Any, records: Sequence[Record]) -> tuple[Any, int]:
    """A batch of the first records that fit, at least one; and their number."""
    batch = producer.create_batch()
    for taken, record in enumerate(records):
        appended = batch.append(timestamp=None, key=record.key, value=record.value, headers=list(record.headers))
        if appended is None:
            return batch, taken
    return batch, len(records)


def unpacked(topic: str, records: Any) -> list[Record]:
    """The records of a list, or of a part of `Packed`."""
    return records if isinstance(records, list) else records.records(partial(Record, topic))
