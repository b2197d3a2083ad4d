"""Answers are told as the library's own counter and histogram would tell them."""

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from jornada.observe.answers import Answers

seconds = st.sampled_from([0.0, 0.00390625, 0.25, 0.5, 10.0, 10.5])  # their sums are exact
answers = st.tuples(st.sampled_from(["a", "b"]), st.sampled_from(["/x", "/y"]), st.sampled_from([200, 503]), seconds)


@given(st.lists(answers))
def test_they_are_told_as_a_counter_and_a_histogram_would(given_: list[tuple[str, str, int, float]]) -> None:
    ours, theirs, told = CollectorRegistry(), CollectorRegistry(), Answers()
    ours.register(told)
    count = Counter(
        "jornada_http_requests_total",
        "Answers, by service, route template and status",
        ("service", "route", "status"),
        registry=theirs,
    )
    times = Histogram("jornada_http_request_seconds", "Time to answer a request", ("service", "route"), registry=theirs)
    for service, route, status, took in given_:
        told.note(service, route, status, took)
        count.labels(service, route, str(status)).inc()
        times.labels(service, route).observe(took)
    assert _lines(ours) == _lines(theirs)


def _lines(registry: CollectorRegistry) -> list[bytes]:
    lines = generate_latest(registry).splitlines()
    return sorted(line for line in lines if b"_created" not in line)
