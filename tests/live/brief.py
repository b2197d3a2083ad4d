"""A service on topics that keep for seconds what they keep for hours and days: all their times are shrunk alike.

`python -m tests.live.brief`, the service named by `JORNADA_TEST_SERVICE`.
"""

import os
from datetime import timedelta
from importlib import import_module

from jornada.bus import heartbeats
from jornada.events import catalogue

RETENTION = timedelta(seconds=60)
SEGMENT = timedelta(seconds=20)
SWEPT_WITHIN = timedelta(seconds=10)
BROKER = {"log.retention.check.interval.ms": "5000", "log.segment.delete.delay.ms": "1000"}
"""What makes a broker sweep within that time."""


TOPICS = {
    name: topic._replace(retention=topic.retention and RETENTION, segment=SEGMENT)
    for name, topic in catalogue.TOPICS.items()
}
"""The catalogue with these times."""

if __name__ == "__main__":
    catalogue.TOPICS.update(TOPICS)
    catalogue.SWEPT_WITHIN = SWEPT_WITHIN
    heartbeats.EVERY_SECONDS = SEGMENT.total_seconds() / 4
    import_module(f"services.{os.environ['JORNADA_TEST_SERVICE']}.__main__")
