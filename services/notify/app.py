"""How notify is put together."""

from datetime import timedelta
from zoneinfo import ZoneInfo

from fastapi import FastAPI

from jornada.access.keyring import Keyring
from jornada.access.store import PostgresAccess
from jornada.bus.carrier import Bus
from jornada.bus.dead_letters import DeadLetters
from jornada.bus.lag import LagMeter
from jornada.bus.worker import Worker
from jornada.clock import Clock
from jornada.db import Database
from jornada.runtime import Service
from jornada.runtime.secret_key import secret_key
from jornada.runtime.service import Health
from jornada.runtime.settings import PortSettings
from jornada.web import Gate, application
from jornada.web.app import serve_dead_letters
from services.notify.api import alerts, campaigns, customers, subscriptions
from services.notify.dispatch.decisions import Decisions, From
from services.notify.dispatch.deliveries import Deliveries
from services.notify.dispatch.feed import Feed
from services.notify.sealing import Seal
from services.notify.senders.addresses import allowed
from services.notify.senders.outgoing import Outgoing
from services.notify.senders.sink import MailSink
from services.notify.senders.smtp import SmtpSender
from services.notify.settings import Settings
from services.notify.store import decisions as decision_rows
from services.notify.store import deliveries as delivery_rows
from services.notify.worker import GROUP, READ, Fold, WakingPublisher

_DESCRIPTION = "Risk alerts to those who asked, messages to customers, and why each was or was not sent."


def build(settings: Settings, bus: Bus, database: Database, clock: Clock) -> Service:
    """The service, wired."""
    allow = allowed(settings.outgoing_allow)
    seal = Seal(secret_key(settings.secret_key_file, settings.data_dir))
    publisher = WakingPublisher(database, bus)
    sink = MailSink(settings.data_dir / "mail") if settings.mode == "local" and not settings.smtp_url else None
    sender = SmtpSender(settings.smtp_url) if settings.smtp_url else sink
    outgoing = Outgoing(allow)
    from_ = From(settings.notify_mail_from, settings.notify_mail_name, ZoneInfo(settings.notify_timezone))
    decisions = Decisions(database, publisher, sender, from_, clock)
    deliveries = Deliveries(database, outgoing, seal, clock)
    feed = Feed(database)

    def wake() -> None:
        for bell in (deliveries.bell, decisions.bell, feed.bell):
            bell.ring()

    publisher.wake = wake
    worker = Worker(
        GROUP,
        READ,
        bus=bus,
        database=database,
        publisher=publisher,
        fold=Fold(publisher, clock, timedelta(seconds=settings.notify_freshness_seconds)),
        clock=clock,
    )
    health = Health()
    app = _application(health, bus, database, clock)
    gate = Gate(Keyring(PostgresAccess(database)))
    subscriptions.serve(app, gate, database=database, seal=seal, allow=allow, bell=deliveries.bell, clock=clock)
    alerts.serve(app, gate, database=database, feed=feed, clock=clock, draining=lambda: health.draining)
    campaigns.serve(app, gate, database=database, clock=clock)
    customers.serve(app, gate, database=database)
    serve_dead_letters(app, gate, DeadLetters(database), worker)
    return Service(
        "notify",
        PortSettings().of("notify"),
        app,
        resources=[database, outgoing, *([sink] if sink is not None else [])],
        tasks=[
            ("worker", worker.run),
            ("publisher", publisher.run),
            ("deliveries", deliveries.run),
            ("decisions", decisions.run),
            ("sweep", decisions.sweep),
            ("feed", feed.run),
        ],
        workers=[worker],
        health=health,
    )


def _application(health: Health, bus: Bus, database: Database, clock: Clock) -> FastAPI:
    lag = LagMeter(
        bus=bus,
        database=database,
        group=GROUP,
        topics=READ,
        clock=clock,
        also_due=(delivery_rows.DUE, decision_rows.DUE),
    )
    return application("notify", _DESCRIPTION, checks={"service": health.check}, lag=lag)
