"""Wires journey."""

from jornada.access.keyring import Keyring
from jornada.access.store import PostgresAccess
from jornada.bus.carrier import Bus
from jornada.bus.dead_letters import DeadLetters
from jornada.bus.heartbeats import Heartbeats
from jornada.bus.lag import LagMeter
from jornada.bus.publisher import Publisher
from jornada.bus.timers import Ticker
from jornada.bus.worker import Worker
from jornada.clock import Clock
from jornada.db import Database
from jornada.events import JOURNEYS, TOUCHPOINTS
from jornada.runtime.service import Health, Service
from jornada.runtime.settings import PortSettings
from jornada.web import Gate, application
from jornada.web.app import serve_dead_letters
from services.journey.api import accounts, customers, identity, retention, segments, snapshots, stages, vocabulary
from services.journey.settings import Settings
from services.journey.store.subjects import PostgresSnapshots
from services.journey.worker.earlier import EarlierEmails
from services.journey.worker.fold import TouchpointFold
from services.journey.worker.merging import Merger
from services.journey.worker.months import Months
from services.journey.worker.refolding import Refolder
from services.journey.worker.retention import Expiry
from services.journey.worker.silence import fire

GROUP = "journey"

_ABOUT = "Knows who the customer is and where they are: identity, path, stage, sessions, measures."


def build(settings: Settings, bus: Bus, database: Database, clock: Clock) -> Service:
    """The service."""
    health = Health()
    gate = Gate(Keyring(PostgresAccess(database), clock.monotonic))
    publisher = Publisher(database, bus, PostgresSnapshots())
    worker = Worker(
        GROUP,
        [TOUCHPOINTS.name],
        bus=bus,
        database=database,
        publisher=publisher,
        fold=TouchpointFold(publisher, clock),
        clock=clock,
        batch=settings.journey_batch,
    )
    lag = LagMeter(
        bus=bus, database=database, group=GROUP, topics=[TOUCHPOINTS.name], clock=clock, also_due=["refolds"]
    )
    ticker = Ticker(database=database, publisher=publisher, clock=clock, fire=fire, folded_until=lag.folded_until)
    refolder = Refolder(database, publisher, clock)
    earlier = EarlierEmails(database, publisher, clock)
    app = application("journey", _ABOUT, checks={"service": health.check}, lag=lag)
    customers.serve(app, gate, database, clock)
    identity.serve(app, gate, database, Merger(database, publisher, clock))
    accounts.serve(app, gate, database, clock)
    stages.serve(app, gate, database, clock)
    segments.serve(app, gate, database, clock)
    vocabulary.serve(app, gate, database, clock)
    retention.serve(app, gate, database, clock)
    snapshots.serve(app, gate, database)
    serve_dead_letters(app, gate, DeadLetters(database), worker)
    return Service(
        name="journey",
        port=PortSettings().of("journey"),
        app=app,
        resources=[database],
        tasks=[
            ("worker", worker.run),
            ("publisher", publisher.run),
            ("ticker", ticker.run),
            ("refolder", refolder.run),
            ("earlier_emails", earlier.run),
            ("expiry", Expiry(database, publisher, clock).run),
            ("months", Months(database, clock).run),
            ("heartbeats", Heartbeats(bus, [JOURNEYS.name]).run),
        ],
        workers=[worker],
        health=health,
    )
