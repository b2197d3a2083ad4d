"""How many answers were given, and how long they took, in plain numbers: a hot path notes every one of them."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from itertools import accumulate

from prometheus_client import Histogram
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

_BOUNDS = Histogram.DEFAULT_BUCKETS
"""Seconds; the last is infinity."""
_NAMES = [*map(str, _BOUNDS[:-1]), "+Inf"]


class Answers(Collector):
    """Counted by service, route template and status. A counter and a histogram of the library's cost five times this.

    For one thread.
    """

    def __init__(self) -> None:
        # By bucket, and the seconds of all.
        self._rows: defaultdict[tuple[str, str, int], list[float]] = defaultdict(lambda: [0] * len(_BOUNDS) + [0.0])

    def note(self, service: str, route: str, status: int, seconds: float) -> None:
        """One answer was given, after so many seconds."""
        row = self._rows[service, route, status]
        row[bisect_left(_BOUNDS, seconds)] += 1
        row[-1] += seconds

    def collect(self) -> Iterator[Metric]:
        """As Prometheus is told of it."""
        counts = CounterMetricFamily(
            "jornada_http_requests",
            "Answers, by service, route template and status",
            labels=("service", "route", "status"),
        )
        times = HistogramMetricFamily(
            "jornada_http_request_seconds", "Time to answer a request", labels=("service", "route")
        )
        by_route: dict[tuple[str, str], list[float]] = {}
        for (service, route, status), row in [*self._rows.items()]:
            counts.add_metric((service, route, str(status)), sum(row[:-1]))
            before = by_route.get((service, route), [0] * len(row))
            by_route[service, route] = [one + other for one, other in zip(before, row, strict=True)]
        for labels, row in by_route.items():
            upto = accumulate(row[:-1])
            times.add_metric(labels, [*zip(_NAMES, upto, strict=True)], row[-1])
        yield counts
        yield times
