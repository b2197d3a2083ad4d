"""Several folds as one, for a worker that reads several topics."""

from collections.abc import Collection, Mapping, Sequence

from jornada.bus.carrier import Received
from jornada.bus.publisher import Subject
from jornada.bus.worker import Fold
from jornada.db import Connection


def by_topic(folds: Mapping[str, Fold]) -> Fold:
    """A fold that leaves the records of each topic to its own, in the order in which they are named."""

    async def fold(connection: Connection, records: Sequence[Received]) -> Collection[Subject]:
        subjects: set[Subject] = set()
        for topic, own in folds.items():
            mine = [record for record in records if record.topic == topic]
            if mine:
                subjects |= set(await own(connection, mine))
        return subjects

    return fold
