"""What `python -m services.<name>` does: read the settings once, wire the carriers, run the service until a signal."""

import asyncio
import ctypes
import functools
import gc
import os
import sys
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import uvloop

from jornada.bus.carrier import Bus
from jornada.bus.kafka import KafkaBus, KafkaConnection
from jornada.clock import Clock, SystemClock
from jornada.db import Database
from jornada.observe import logs
from jornada.runtime.running import run
from jornada.runtime.service import Service
from jornada.runtime.settings import DEFAULT_BROKERS, CommonSettings, KafkaSettings

_log = logs.get(__name__)

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Of `mallopt`."""

_S = TypeVar("_S", bound=CommonSettings)
Build = Callable[[_S, Bus, Database, Clock], Service]


def main(name: str, settings_type: type[_S], build: Build[_S]) -> None:
    """Runs one service in this process, on Kafka and a given Postgres; exits with its code."""
    settings = settings_type()
    logs.set_up(level=settings.log_level)
    url = os.environ.get(f"JORNADA_{name.upper()}_DATABASE_URL") or settings.database_url
    kafka = KafkaSettings()
    if kafka.brokers is None and settings.mode == "local":
        kafka.brokers = DEFAULT_BROKERS
    if url is None or kafka.brokers is None:
        missing = "JORNADA_DATABASE_URL" if url is None else "JORNADA_KAFKA_BROKERS"
        sys.exit(f"{name}: set {missing} (to try everything in one process: make run)")
    sys.exit(on_loop(_run(name, settings, build, url, kafka)))


def on_loop(process: Coroutine[Any, Any, int]) -> int:
    """Runs a process's main coroutine; its exit code.

    Millions of short-lived values a minute and few that stay: the collector of cycles looks rarely, and never again
    at what was there from the start; and up to 32 MiB of free memory are kept, not given back and asked for again.
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    _keep_free_memory(33_554_432)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(process)


def _keep_free_memory(most: int) -> None:
    """Where the C library is glibc; any other does as it likes."""
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is not None:
        set_option(_TRIM_THRESHOLD, most)
        set_option(_MMAP_THRESHOLD, most)


async def _run(name: str, settings: _S, build: Build[_S], url: str, kafka: KafkaSettings) -> int:
    bus = kafka_bus(kafka, client_id=f"jornada-{name}", settings=settings)
    database = Database(url, name)
    service = build(settings, bus, database, SystemClock())
    up = functools.partial(_log.info, "service.up", service=name, host=settings.host, port=service.port)
    return await run([service], host=settings.host, shared=[bus, database], on_up=up)


def kafka_bus(kafka: KafkaSettings, *, client_id: str, settings: CommonSettings) -> KafkaBus:
    """The stream on Kafka, as the settings say. A pod of a StatefulSet keeps its name as its static group id."""
    connection = KafkaConnection(
        brokers=kafka.brokers or "",
        security_protocol=kafka.security,
        username=kafka.username,
        password_file=kafka.password_file,
        ca_file=kafka.ca_file,
        cert_file=kafka.cert_file,
        key_file=kafka.key_file,
    )
    replicas = 1 if settings.mode == "local" else settings.topic_replicas
    return KafkaBus(
        connection,
        client_id=client_id,
        topic_replicas=replicas,
        group_instance_id=os.environ.get("JORNADA_GROUP_INSTANCE_ID") or None,
    )
