"""How a client reaches Kafka, and what its library may say in the log."""

import logging
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from aiokafka.errors import KafkaError
from aiokafka.helpers import create_ssl_context

from jornada.bus.carrier import BusUnavailable

UNREACHABLE = (KafkaError, OSError, TimeoutError, AssertionError)
"""What aiokafka raises while a broker is away; it asserts where its metadata is empty or behind."""

Security = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]


@dataclass(frozen=True)
class KafkaConnection:
    """Brokers as host:port with commas between; files are read at each connection, so that rotated secrets are seen."""

    brokers: str
    security_protocol: Security = "PLAINTEXT"
    username: str | None = None
    password_file: Path | None = None
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"

    def __post_init__(self) -> None:
        if not self.brokers:
            raise ValueError("no Kafka broker is named")
        if self.security_protocol.startswith("SASL") and not (self.username and self.password_file):
            raise ValueError(f"{self.security_protocol} needs a username and a password file")
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("a client certificate needs its key, and a key its certificate")

    def settings(self) -> dict[str, Any]:
        """aiokafka's keyword arguments; raises BusUnavailable where a file cannot be read."""
        chosen: dict[str, Any] = {"bootstrap_servers": self.brokers, "security_protocol": self.security_protocol}
        try:
            if self.security_protocol.endswith("SSL"):
                chosen["ssl_context"] = create_ssl_context(
                    cafile=self.ca_file, certfile=self.cert_file, keyfile=self.key_file
                )
            if self.password_file is not None and self.security_protocol.startswith("SASL"):
                chosen["sasl_mechanism"] = self.sasl_mechanism
                chosen["sasl_plain_username"] = self.username
                chosen["sasl_plain_password"] = self.password_file.read_text().strip()
        except OSError as error:
            raise BusUnavailable(f"Kafka: a secret or certificate cannot be read: {error.strerror}") from error
        return chosen


class _Seldom(logging.Filter):
    """Lets each kind of message through once in ten seconds: a broker that is away causes 28 errors a second."""

    _PERIOD = 10.0

    def __init__(self) -> None:
        super().__init__()
        self._next: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        now = time.monotonic()
        kind = str(record.msg)
        if now < self._next.get(kind, 0.0):
            return False
        if len(self._next) > 200:
            self._next.clear()
        self._next[kind] = now + self._PERIOD
        return True


def limit_logs() -> None:
    """Quietens aiokafka: warnings and worse only, each kind seldom. Its debug lines would show keys and values."""
    logging.getLogger("aiokafka").setLevel(logging.WARNING)
    # A filter holds for its own logger only, not for those below it.
    children = [name for name in logging.root.manager.loggerDict if name.startswith("aiokafka.")]
    for logger in map(logging.getLogger, ["aiokafka", *children]):
        if not any(isinstance(present, _Seldom) for present in logger.filters):
            logger.addFilter(_Seldom())
