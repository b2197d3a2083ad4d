"""Wires journey."""

from jornada.access.keyring import Keyring
from jornada.access.store import PostgresAccess
from jornada.bus.carrier import Bus
from jornada.bus.dead_letters import DeadLetters
from jornada.bus.folds import by_topic
from jornada.bus.heartbeats import Heartbeats
from jornada.bus.lag import LagMeter
from jornada.bus.publisher import Publisher
from jornada.bus.timers import Ticker
from jornada.bus.worker import Worker
from jornada.clock import Clock
from jornada.db import Database
from jornada.events import ERASURES, JOURNEYS, TOUCHPOINTS
from jornada.pseudonyms import Pseudonyms
from jornada.runtime.secret_key import internal_token, secret_key
from jornada.runtime.service import Health, Service
from jornada.runtime.settings import PortSettings
from jornada.web import Gate, application
from jornada.web.app import serve_dead_letters
from services.journey.api import (
    accounts,
    customers,
    erasures,
    exports,
    identity,
    milestones,
    replays,
    retention,
    segments,
    snapshots,
    stages,
    vocabulary,
    volumes,
)
from services.journey.settings import Settings
from services.journey.store import subjects
from services.journey.store.snapshots import PostgresSnapshots
from services.journey.worker.confirming import ErasureFold
from services.journey.worker.counting import PastVolumes
from services.journey.worker.earlier import EarlierEmails
from services.journey.worker.erasing import Eraser
from services.journey.worker.fold import TouchpointFold
from services.journey.worker.merging import Merger
from services.journey.worker.months import Months
from services.journey.worker.refolding import Refolder
from services.journey.worker.replaying import Replayer
from services.journey.worker.retention import Expiry
from services.journey.worker.silence import fire

GROUP = "journey"
READ = (TOUCHPOINTS.name, ERASURES.name)

_ABOUT = "Knows who the customer is and where they are: identity, path, stage, sessions, measures."


def build(settings: Settings, bus: Bus, database: Database, clock: Clock) -> Service:
    """The service."""
    health = Health()
    shared = internal_token(settings.internal_token_file, settings.data_dir, settings.mode)
    gate = Gate(Keyring(PostgresAccess(database), clock.monotonic), shared)
    publisher = Publisher(database, bus, PostgresSnapshots())
    pseudonyms = Pseudonyms(secret_key(settings.secret_key_file, settings.data_dir))
    eraser = Eraser(database, publisher, pseudonyms, clock)
    worker = Worker(
        GROUP,
        READ,
        bus=bus,
        database=database,
        publisher=publisher,
        fold=by_topic(
            {
                ERASURES.name: ErasureFold(publisher, eraser, clock),
                TOUCHPOINTS.name: TouchpointFold(publisher, pseudonyms, clock),
            }
        ),
        clock=clock,
        batch=settings.journey_batch,
    )
    lag = LagMeter(bus=bus, database=database, group=GROUP, topics=READ, clock=clock, queues=["refolds"])
    ticker = Ticker(
        database=database,
        publisher=publisher,
        clock=clock,
        hold=subjects.held,
        fire=fire,
        folded_until=lag.folded_until,
    )
    refolder = Refolder(database, publisher, clock)
    earlier = EarlierEmails(database, publisher, clock)
    replayer = Replayer(database, publisher, clock)
    app = application("journey", _ABOUT, checks={"service": health.check}, lag=lag)
    customers.serve(app, gate, database, clock)
    exports.serve(app, gate, database, clock)
    identity.serve(app, gate, database, Merger(database, publisher, clock))
    accounts.serve(app, gate, database, clock)
    stages.serve(app, gate, database, clock)
    segments.serve(app, gate, database, clock)
    milestones.serve(app, gate, database, clock)
    vocabulary.serve(app, gate, database, clock)
    retention.serve(app, gate, database, clock)
    volumes.serve(app, gate, database, clock)
    snapshots.serve(app, gate, database)
    replays.serve(app, gate, database, clock)
    erasures.serve(app, gate, database, eraser, pseudonyms)
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
            ("replayer", replayer.run),
            ("expiry", Expiry(database, publisher, clock).run),
            ("months", Months(database, clock).run),
            ("past_volumes", PastVolumes(database, clock).run),
            ("heartbeats", Heartbeats(bus, [JOURNEYS.name]).run),
        ],
        workers=[worker],
        health=health,
    )
