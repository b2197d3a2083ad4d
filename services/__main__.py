"""Every service in one process: `python -m services`, with its own Postgres and stream where none is given."""

import asyncio
import contextlib
import json
import sys
from datetime import timedelta

from jornada.access.bootstrap import DevSecrets, dev_secrets, ensure_default
from jornada.access.store import PostgresAccess
from jornada.bus.carrier import Bus
from jornada.bus.embedded import EmbeddedBus
from jornada.bus.local_kafka import answering
from jornada.clock import Clock, SystemClock
from jornada.db import Database
from jornada.db.local import LocalPostgres
from jornada.db.migrations import migrated
from jornada.observe import logs
from jornada.runtime import CommonSettings, Service
from jornada.runtime.main import kafka_bus, on_loop
from jornada.runtime.running import run
from jornada.runtime.settings import DEFAULT_BROKERS, AddressSettings, DevelopmentSettings, KafkaSettings
from services.console.app import build as build_console
from services.console.local import new_login
from services.console.settings import Settings as ConsoleSettings
from services.ingest.app import build as build_ingest
from services.ingest.settings import Settings as IngestSettings
from services.journey.app import build as build_journey
from services.journey.settings import Settings as JourneySettings
from services.notify.app import build as build_notify
from services.notify.settings import Settings as NotifySettings
from services.scoring.app import build as build_scoring
from services.scoring.settings import Settings as ScoringSettings

_STORY_OF_ONE: tuple[tuple[str, str | None, int, dict[str, object]], ...] = (
    ("identify", None, 21, {"traits": {"name": "Ana Souza", "email": "ana@example.com", "locale": "pt-BR"}}),
    ("track", "Signed Up", 21, {}),
    ("track", "Report Exported", 20, {}),
    ("track", "Report Exported", 18, {}),
    ("track", "Dashboard Shared", 16, {}),
    ("track", "Report Exported", 0, {}),
)


def main() -> None:
    """Runs everything until Ctrl-C or SIGTERM; `--kafka` on a Kafka, which it starts where none answers."""
    settings = CommonSettings()
    logs.set_up(level=settings.log_level)
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    postgres = None if settings.database_url else LocalPostgres(settings.data_dir)
    kafka = KafkaSettings()
    with contextlib.ExitStack() as servers:
        if postgres is not None:
            servers.callback(postgres.stop)
            postgres.start()
        if "--kafka" in sys.argv[1:]:
            kafka.brokers = kafka.brokers or DEFAULT_BROKERS
            servers.enter_context(answering(kafka.brokers, settings.data_dir / "kafka"))
        sys.exit(on_loop(_run(settings, postgres, kafka)))


async def _run(settings: CommonSettings, postgres: LocalPostgres | None, kafka: KafkaSettings) -> int:
    url = settings.database_url or (postgres.url() if postgres else "")
    await migrated(url)
    secrets = await _secrets(settings, url)
    clock = SystemClock()
    bus: Bus = (
        kafka_bus(kafka, client_id="jornada", settings=settings)
        if kafka.brokers
        else EmbeddedBus(Database(url, "bus", max_connections=12))
    )
    services = build(bus, url, clock)
    watching = asyncio.create_task(postgres.watch()) if postgres else None
    try:
        return await run(services, host=settings.host, shared=[bus], on_up=lambda: _greet(settings, secrets, clock))
    finally:
        if watching is not None:
            watching.cancel()


def build(bus: Bus, url: str, clock: Clock) -> list[Service]:
    """Every service, wired to one stream and one Postgres; settings come from the environment."""
    return [
        build_ingest(IngestSettings(), bus, Database(url, "ingest"), clock),
        build_journey(JourneySettings(), bus, Database(url, "journey"), clock),
        build_scoring(ScoringSettings(), bus, Database(url, "scoring"), clock),
        build_notify(NotifySettings(), bus, Database(url, "notify"), clock),
        build_console(ConsoleSettings(), bus, Database(url, "console"), clock),
    ]


async def _secrets(settings: CommonSettings, url: str) -> DevSecrets:
    """The keys of the workspace `default`: fixed by the environment, or drawn once and kept under the data folder."""
    fixed = DevelopmentSettings()
    if settings.mode != "local" and (fixed.dev_write_key or fixed.dev_api_token):
        sys.exit("JORNADA_DEV_WRITE_KEY and JORNADA_DEV_API_TOKEN are for JORNADA_MODE=local only")
    secrets = dev_secrets(settings.data_dir, fixed.dev_write_key, fixed.dev_api_token)
    database = Database(url, "access", max_connections=1)
    try:
        await ensure_default(PostgresAccess(database), secrets.write_key, secrets.api_token)
    finally:
        await database.stop()
    return secrets


def _greet(settings: CommonSettings, secrets: DevSecrets, clock: Clock) -> None:
    addresses = AddressSettings()
    code = new_login(settings.data_dir)
    print(  # noqa: T201 - the one thing a person at a terminal reads
        f"""
Jornada is up. Ctrl-C stops it; what it knows stays in {settings.data_dir}.

  Start here    {addresses.of("console")}/start?code={code}
  ingest        {addresses.of("ingest")}     write key  {secrets.write_key}
  journey       {addresses.of("journey")}     API token  {secrets.api_token}
  scoring       {addresses.of("scoring")}
  notify        {addresses.of("notify")}

Send a first journey:

{_curl(addresses, secrets, clock)}

and see who it is, and how it goes:

curl -s -H 'Authorization: Bearer {secrets.api_token}' {addresses.of("journey")}/v1/customers/user_id:ana
curl -s -H 'Authorization: Bearer {secrets.api_token}' {addresses.of("scoring")}/v1/customers/user_id:ana/scores
""",
        flush=True,
    )


def _curl(addresses: AddressSettings, secrets: DevSecrets, clock: Clock) -> str:
    now = clock.now()
    events = []
    for number, (type_, name, days, more) in enumerate(_STORY_OF_ONE):
        event: dict[str, object] = {"type": type_, "userId": "ana", "messageId": f"first-{number}"}
        event |= {"event": name} if name else {}
        event |= more
        event["timestamp"] = (now - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")
        events.append(json.dumps(event))
    batch = ",\n  ".join(events)
    return f"""curl -u {secrets.write_key}: {addresses.of("ingest")}/v1/batch -d '{{"batch": [\n  {batch}]}}'"""


if __name__ == "__main__":
    main()
