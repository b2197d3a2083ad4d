"""Wires scoring: the worker on the journeys, the ticker, the publisher, and the API."""

from collections.abc import Awaitable, Callable

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
from jornada.db import Conflict, Database, Unavailable
from jornada.events import ERASURES, JOURNEYS, SCORES
from jornada.runtime import Service
from jornada.runtime.secret_key import internal_token
from jornada.runtime.service import Health
from jornada.web import Check, Gate, application
from jornada.web.app import serve_dead_letters
from services.scoring.accounting import Accounting
from services.scoring.api import models, notices, overrides, profiles, routes, what_if
from services.scoring.importing import Importing
from services.scoring.rescoring import Rescoring
from services.scoring.settings import Settings
from services.scoring.sisters import Following, JourneyLag, Journeys, JourneyVolumes
from services.scoring.store import subjects
from services.scoring.store.reading import Readings
from services.scoring.store.subjects import PostgresScores
from services.scoring.watching import Volumes, Watching
from services.scoring.what_if.running import WhatIfs
from services.scoring.worker.folding import Folding

GROUP = "scoring"
_FIRED_TOGETHER = 100
"""Timers of one transaction: to score a subject takes a millisecond, and what the first of them says waits for all."""

_DESCRIPTION = "Says how well it is going with each customer and account, how it will go, and why."


def build(settings: Settings, bus: Bus, database: Database, clock: Clock) -> Service:
    """Scoring, wired."""
    journey = JourneyLag(settings.journey_url)
    token = internal_token(settings.internal_token_file, settings.data_dir, settings.mode)
    volumes = None if token is None else JourneyVolumes(settings.journey_url, token)
    service = wired(settings, bus, database, clock, journey.oldest_waiting_seconds, volumes=volumes)
    service.resources = [*service.resources, journey, *([] if volumes is None else [volumes])]
    return service


def wired(
    settings: Settings,
    bus: Bus,
    database: Database,
    clock: Clock,
    journey_waits: Callable[[], Awaitable[float]],
    journeys: Journeys | None = None,
    volumes: Volumes | None = None,
) -> Service:
    """Scoring, told by `journey_waits` for how many seconds journey's oldest record has waited.

    Without `volumes` nobody watches whether sources still send.
    """
    health = Health()
    journeys = journeys or Journeys(settings.journey_url)
    publisher = Publisher(database, bus, PostgresScores())
    folding = Folding(publisher, clock)
    topics = [JOURNEYS.name, ERASURES.name]
    lag = LagMeter(bus=bus, database=database, group=GROUP, topics=topics, clock=clock, also_due=["account_changes"])
    worker = Worker(
        GROUP,
        topics,
        bus=bus,
        database=database,
        publisher=publisher,
        fold=by_topic({JOURNEYS.name: folding.fold, ERASURES.name: folding.erase}),
        clock=clock,
        batch=settings.scoring_batch,
    )
    ticker = Ticker(
        database=database,
        publisher=publisher,
        clock=clock,
        hold=subjects.held,
        fire=folding.fire,
        folded_until=Following(journey_waits, lag.partitions, clock).scored_until,
        most=_FIRED_TOGETHER,
    )
    checks: dict[str, Check] = {"process": health.check, "postgres": _postgres(database)}
    app = application("scoring", _DESCRIPTION, checks=checks, lag=lag)
    gate = Gate(Keyring(PostgresAccess(database), clock.monotonic))
    readings = Readings(database)
    routes.serve(app, gate, readings, journeys, clock)
    profiles.serve(app, gate, database, readings, clock)
    models.serve(app, gate, database)
    what_if.serve(app, gate, database, WhatIfs(journeys), clock)
    overrides.serve(app, gate, database, readings, clock)
    notices.serve(app, gate, database, clock)
    serve_dead_letters(app, gate, DeadLetters(database), worker)
    return Service(
        "scoring",
        settings.scoring_port,
        app,
        resources=[database, journeys],
        tasks=[
            ("worker", worker.run),
            ("ticker", ticker.run),
            ("accounting", Accounting(database, clock).run),
            ("rescoring", Rescoring(database, clock).run),
            ("watching", Watching(database, volumes, journey_waits, clock).run),
            ("importing", Importing(database, Following(journey_waits, lag.partitions, clock).scored_until).run),
            ("publisher", publisher.run),
            ("heartbeats", Heartbeats(bus, [SCORES.name]).run),
        ],
        workers=[worker],
        health=health,
    )


def _postgres(database: Database) -> Check:
    async def check() -> str | None:
        try:
            async with database.transaction() as connection:
                await connection.fetchval("select 1 from epoch")
        except (Unavailable, Conflict) as error:
            return str(error)
        return None

    return check
