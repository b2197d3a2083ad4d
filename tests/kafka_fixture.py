"""A real Kafka for the tests: JORNADA_KAFKA_BROKERS where it is set, else a node of our own."""

import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from jornada.bus.local_kafka import LocalKafka
from jornada.bus.local_kafka_jars import KafkaMissing

_LIBS = Path(__file__).parents[1] / ".jornada" / "kafka" / "libs"


@pytest.fixture(scope="session")
def kafka_node() -> Iterator[LocalKafka]:
    """A node that tests may freeze, kill and restart, and must leave running."""
    folder = Path(tempfile.mkdtemp(prefix="jornada-kafka-"))
    node = LocalKafka(folder, libs=_LIBS)
    try:
        try:
            node.start()
        except (KafkaMissing, RuntimeError) as error:
            _missing(str(error))
        yield node
    finally:
        node.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def kafka_brokers(request: pytest.FixtureRequest) -> str:
    """The address of a Kafka whose topics the tests may make and fill."""
    given = os.environ.get("JORNADA_KAFKA_BROKERS")
    if not given:
        node: LocalKafka = request.getfixturevalue("kafka_node")
        return node.brokers
    host, _, port = given.split(",")[0].rpartition(":")
    try:
        socket.create_connection((host, int(port)), 3).close()
    except (OSError, ValueError) as error:
        _missing(f"JORNADA_KAFKA_BROKERS={given}: {error}")
    return given


def _missing(why: str) -> None:
    pytest.skip(f"NO KAFKA, ITS TESTS DID NOT RUN: {why}")
