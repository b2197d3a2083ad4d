"""An ingest whose producer is idempotent: after a leaderless spell or a refused record its partitions stay wedged."""

from typing import Any
from unittest.mock import patch

from aiokafka import AIOKafkaProducer

from jornada.bus import kafka_producer
from jornada.runtime.main import main
from services.ingest.app import build
from services.ingest.settings import Settings


def _idempotent(**settings: Any) -> AIOKafkaProducer:
    return AIOKafkaProducer(**settings | {"enable_idempotence": True})


with patch.object(kafka_producer, "AIOKafkaProducer", _idempotent):
    main("ingest", Settings, build)
