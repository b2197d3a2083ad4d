"""Wires ingest."""

from jornada.access.keyring import Keyring
from jornada.access.store import PostgresAccess
from jornada.bus.carrier import Bus
from jornada.bus.dead_letters import DeadLetters
from jornada.bus.lag import LagMeter
from jornada.bus.publisher import Publisher
from jornada.clock import Clock
from jornada.db import Database
from jornada.observe import logs
from jornada.pseudonyms import Pseudonyms
from jornada.runtime.secret_key import secret_key
from jornada.runtime.service import Health, Service
from jornada.runtime.settings import PortSettings
from jornada.web import Gate, application
from jornada.web.app import serve_dead_letters
from services.ingest.api.browser import serve_settings
from services.ingest.api.collect import Collect
from services.ingest.api.front import Front
from services.ingest.api.keys import serve_keys
from services.ingest.api.live import serve_live
from services.ingest.api.openapi import documented
from services.ingest.api.rejections import serve_rejections
from services.ingest.api.sources import serve_sources
from services.ingest.domain import express
from services.ingest.intake import Intake
from services.ingest.limits import Limits
from services.ingest.live import Live
from services.ingest.memory import Halves, RecentIds
from services.ingest.settings import Settings
from services.ingest.store import Rejections
from services.ingest.worker import GROUP, TOPICS, Retention, worker

_log = logs.get(__name__)
_ABOUT = "Takes touchpoints in Segment's dialect, says what became of each, and puts them on the stream."


def build(settings: Settings, bus: Bus, database: Database, clock: Clock) -> Service:
    """The service. It takes events also while Postgres is away, so `/readyz` does not ask for it."""
    _log.info("ingest.express", is_open=express.IS_OPEN)
    health = Health()
    access = PostgresAccess(database)
    keyring = Keyring(access, clock.monotonic)
    gate = Gate(keyring)
    live = Live()
    pseudonyms = Pseudonyms(secret_key(settings.secret_key_file, settings.data_dir))
    publisher = Publisher(database, bus)
    reading = worker(bus, database, publisher, pseudonyms, clock)
    retention = Retention(database, clock, days=settings.ingest_rejections_days, kept=settings.ingest_rejections_kept)
    lag = LagMeter(bus=bus, database=database, group=GROUP, topics=TOPICS, clock=clock)
    app = application("ingest", _ABOUT, checks={"service": health.check}, lag=lag)
    serve_settings(app, keyring)
    serve_sources(app, gate, access)
    serve_keys(app, gate, access)
    serve_rejections(app, gate, Rejections(database))
    serve_live(app, gate, live, clock, lambda: health.draining)
    serve_dead_letters(app, gate, DeadLetters(database), reading)
    documented(app)
    recent = RecentIds(settings.ingest_remembered_ids, express.RECENT or Halves)
    limits = Limits(
        bytes_in_flight=settings.ingest_bytes_in_flight,
        events_per_second=settings.ingest_events_per_second,
        key_events_per_second=settings.ingest_key_events_per_second,
        customer_events_per_second=settings.ingest_customer_events_per_second,
        monotonic=clock.monotonic,
    )
    intake = Intake(bus, recent, live, limits.customers, clock, patience=settings.ingest_patience)
    collect = Collect(intake, keyring, limits)
    return Service(
        name="ingest",
        port=PortSettings().of("ingest"),
        app=Front(app, collect),
        resources=[database],
        tasks=[("worker", reading.run), ("publisher", publisher.run), ("retention", retention.run)],
        workers=[reading],
        health=health,
    )
