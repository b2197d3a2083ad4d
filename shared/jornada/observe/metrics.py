"""Every metric of the system. Labels take few values: services, topics, codes; never a person or a key."""

from prometheus_client import REGISTRY, Counter, Gauge, generate_latest

from jornada.observe.answers import Answers

ANSWERS = Answers()
REGISTRY.register(ANSWERS)
ACCEPTED = Counter("jornada_ingest_events_total", "Events, by verdict and code", ("verdict", "code"))
FOLDED = Counter("jornada_worker_records_total", "Records folded, published and acknowledged", ("group",))
DEAD = Counter("jornada_worker_dead_letters_total", "Records dead-lettered", ("group",))
TIMERS_FIRED = Counter("jornada_timers_fired_total", "Subjects that timers changed", ("service",))
CROSSINGS = Counter(
    "jornada_crossings_total", "Crossings recorded, by band entered and whether announced", ("to", "announced")
)
DELIVERIES = Counter("jornada_deliveries_total", "Attempts to deliver an alert, by outcome", ("outcome",))
DECISIONS = Counter("jornada_decisions_total", "Decisions on messages to customers", ("decision", "reason"))
EXPIRED = Counter(
    "jornada_touchpoints_expired_total",
    "Touchpoints older than are kept: late ones, and stored ones removed",
    ("which",),
)
FREEZES = Gauge(
    "jornada_freezes", "Streams that came from next to nobody any more, and are frozen; over all workspaces"
)
BUSY_SECONDS = Gauge("jornada_worker_busy_seconds", "How long the batch in hand has been without progress", ("group",))


def exposition() -> bytes:
    """Everything measured so far, in Prometheus' text format."""
    return generate_latest()
